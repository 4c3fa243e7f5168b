"""One function per job kind; what is not built yet goes to the dead letters with that reason, and can be replayed
later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar, assert_never

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
                await self._once(job, _service_message)
            case jobs.ProcessJoinRequest():
                _not_built("join requests")
            case jobs.ProcessChatMember():
                _not_built("group membership")
            case jobs.RecordActivity():
                _not_built("activity")
            case jobs.ProcessGroupCommand():
                _not_built("group commands")
            case _ as never:
                assert_never(never)

    async def _once(self, job: JobT, act: Callable[[Tx, JobT], Awaitable[None]]) -> None:
        """Mark and effects in one transaction; what is rejected leaves no mark, so that it can be replayed."""
        async with self._pool.transaction(job.kind) as tx:
            if await inbox.mark(tx, job.bot_id, job.update_id):
                await act(tx, job)


async def _service_message(tx: Tx, job: jobs.ProcessServiceMessage) -> None:
    if not await memberships.titled(tx, job):
        _not_built("group membership")


def _not_built(what: str) -> NoReturn:
    raise Reject(f"not built yet: {what}")
