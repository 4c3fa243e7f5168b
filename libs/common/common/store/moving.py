"""A group became a supergroup and has a new chat id: its row moves there, and what points to the row with it."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from common.ids import ChatId
from common.store.pool import Tx
from common.store.states import state_of


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
    bot_id = first["bot_id"]
    if first["phase"] == "lost" and other["phase"] != "lost":
        bot_id = other["bot_id"]
        await tx.execute(
            "UPDATE groups SET phase = 'discovered', bot_id = $2, failures = 0, out_reason = NULL WHERE group_id = $1",
            first["group_id"],
            bot_id,
        )
    await tx.execute("INSERT INTO group_turns (group_id) VALUES ($1) ON CONFLICT DO NOTHING", first["group_id"])
    await tx.execute(
        f"""UPDATE deliveries d SET group_id = $2, bot_id = $3 FROM broadcasts b
           WHERE b.state NOT IN ('cancelled', 'done') AND d.broadcast_id = b.broadcast_id AND d.group_id = $1
               AND {state_of("d")} = 'pending' AND (b.bot_ids IS NULL OR $3 = ANY(b.bot_ids)) AND NOT EXISTS (
                   SELECT 1 FROM deliveries k
                   WHERE k.broadcast_id = d.broadcast_id AND k.group_id = $2)""",  # noqa: S608 (our own words)
        other["group_id"],
        first["group_id"],
        bot_id,
    )
    await tx.execute(
        f"""UPDATE deliveries d SET state = 'cancelled', settled_at = now(),
               reason = CASE WHEN b.bot_ids IS NULL OR $2 = ANY(b.bot_ids) THEN 'the group has it under its new id'
                             ELSE 'the group has a bot that this broadcast is not for' END
           FROM broadcasts b
           WHERE b.state NOT IN ('cancelled', 'done') AND d.broadcast_id = b.broadcast_id AND d.group_id = $1
               AND {state_of("d")} = 'pending'""",  # noqa: S608 (our own words)
        other["group_id"],
        bot_id,
    )
