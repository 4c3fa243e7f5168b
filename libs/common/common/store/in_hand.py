"""Rows of either ledger between the pacer and their senders: handed out, taken back, or left without a job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from common.records import Candidate
from common.store.pool import Tx
from common.store.states import state_of

Ledger: TypeAlias = Literal["deliveries", "revision_items"]
Key: TypeAlias = tuple[int, datetime]  # a row, and the slot that it had when its job was published
_KEYS: Final[dict[Ledger, str]] = {"deliveries": "delivery_id", "revision_items": "item_id"}
_STATE: Final = state_of("d")


# What the rows of a CTE `lost` held.
_FREED: Final = """turns AS (
               UPDATE group_turns t SET held_by = NULL
               FROM lost WHERE t.group_id = lost.group_id AND t.held_by = lost.row),
           slots AS (
               UPDATE bot_slots s SET held_by = NULL
               FROM lost WHERE s.bot_id = lost.bot_id AND s.held_by = lost.row::text)"""


async def assign(tx: Tx, ledger: Ledger, chosen: Sequence[tuple[Candidate, datetime]]) -> dict[int, datetime]:
    """Each row is `slotted` and has its group's turn until the answer; by row the slot's time, or the turn's where that
    is later.

    Left out is what is not `pending` any more, or for another group or bot by now, for others settle rows beside the
    pacer; and what somebody has locked.
    """
    key = _KEYS[ledger]
    rows = await tx.fetch(
        f"""WITH mine AS (
               SELECT d.{key}, d.group_id, c.slot_at, c.items
               FROM unnest($1::bigint[], $2::timestamptz[], $3::int[], $4::bigint[], $5::bigint[])
                       AS c ({key}, slot_at, items, group_id, bot_id)
                   JOIN {ledger} d USING ({key}, group_id, bot_id)
               WHERE {_STATE} = 'pending' FOR UPDATE OF d SKIP LOCKED),
           turns AS (
               UPDATE group_turns t SET held_by = mine.{key} FROM mine
               WHERE t.group_id = mine.group_id AND t.held_by IS NULL
               RETURNING t.held_by, greatest(mine.slot_at, turn_for(t.next_at, t.recent, mine.items)) AS slot_at)
           UPDATE {ledger} d SET state = 'slotted', slot_at = turns.slot_at FROM turns
           WHERE d.{key} = turns.held_by RETURNING d.{key} AS row, d.slot_at""",  # noqa: S608 (our own words)
        [candidate.delivery_id for candidate, _ in chosen],
        [at for _, at in chosen],
        [candidate.items for candidate, _ in chosen],
        [candidate.group_id for candidate, _ in chosen],
        [candidate.bot_id for candidate, _ in chosen],
    )
    return {row["row"]: row["slot_at"] for row in rows}


async def withdraw(tx: Tx, ledger: Ledger, jobs: Sequence[Key], owner: str) -> None:
    """Takes intents back whose commit was in doubt: whoever asked for them was told of an error and called nobody."""
    await tx.execute(
        f"""UPDATE {ledger} d SET state = 'slotted', owner = NULL, attempts = d.attempts - 1
           FROM unnest($1::bigint[], $2::timestamptz[]) AS j (row, slot_at)
           WHERE d.{_KEYS[ledger]} = j.row AND d.slot_at = j.slot_at AND {_STATE} = 'sending'
               AND d.owner = $3""",  # noqa: S608 (our own words)
        *_columns(jobs),
        owner,
    )


async def drop(tx: Tx, ledger: Ledger, jobs: Sequence[Key]) -> set[int]:
    """Stale jobs: what has their slots waits for others. The rows that no other copy or later job has in hand, locked:
    until the transaction's end nobody gets another slot for them, so what they hold is what the job held.
    """
    key = _KEYS[ledger]
    rows = await tx.fetch(  # in order, for two may give back copies of the same jobs
        f"""SELECT d.{key} AS row FROM unnest($1::bigint[], $2::timestamptz[]) AS j (row, slot_at)
               JOIN {ledger} d ON d.{key} = j.row
           WHERE {_STATE} <> 'sending' AND ({_STATE} <> 'slotted' OR d.slot_at = j.slot_at)
           ORDER BY d.{key} FOR UPDATE OF d""",  # noqa: S608 (our own words)
        *_columns(jobs),
    )
    free = {found["row"] for found in rows}
    await tx.execute(
        f"""UPDATE {ledger} d SET state = 'pending', slot_at = NULL
           WHERE d.{key} = ANY($1::bigint[]) AND {_STATE} = 'slotted'""",  # noqa: S608 (our own words)
        list(free),
    )
    return free


async def unslot(tx: Tx, ledger: Ledger, late: timedelta) -> int:
    """Rows whose slot passed so long ago that their job is lost wait for another slot; how many."""
    key = _KEYS[ledger]
    count: int = await tx.fetchval(
        f"""WITH lost AS (
               UPDATE {ledger} d SET state = 'pending', slot_at = NULL
               WHERE {key} = ANY (ARRAY(
                   SELECT {key} FROM {ledger}
                   WHERE state = 'slotted' AND slot_at < now() - $1::interval FOR UPDATE SKIP LOCKED))
               AND {_STATE} = 'slotted' RETURNING {key} AS row, group_id, bot_id),
           {_FREED}
           SELECT count(*) FROM lost""",  # noqa: S608 (our own words)
        late,
    )
    return count


async def unslot_group(tx: Tx, group_id: int) -> None:
    """Deliveries that have a slot for that group wait again: their jobs will be stale."""
    await tx.execute(
        f"""WITH lost AS (
               UPDATE deliveries d SET state = 'pending', slot_at = NULL
               FROM broadcasts b
               WHERE b.state NOT IN ('cancelled', 'done') AND d.broadcast_id = b.broadcast_id AND d.group_id = $1
                   AND {_STATE} = 'slotted' RETURNING d.delivery_id AS row, d.group_id, d.bot_id),
           {_FREED}
           SELECT 1""",  # noqa: S608 (our own words)
        group_id,
    )


def _columns(jobs: Sequence[Key]) -> tuple[list[int], list[datetime]]:
    return [row for row, _ in jobs], [slot_at for _, slot_at in jobs]
