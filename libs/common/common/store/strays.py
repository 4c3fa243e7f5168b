"""What waits for a group that can't have it as it is: found by reading what waits, a slice at a time, round and round.

Not by the groups that have changed: of a whole fleet that another bot took over they are many, each is to be looked up
for each broadcast, and a row may wait again long after its group has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from common.store import moving, reaping
from common.store.groups import SENDABLE
from common.store.pool import Tx

Place: TypeAlias = tuple[int, int, datetime, int]  # of a row in the index of those that wait
START: Final[Place] = (0, 0, datetime.fromtimestamp(0, UTC), 0)
_SLICE = 5000  # rows a look: a million in 200 of them
_MERGED = 500  # pointers a look, for each has statements of its own


@dataclass(frozen=True, slots=True)
class Strays:
    """By what becomes of them; `reached` is where the next look begins."""

    reached: Place
    barred: list[int]  # deliveries
    pointers: list[int]  # groups
    elsewhere: list[int]  # deliveries whose group has another bot


async def look(tx: Tx, after: Place) -> Strays:
    """Among the next rows that wait; from the start again once there are no more. Each is compared with its group, by
    keys alone, so that a look takes as long whatever happened to the fleet.
    """
    row = await tx.fetchrow(
        f"""WITH slice AS MATERIALIZED (
               SELECT d.broadcast_id, d.bot_id, d.not_before, d.delivery_id, d.group_id FROM deliveries d
               WHERE d.state = 'pending' AND (d.broadcast_id, d.bot_id, d.not_before, d.delivery_id) > ($1, $2, $3, $4)
               ORDER BY d.broadcast_id, d.bot_id, d.not_before, d.delivery_id LIMIT {_SLICE}),
           strays AS MATERIALIZED (
               SELECT s.delivery_id, s.group_id, g.what FROM slice s CROSS JOIN LATERAL (
                   SELECT CASE WHEN g.phase = 'migrated' THEN 'pointer' WHEN {SENDABLE} THEN 'elsewhere'
                               ELSE 'barred' END AS what
                   FROM groups g WHERE g.group_id = s.group_id AND (g.bot_id <> s.bot_id OR NOT ({SENDABLE}))
                       AND (SELECT state FROM broadcasts WHERE broadcast_id = s.broadcast_id)
                           IN ('running', 'paused') OFFSET 0) g)
           SELECT (SELECT ROW(broadcast_id, bot_id, not_before, delivery_id) FROM slice OFFSET {_SLICE} - 1) AS reached,
               ARRAY(SELECT delivery_id FROM strays WHERE what = 'barred') AS barred,
               ARRAY(SELECT group_id FROM strays WHERE what = 'pointer') AS pointers,
               ARRAY(SELECT delivery_id FROM strays WHERE what = 'elsewhere') AS elsewhere""",  # noqa: S608 (our own words)
        *after,
    )
    if row is None:  # never: it has no FROM
        return Strays(START, [], [], [])
    return Strays(row["reached"] or START, row["barred"], sorted(set(row["pointers"]))[:_MERGED], row["elsewhere"])


async def settle(tx: Tx, found: Strays) -> dict[str, int]:
    """How many, by what was done with them; each is looked at again under its lock."""
    return {
        "barred": await reaping.bar(tx, found.barred) if found.barred else 0,
        "followed": await moving.follow(tx, found.pointers),
        "handed_over": await moving.hand_over(tx, found.elsewhere) if found.elsewhere else 0,
    }
