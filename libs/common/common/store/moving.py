"""A group has a new chat id, or another bot: its row moves there, and what waits for the group goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import asyncpg

from common.ids import ChatId
from common.store import in_hand
from common.store.deliveries import IN_DOUBT
from common.store.events import DELIVERY, TELL, TOLD_DELIVERIES
from common.store.pool import Tx
from common.store.states import state_of

_STATE: Final = state_of("d")
_ALLOWED: Final = "(b.bot_ids IS NULL OR g.bot_id = ANY(b.bot_ids))"
_NOT_FOR_IT: Final = "'the group has a bot that this broadcast is not for'"


@dataclass(frozen=True, slots=True)
class Moved:
    """`news` is False where everything was so already."""

    group_id: int
    news: bool


async def move(tx: Tx, old: ChatId, new: ChatId) -> Moved | None:
    """None where neither chat is a group of ours. Done already is done.

    Where both are, the one that was there first is the group, with its settings: the other becomes a pointer under the
    old id, and what waits for it is sent to the first.
    """
    try:
        async with tx.transaction():
            return await _move(tx, old, new)
    except asyncpg.UniqueViolationError:  # the new chat's row was made meanwhile, and is there to see now
        return await _move(tx, old, new)


async def _move(tx: Tx, old: ChatId, new: ChatId) -> Moved | None:
    rows = await tx.fetch(
        """SELECT group_id, bot_id, chat_id, phase FROM groups
           WHERE chat_id = ANY($1::bigint[]) AND phase <> 'migrated' ORDER BY group_id FOR UPDATE""",
        [old, new],
    )
    if not rows:
        return None
    first = rows[0]
    if len(rows) > 1:
        await _point(tx, rows[1], new)
    if first["chat_id"] != new:
        await tx.execute(
            """UPDATE groups SET chat_id = $2, kind = 'supergroup', migrated_at = now(), updated_at = now()
               WHERE group_id = $1""",
            first["group_id"],
            new,
        )
    if len(rows) > 1:
        await _take_over(tx, first, rows[1], old)
    return Moved(first["group_id"], news=first["chat_id"] != new or len(rows) > 1)


async def _point(tx: Tx, other: asyncpg.Record, new: ChatId) -> None:
    # No chat of a group has a positive number: a place to step aside to, for the two rows may change ids.
    await tx.execute(
        """UPDATE groups SET chat_id = group_id, phase = 'migrated', migrated_to = $2, updated_at = now()
           WHERE group_id = $1""",
        other["group_id"],
        new,
    )


async def _take_over(tx: Tx, first: asyncpg.Record, other: asyncpg.Record, old: ChatId) -> None:
    await tx.execute("UPDATE groups SET chat_id = $2 WHERE group_id = $1", other["group_id"], old)
    if first["phase"] == "lost" and other["phase"] != "lost":
        await tx.execute(
            """UPDATE groups SET phase = 'discovered', bot_id = $2, failures = 0, out_reason = NULL
               WHERE group_id = $1""",
            first["group_id"],
            other["bot_id"],
        )
    await in_hand.unslot_group(tx, other["group_id"])
    await _follow(tx, other["group_id"])


async def follow(tx: Tx, pointers: Sequence[int]) -> int:
    """What waits for rows that became pointers goes on to the groups they point to; how many were moved or settled.

    What was at Telegram during the merge may wait again behind it.
    """
    count = 0
    for pointer in pointers:
        with suppress(asyncpg.UniqueViolationError):  # planned meanwhile under the new id: the next look sees it
            async with tx.transaction():
                count += await _follow(tx, pointer)
    return count


async def hand_over(tx: Tx, delivery_ids: Sequence[int]) -> int:
    """What waits with a bot that its group no longer has goes to the one that it has; or is `failed` where the
    broadcast is not for that bot, so that a retry takes it once it has one that it is for. How many.
    """
    count: int = await tx.fetchval(
        f"""WITH settled AS (
               UPDATE deliveries d SET
                   bot_id = CASE WHEN {_ALLOWED} THEN g.bot_id ELSE d.bot_id END,
                   state = CASE WHEN {_ALLOWED} THEN 'pending' WHEN d.reason = ANY($2::text[]) THEN 'unknown'
                                ELSE 'failed' END,
                   reason = CASE WHEN {_ALLOWED} OR d.reason = ANY($2::text[]) THEN d.reason ELSE {_NOT_FOR_IT} END,
                   settled_at = CASE WHEN NOT {_ALLOWED} THEN now() END
               FROM groups g, broadcasts b
               WHERE g.group_id = d.group_id AND b.broadcast_id = d.broadcast_id AND d.delivery_id = ANY (ARRAY(
                   SELECT l.delivery_id FROM deliveries l WHERE l.delivery_id = ANY($1::bigint[])
                   FOR UPDATE SKIP LOCKED))
               AND {_STATE} = 'pending' AND d.bot_id <> g.bot_id RETURNING {DELIVERY}),
           {TOLD_DELIVERIES}, {TELL}
           SELECT count(*) FROM settled""",  # noqa: S608 (our own words)
        list(delivery_ids),
        list(IN_DOUBT),
    )
    return count


async def _follow(tx: Tx, pointer: int) -> int:
    count: int = await tx.fetchval(
        f"""WITH found AS (
               SELECT d.delivery_id, g.group_id, g.bot_id, CASE
                       WHEN g.group_id IS NULL THEN 'migrated'
                       WHEN NOT {_ALLOWED} THEN {_NOT_FOR_IT}
                       WHEN EXISTS (SELECT 1 FROM deliveries k
                                    WHERE k.broadcast_id = d.broadcast_id AND k.group_id = g.group_id)
                           THEN 'the group has it under its new id' END AS refusal
               FROM broadcasts b JOIN deliveries d ON d.broadcast_id = b.broadcast_id AND d.group_id = $1
               JOIN groups p ON p.group_id = $1 LEFT JOIN groups g ON g.chat_id = p.migrated_to
               WHERE b.state NOT IN ('cancelled', 'done') AND {_STATE} = 'pending' FOR UPDATE OF d SKIP LOCKED),
           turns AS (
               INSERT INTO group_turns (group_id) SELECT group_id FROM found WHERE refusal IS NULL
               ON CONFLICT DO NOTHING),
           settled AS (
               UPDATE deliveries d SET
                   group_id = CASE WHEN f.refusal IS NULL THEN f.group_id ELSE d.group_id END,
                   bot_id = CASE WHEN f.refusal IS NULL THEN f.bot_id ELSE d.bot_id END,
                   not_before = least(d.not_before, to_timestamp(0)),  -- that was the pointer's window
                   state = CASE WHEN f.refusal IS NULL THEN 'pending' WHEN d.reason = ANY($2::text[]) THEN 'unknown'
                                WHEN f.group_id IS NULL THEN 'failed' ELSE 'cancelled' END,
                   reason = CASE WHEN f.refusal IS NULL OR d.reason = ANY($2::text[]) THEN d.reason
                                 ELSE f.refusal END,
                   settled_at = CASE WHEN f.refusal IS NOT NULL THEN now() END
               FROM found f WHERE d.delivery_id = f.delivery_id RETURNING {DELIVERY}),
           {TOLD_DELIVERIES}, {TELL}
           SELECT count(*) FROM settled""",  # noqa: S608 (our own words)
        pointer,
        list(IN_DOUBT),
    )
    return count
