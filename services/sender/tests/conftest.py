"""A small fleet on a simulated Telegram, and the brain's and the hands' parts that a broadcast passes through."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from common.dbclock import DatabaseClock
from common.ids import BotId, ChatId, JobId
from common.jobs import PlanBroadcast
from common.keys import KeyRing
from common.records import Bot
from common.registry import BotRegistry
from common.send_window import SendWindow
from common.store import bots, broadcasts, groups, media, reaping
from common.store.broadcasts import Targets
from common.telegram.client import BotApi
from common.telegram.floods import FloodMemory
from common.telegram.secrets import TokenVault
from common.testing.postgres import Database
from sender.handlers import Deliveries
from sender.heartbeat import Life
from sender.ledger import Ledger
from sender.media import MediaDesk
from telegram_sim.testing import Simulation
from tgms.leader import Leader
from tgms.pacer import Pacer
from tgms.reaper import Reaper
from tgms.revisions import Revisions
from tgms.strays import Strays

OWNER = "test-sender"


@dataclass
class Direct:
    """In the broker's place: what is published is handled at once, each job in its own task."""

    handle: Any = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def publish(self, _: Any, job: Any, *, job_id: JobId) -> None:
        """Keeps the task until it is done."""
        task = asyncio.create_task(self.handle(job))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


@dataclass
class Fleet:
    """Bots and groups, in Telegram and in the database."""

    sim: Simulation
    db: Database
    handle: Deliveries
    make: Callable[[str], Deliveries]
    groups: dict[int, int] = field(default_factory=dict)  # group id → chat id

    async def grow(self, n: int, bot_id: BotId) -> list[int]:
        """So many more groups of that bot."""
        made = []
        for number in range(n):
            chat = await self.sim.admin(
                "POST", "chats", type="supergroup", title=f"g{number}", bots=[{"id": bot_id, "status": "administrator"}]
            )
            async with self.db.transaction() as tx:
                made.append(
                    await groups.register(tx, bot_id, ChatId(chat["id"]), title=chat["title"], kind="supergroup")
                )
            self.groups[made[-1]] = chat["id"]
        return made

    async def broadcast(
        self, group_ids: list[int], text: str = "hello {{title}}", *, content: Any = None, **options: Any
    ) -> int:
        """Planned and running."""
        content = content or {"method": "sendMessage", "params": {"text": text}}
        async with self.db.transaction() as tx:
            broadcast_id = await broadcasts.create(tx, Targets(group_ids=group_ids), content, **options)
        await self.handle(PlanBroadcast(broadcast_id=broadcast_id))
        return broadcast_id

    async def ledger(self, broadcast_id: int) -> dict[int, str]:
        """State by chat."""
        async with self.db.transaction() as tx:
            rows = await tx.fetch("SELECT group_id, state FROM deliveries WHERE broadcast_id = $1", broadcast_id)
        return {self.groups[row["group_id"]]: row["state"] for row in rows}

    async def ended(self, broadcast_id: int) -> bool:
        """No delivery is open."""
        return not {"pending", "slotted", "sending"} & set((await self.ledger(broadcast_id)).values())

    async def rows(self, broadcast_id: int) -> list[dict[str, Any]]:
        """The ledger's whole rows, by group."""
        async with self.db.transaction() as tx:
            rows = await tx.fetch("SELECT * FROM deliveries WHERE broadcast_id = $1 ORDER BY group_id", broadcast_id)
        return [dict(row) for row in rows]

    async def effects(self, method: str) -> list[dict[str, Any]]:
        """Calls that took effect, in order."""
        found = (await self.sim.admin("GET", f"effects?method={method}"))["effects"]
        return [effect for effect in found if effect["status"] == "ok"]

    async def shown(self, group_id: int, field: str) -> list[dict[str, Any]]:
        """The messages in that group that have the field."""
        chat = await self.sim.admin("GET", f"chat?chat_id={self.groups[group_id]}")
        return [message for message in chat["messages"] if field in message]

    async def keep(self, content: bytes, name: str = "a.pdf", mime: str = "application/pdf") -> str:
        """As the API takes an upload: what a message names it by."""
        digest = hashlib.sha256(content).digest()
        new = media.New("test", None, digest, name, mime, len(content))
        async with self.db.transaction() as tx:
            if await media.claim_blob(tx, digest, len(content)):
                for seq in range(-(-len(content) // media.CHUNK)):
                    await media.add_chunk(tx, digest, seq, content[seq * media.CHUNK :][: media.CHUNK])
            saved = await media.save(tx, new, timedelta(days=1))
        return f"media:{saved.media_id}"

    def another(self) -> Deliveries:
        """A second process's handler on the same database and Telegram."""
        return self.make(f"other-{len(self.groups)}")

    async def sent(self) -> list[int]:
        """The chat of each sendMessage that took effect, in order."""
        effects = (await self.sim.admin("GET", "effects?method=sendMessage"))["effects"]
        return [effect["chat_id"] for effect in effects if effect["status"] == "ok" or not effect["answered"]]


@pytest.fixture
async def sim() -> AsyncIterator[Simulation]:
    """Without limits unless a test sets them."""
    async with Simulation() as running:
        yield running


@pytest.fixture
async def vault() -> TokenVault:
    """Opens what the bots' rows hold."""
    return TokenVault(KeyRing.from_base64(f"k1:{base64.b64encode(bytes(32)).decode()}"))


@pytest.fixture
async def fleet(sim: Simulation, db: Database, vault: TokenVault) -> AsyncIterator[Fleet]:
    """Two bots without groups; the sender's handler beats."""
    for _ in range(2):
        bot = await sim.admin("POST", "bots")
        sealed, key = vault.seal(BotId(bot["id"]), bot["token"])
        async with db.transaction() as tx:
            await bots.save(tx, Bot(BotId(bot["id"]), bot["username"], "Muster", sealed, key))
    api, clock = BotApi(sim.url, timeout=2, pacer=FloodMemory()), DatabaseClock(db.pool)
    await clock.measure()
    async with db.transaction() as tx:
        await reaping.beat(tx, OWNER)
        await tx.execute("UPDATE workers SET beat_at = now() + interval '1 min'")  # nothing beats again in a test
    registry = BotRegistry(db.pool, vault)

    def make(owner: str) -> Deliveries:
        life = Life(owner, asyncio.Event())
        life.told(math.inf)  # as far as it knows
        ledger, desk = Ledger(db.pool, clock, life), MediaDesk(db.pool, owner, timeout=2)
        return Deliveries(db.pool, api, registry, SendWindow(db.pool, clock), ledger, desk)

    yield Fleet(sim, db, make(OWNER), make)
    await api.close()


@pytest.fixture
async def brain(fleet: Fleet, db: Database) -> AsyncIterator[Direct]:
    """Pacer, reaper, strays and revisions under a lease, publishing straight to the handler."""
    stop, leader, direct = asyncio.Event(), Leader(db.pool, ttl=5), Direct(fleet.handle)
    publisher: Any = direct
    loops = [
        asyncio.create_task(work)
        for work in (
            leader.run(stop),
            Pacer(db.pool, publisher, leader).run(stop),
            Reaper(db.pool, publisher, leader).run(stop),
            Strays(db.pool, leader).run(stop),
            Revisions(db.pool, leader).run(stop),
        )
    ]
    yield direct
    stop.set()
    await asyncio.gather(*loops)
    await asyncio.gather(*direct.tasks, return_exceptions=True)
