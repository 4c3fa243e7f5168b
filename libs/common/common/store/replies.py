"""What is to be said for an update: written with its effects, said after the commit, settled one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from common.ids import BotId, UpdateId
from common.records import Reply
from common.store.pool import Tx


async def add(tx: Tx, replies: Sequence[Reply]) -> None:
    """As `sending` with one attempt: whoever commits them sends them at once."""
    await tx.executemany(
        """INSERT INTO replies (bot_id, update_id, seq, chat_id, method, params) VALUES ($1, $2, $3, $4, $5, $6)""",
        [(r.bot_id, r.update_id, r.seq, r.chat_id, r.method, r.params) for r in replies],
    )


async def claim_unsettled(tx: Tx, bot_id: BotId, update_id: UpdateId) -> list[Reply]:
    """Those of a redelivered update, counted as one more attempt: how the last one ended nobody knows."""
    rows = await tx.fetch(
        """UPDATE replies SET attempts = attempts + 1 WHERE bot_id = $1 AND update_id = $2 AND state = 'sending'
           RETURNING bot_id, update_id, seq, chat_id, method, params, attempts""",
        bot_id,
        update_id,
    )
    return sorted((Reply(**dict(row)) for row in rows), key=lambda reply: reply.seq)


async def again(tx: Tx, reply: Reply) -> Reply:
    """Counts one more attempt before it is made."""
    attempts = await tx.fetchval(
        """UPDATE replies SET attempts = attempts + 1 WHERE bot_id = $1 AND update_id = $2 AND seq = $3
           RETURNING attempts""",
        reply.bot_id,
        reply.update_id,
        reply.seq,
    )
    return replace(reply, attempts=attempts)


async def settle(tx: Tx, reply: Reply, state: str, *, message_id: int | None = None, reason: str | None = None) -> None:
    """`sent`, `failed` or `unknown`; a row that is settled already stays as it is."""
    await tx.execute(
        """UPDATE replies SET state = $4, message_id = $5, reason = $6, settled_at = now()
           WHERE bot_id = $1 AND update_id = $2 AND seq = $3 AND state = 'sending'""",
        reply.bot_id,
        reply.update_id,
        reply.seq,
        state,
        message_id,
        reason,
    )


async def prune(tx: Tx, older_than: timedelta) -> int:
    """Settled rows deleted, at most 10,000 a call."""
    status = await tx.execute(
        """DELETE FROM replies WHERE ctid IN (
               SELECT ctid FROM replies WHERE created_at < now() - $1::interval AND state <> 'sending'
               ORDER BY created_at LIMIT 10000)""",
        older_than,
    )
    return int(status.rpartition(" ")[2])
