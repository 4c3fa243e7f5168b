"""One function per job kind. Where somebody waits for an answer that is not built yet, the job goes to the dead letters
with that reason and can be replayed later; what people only did or said is marked as seen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, assert_never

from common import jobs
from common.errors import Reject
from common.jobs import UpdateJob
from common.store import inbox
from common.store.pool import Pool, Tx

from tgms import memberships

JobT = TypeVar("JobT", bound=UpdateJob)


class Updates:
    """The handler of tgms_queue; an update that was handled is dropped when it comes again."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __call__(self, job: Any) -> None:
        """Every kind of TgmsJob; a new one is a type error here until it has its case."""
        await self._dispatch(job)

    async def _dispatch(self, job: jobs.TgmsJob) -> None:
        match job:
            case jobs.ProcessBotMembership():
                await self._once(job, memberships.changed)
            case jobs.ProcessMigration():
                await self._once(job, memberships.moved)
            case jobs.ProcessServiceMessage():
                await self._once(job, memberships.titled)
            case jobs.ProcessJoinRequest():
                raise Reject("not built yet: join requests")
            case jobs.ProcessChatMember() | jobs.RecordActivity() | jobs.ProcessGroupCommand():
                await self._once(job, _nothing_yet)
            case _ as never:
                assert_never(never)

    async def _once(self, job: JobT, act: Callable[[Tx, JobT], Awaitable[None]]) -> None:
        """Mark and effects in one transaction; what is rejected leaves no mark, so that it can be replayed."""
        async with self._pool.transaction(job.kind) as tx:
            if await inbox.mark(tx, job.bot_id, job.update_id):
                await act(tx, job)


async def _nothing_yet(tx: Tx, job: UpdateJob) -> None:
    """Everybody who joins or writes is one: as dead letters they would hide those that matter."""
