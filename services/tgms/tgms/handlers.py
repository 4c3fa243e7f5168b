"""One function per job kind; what is not built yet goes to the dead letters with that reason, and can be replayed
later.
"""

from __future__ import annotations

from typing import Any, NoReturn, assert_never

from common import jobs
from common.errors import Reject


async def handle(job: Any) -> None:
    """Every kind of TgmsJob; a new one is a type error here until it has its case."""
    await _dispatch(job)


async def _dispatch(job: jobs.TgmsJob) -> None:
    match job:
        case jobs.ProcessJoinRequest():
            _not_built("join requests")
        case jobs.ProcessChatMember() | jobs.ProcessBotMembership() | jobs.ProcessServiceMessage():
            _not_built("group membership")
        case jobs.ProcessMigration():
            _not_built("group migration")
        case jobs.RecordActivity():
            _not_built("activity")
        case jobs.ProcessGroupCommand():
            _not_built("group commands")
        case _ as never:
            assert_never(never)


def _not_built(what: str) -> NoReturn:
    raise Reject(f"not built yet: {what}")
