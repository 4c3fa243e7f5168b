"""A client of the API, and a small fleet in the database that it works on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx
from common import key_changes
from common.ids import BotId, ChatId
from common.key_changes import Actor, Wish
from common.keys import KeyRing
from common.store import bots, groups
from common.telegram.secrets import TokenVault
from common.testing.builders import make_bot
from common.testing.postgres import Database

FIRST, SECOND = BotId(111111), BotId(222222)
TEXT = {"type": "text", "text": "hello"}
TOKEN_KEYS = f"k1:{'A' * 43}="
VAULT = TokenVault(KeyRing.from_base64(TOKEN_KEYS))


def token_of(bot_id: int) -> str:
    """Its token in the simulated Telegram, and in the database of `Api.grow`."""
    return f"{bot_id}:AAF4keT0kenForTests-0123456789_abcd"


@dataclass
class Api:
    """Asks with a key that may do everything unless told otherwise."""

    client: httpx.AsyncClient
    db: Database
    key: str = ""
    groups: dict[BotId, list[int]] = field(default_factory=dict)

    async def ask(self, method: str, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
        """One request; `key=""` gives none."""
        used = self.key if key is None else key
        headers = ({"Authorization": f"Bearer {used}"} if used else {}) | options.pop("headers", {})
        return await self.client.request(method, path, headers=headers, **options)

    async def send(
        self, *, key: str | None = None, headers: dict[str, str] | None = None, **body: Any
    ) -> httpx.Response:
        """POST /api/send_messages to all unless told otherwise."""
        full = {"message": TEXT, "targets": {"all": True}} | body
        return await self.ask("POST", "/api/send_messages", key=key, json=full, headers=headers or {})

    async def make_key(self, *scopes: str, **changes: Any) -> str:
        """A new one's text."""
        wish = Wish("test", list(scopes), **changes)
        async with self.db.transaction() as tx:
            made, _ = await key_changes.make(tx, wish, Actor("cli:test"), env="test")
        return made.text

    async def grow(self, bot_id: BotId, n: int, **columns: Any) -> list[int]:
        """A bot with so many more groups."""
        made = self.groups.setdefault(bot_id, [])
        async with self.db.transaction() as tx:
            sealed, key = VAULT.seal(bot_id, token_of(bot_id))
            await bots.save(tx, make_bot(bot_id=bot_id, username=f"bot{bot_id}", token=sealed, token_key=key))
            for _ in range(n):
                chat = ChatId(-1_000_000_000_000 - bot_id * 1000 - len(made))
                made.append(
                    await groups.register(tx, bot_id, chat, title=f"g{len(made)}", kind="supergroup", **columns)
                )
        return made[-n:]

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """Oldest first."""
        async with self.db.transaction() as tx:
            return [dict(row) for row in await tx.fetch(f"SELECT * FROM {table} ORDER BY 1")]  # noqa: S608 (our own names)
