"""Sends what is due; until broadcasts are built every job goes to the dead letters with that reason."""

from __future__ import annotations

from common.errors import Reject
from common.jobs import GroupMessageJob


async def handle(job: GroupMessageJob) -> None:
    """Nothing falls on the floor: the row can be replayed when there is a sender for it."""
    raise Reject(f"not built yet: {job.kind}")
