"""A simulated Telegram with two registered bots, and the brain's handler of what happens in its groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.errors import Reject
from common.queues import TGMS_QUEUE
from common.store import broadcasts, deliveries
from common.store.broadcasts import Targets
from common.testing.postgres import Database
from ingress.routing import Route, route
from telegram_sim.testing import Simulation
from tgms.handlers import Updates

Job = Any


@dataclass
class Town:
    """Two registered bots, and their updates as jobs."""

    sim: Simulation
    db: Database
    handle: Updates
    tokens: dict[int, str] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)

    async def found(self, kind: str = "supergroup", title: str = "Engines", **bots_in: Any) -> int:
        """A chat with those bots in it; its id."""
        chat = await self.sim.admin("POST", "chats", type=kind, title=title, **bots_in)
        return int(chat["id"])

    async def jobs(self) -> list[Job]:
        """What Telegram has to say, as the ingress makes jobs of it."""
        made = []
        for bot_id, token in self.tokens.items():
            for update in await self.sim.updates(token):
                routed = route(update)
                assert isinstance(routed, Route)
                fields = {"kind": routed.kind, "bot_id": bot_id, "update_id": routed.update_id, "update": update}
                made.append(TGMS_QUEUE.adapter.validate_python(fields))
        return made

    async def settle(self, jobs: list[Job] | None = None) -> None:
        """Handles them one after the other; what is rejected is kept by its reason."""
        for job in await self.jobs() if jobs is None else jobs:
            try:
                await self.handle(job)
            except Reject as error:
                self.rejected.append(error.reason)

    async def rows(self, table: str = "groups") -> list[dict[str, Any]]:
        """Oldest first."""
        async with self.db.transaction() as tx:
            return [dict(row) for row in await tx.fetch(f"SELECT * FROM {table} ORDER BY 1")]  # noqa: S608 (our names)

    async def group(self) -> dict[str, Any]:
        """The only one."""
        [found] = await self.rows()
        return found

    async def broadcast(self) -> int:
        """To all groups, planned."""
        async with self.db.transaction() as tx:
            targets = Targets(all_groups=True)
            made = await broadcasts.create(tx, targets, {"method": "sendMessage", "params": {"text": "x"}})
            await deliveries.plan(tx, made, targets, limit=100)
            await broadcasts.planned(tx, made)
        return made


async def migrate(town: Town, chat_id: int) -> tuple[int, list[Job]]:
    """The new id, and both service messages."""
    new = (await town.sim.admin("POST", f"chats/{chat_id}/migrate"))["id"]
    jobs = [job for job in await town.jobs() if job.kind == "process_migration"]
    return new, jobs
