"""What is to be said for an update: written with its effects, said after the commit, settled one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from common.ids import BotId, UpdateId
from common.records import Reply
from common.store.pool import Tx

# Longer than any call may take, with its wait for a flood before it. Only another copy of the job waits for it: the
# message that has the claim comes again when its holder's channel is gone, and goes on at once.
CLAIM = timedelta(seconds=60)


async def add(tx: Tx, replies: Sequence[Reply], claimant: str) -> None:
    """As `sending` with one attempt, claimed for this message: whoever commits them says them at once."""
    await tx.executemany(
        """INSERT INTO replies (bot_id, update_id, seq, chat_id, method, params, claimed_by, claimed_until)
           VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8::interval)""",
        [(r.bot_id, r.update_id, r.seq, r.chat_id, r.method, r.params, claimant, CLAIM) for r in replies],
    )


async def claim(tx: Tx, bot_id: BotId, update_id: UpdateId, claimant: str) -> list[Reply]:
    """What an update left unsaid, save what another copy of this message may be saying now.

    What this very message was saying when its holder went away may have been said: that counts as an attempt.
    """
    rows = await tx.fetch(
        """UPDATE replies SET claimed_by = $3, claimed_until = now() + $4::interval,
               attempts = attempts + (claimed_until > now())::int
           WHERE bot_id = $1 AND update_id = $2 AND state = 'sending'
               AND (claimed_by = $3 OR claimed_until <= now())
           RETURNING bot_id, update_id, seq, chat_id, method, params, attempts""",
        bot_id,
        update_id,
        claimant,
        CLAIM,
    )
    return sorted((Reply(**dict(row)) for row in rows), key=lambda reply: reply.seq)


async def unsettled(tx: Tx, bot_id: BotId, update_id: UpdateId) -> bool:
    """True while a reply of this update is neither said nor given up."""
    return bool(
        await tx.fetchval(
            "SELECT EXISTS (SELECT 1 FROM replies WHERE bot_id = $1 AND update_id = $2 AND state = 'sending')",
            bot_id,
            update_id,
        )
    )


async def release(tx: Tx, bot_id: BotId, update_id: UpdateId) -> None:
    """What is left unsaid may be said by whoever gets the job next."""
    await tx.execute(
        "UPDATE replies SET claimed_until = now() WHERE bot_id = $1 AND update_id = $2 AND state = 'sending'",
        bot_id,
        update_id,
    )


async def again(tx: Tx, reply: Reply) -> Reply:
    """Counts that it may have been said already, before it is said once more, and keeps the claim."""
    attempts = await tx.fetchval(
        """UPDATE replies SET attempts = attempts + 1, claimed_until = now() + $4::interval
           WHERE bot_id = $1 AND update_id = $2 AND seq = $3 RETURNING attempts""",
        reply.bot_id,
        reply.update_id,
        reply.seq,
        CLAIM,
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
        """DELETE FROM replies WHERE ctid = ANY(ARRAY(
               SELECT ctid FROM replies WHERE created_at < now() - $1::interval AND state <> 'sending'
               ORDER BY created_at LIMIT 10000))""",
        older_than,
    )
    return int(status.rpartition(" ")[2])
