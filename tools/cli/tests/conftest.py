"""The ingress' real application on a real port and a real database; the networks on both sides of it can break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from common import key_changes
from common.ids import BotId, ChatId
from common.key_changes import Actor, Wish
from common.store import bots, broadcasts, deliveries, groups
from common.store.broadcasts import Targets
from common.testing.builders import make_bot
from common.testing.polling import eventually
from common.testing.postgres import Database
from common.testing.tcp_proxy import TcpProxy
from ingress.app import create_app
from muster_cli.testing import Operator, environment

FIRST, SECOND = BotId(111111), BotId(222222)
_HEADS = {"method": "sendMessage", "params": {"text": "hello"}}


@dataclass
class World:
    """What the operator's commands meet."""

    db: Database
    operator: Operator
    to_api: TcpProxy
    to_database: TcpProxy
    groups: list[int] = field(default_factory=list)

    async def make_key(self, *scopes: str, **changes: Any) -> str:
        """A new one's text."""
        async with self.db.transaction() as tx:
            made, _ = await key_changes.make(tx, Wish("test", list(scopes), **changes), Actor("cli:test"), env="test")
        return made.text

    async def grow(self, n: int, bot_id: BotId = FIRST, title: str = "g", **columns: Any) -> list[int]:
        """A bot with so many more groups."""
        begun = len(self.groups)
        async with self.db.transaction() as tx:
            await bots.save(tx, make_bot(bot_id=bot_id, username=f"bot{bot_id}"))
            for number in range(begun, begun + n):
                chat = ChatId(-1_000_000_000_000 - number - 1)
                made = await groups.register(tx, bot_id, chat, title=f"{title}{number}", kind="supergroup", **columns)
                self.groups.append(made)
        return self.groups[begun:]

    async def plan(self, broadcast_id: int | None = None, **options: Any) -> int:
        """A broadcast to all groups as the sender plans it, new or accepted."""
        targets = Targets(all_groups=True)
        async with self.db.transaction() as tx:
            number = broadcast_id or await broadcasts.create(tx, targets, _HEADS, **options)
            await deliveries.plan(tx, number, targets, limit=1000)
            await broadcasts.planned(tx, number)
        return number

    async def settle(self, broadcast_id: int, *states: str, state: str = "done") -> None:
        """Its deliveries stand so, in order."""
        async with self.db.transaction() as tx:
            rows = await tx.fetch("SELECT delivery_id FROM deliveries WHERE broadcast_id = $1 ORDER BY 1", broadcast_id)
            for row, each in zip(rows, states, strict=True):
                await tx.execute(
                    """UPDATE deliveries SET state = $2, settled_at = now(),
                       reason = CASE WHEN $2 = 'failed' THEN 'no_rights' END WHERE delivery_id = $1""",
                    row["delivery_id"],
                    each,
                )
            await tx.execute("UPDATE broadcasts SET state = $2 WHERE broadcast_id = $1", broadcast_id, state)

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """Oldest first."""
        async with self.db.transaction() as tx:
            return [dict(row) for row in await tx.fetch(f"SELECT * FROM {table} ORDER BY 1")]  # noqa: S608 (our own names)

    async def has(self, table: str, count: int) -> None:
        """Once so many rows are there."""

        async def there() -> bool:
            return len(await self.rows(table)) >= count

        await eventually(there, what=f"{count} rows in {table}")


@pytest.fixture
def alone() -> Operator:
    """With a key, and nobody who answers: what gets as far as asking ends with 3."""
    return Operator(environment("http://127.0.0.1:9", f"mst_test_{'0' * 12}_{'0' * 49}"))


@pytest.fixture
async def world(db: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """The operator's key may do everything; there is no bot yet."""
    async with TcpProxy.before(db.url) as to_database:
        monkeypatch.setenv("AMQP_URL", "amqp://127.0.0.1:1")
        monkeypatch.setenv("DATABASE_URL", to_database.through(db.url))
        monkeypatch.setenv("MUSTER_DATABASE_TIMEOUT", "0.5")
        monkeypatch.setenv("MUSTER_WEBHOOK_KEYS", f"2:{'22' * 32}")
        monkeypatch.setenv("MUSTER_ENCRYPTION_KEYS", f"k1:{'A' * 43}=")
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(), port=0, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=1
            )
        )
        serving = asyncio.create_task(server._serve())
        while not server.started:  # noqa: ASYNC110 (uvicorn has no signal for it)
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with TcpProxy("127.0.0.1", port) as to_api:
            operator = Operator(environment(f"http://127.0.0.1:{to_api.own_port}", ""))
            found = World(db, operator, to_api, to_database)
            operator.environment["MUSTER_API_KEY"] = await found.make_key("*", burst=1000, per_second=500)
            yield found
            to_api.heal()
            to_database.heal()
        server.should_exit = True
        await serving
