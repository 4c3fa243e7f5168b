"""Groups as Telegram's own events change them: seen, lost, back again, renamed."""

from __future__ import annotations

import logging

from common.ids import BotId, ChatId
from common.records import GroupState, Moment
from common.store import audit
from common.store.audit import Entry
from common.store.deliveries import IN_DOUBT
from common.store.events import DELIVERY, TELL, TOLD_DELIVERIES
from common.store.pool import Tx
from common.store.states import state_of
from common.telemetry.spans import current_trace_id

_log = logging.getLogger(__name__)
_COLUMNS = "group_id, bot_id, chat_id, phase, health, missing_rights, out_reason, migrated_to"


async def lock(tx: Tx, chat_id: ChatId) -> GroupState | None:
    """Until the transaction's end; None for a chat that is no group of ours."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM groups WHERE chat_id = $1 FOR UPDATE",  # noqa: S608 (our own columns)
        chat_id,
    )
    return GroupState(**dict(row)) if row else None


async def discover(tx: Tx, bot_id: BotId, chat_id: ChatId, *, title: str, kind: str) -> GroupState | None:
    """A new row, locked; None where somebody else has just made it."""
    row = await tx.fetchrow(
        f"""INSERT INTO groups (bot_id, chat_id, title, kind) VALUES ($1, $2, $3, $4)
           ON CONFLICT (chat_id) DO NOTHING RETURNING {_COLUMNS}""",  # noqa: S608 (as above)
        bot_id,
        chat_id,
        title,
        kind,
    )
    return GroupState(**dict(row)) if row else None


async def save(tx: Tx, state: GroupState) -> None:
    """A group whose reason to be out is gone begins without failures."""
    await tx.execute(
        """UPDATE groups SET bot_id = $2, phase = $3, health = $4, missing_rights = $5, out_reason = $6::text,
               failures = CASE WHEN $6::text IS NULL AND out_reason IS NOT NULL OR phase = 'lost' AND $3 <> 'lost'
                          THEN 0 ELSE failures END,
               updated_at = now()
           WHERE group_id = $1""",
        state.group_id,
        state.bot_id,
        state.phase,
        state.health,
        state.missing_rights,
        state.out_reason,
    )


async def retitle(tx: Tx, chat_id: ChatId, title: str, kind: str, moment: Moment) -> None:
    """Unless a newer title is known."""
    await tx.execute(
        """UPDATE groups SET title = $2, kind = $3, titled_at = $4, titled_by = $5, updated_at = now()
           WHERE chat_id = $1 AND phase <> 'migrated' AND (titled_at, titled_by) < ($4, $5)""",
        chat_id,
        title,
        kind,
        moment.at,
        moment.update_id,
    )


async def fail_pending(tx: Tx, group_id: int, bot_id: BotId, reason: str) -> int:
    """Of a group that is lost to that bot: it tries nothing more there. By way of the open broadcasts, which are few;
    how many.
    """
    count: int = await tx.fetchval(
        f"""WITH settled AS (
               UPDATE deliveries d SET settled_at = now(),
                   state = CASE WHEN d.reason = ANY($3::text[]) THEN 'unknown' ELSE 'failed' END,
                   reason = CASE WHEN d.reason = ANY($3::text[]) THEN d.reason ELSE $2 END
               FROM broadcasts b
               WHERE b.state NOT IN ('cancelled', 'done') AND d.broadcast_id = b.broadcast_id AND d.group_id = $1
                   AND d.bot_id = $4 AND {state_of("d")} = 'pending'
               RETURNING {DELIVERY}),
           {TOLD_DELIVERIES}, {TELL}
           SELECT count(*) FROM settled""",  # noqa: S608 (our own words)
        group_id,
        reason,
        list(IN_DOUBT),
        bot_id,
    )
    return count


async def record(
    tx: Tx, bot_id: BotId, action: str, before: GroupState | None, after: GroupState, reason: str, **more: int
) -> None:
    """In the audit trail, as that bot's word; of `more` only what is not 0."""
    facts = {**after.facts(), "reason": reason, **{name: n for name, n in more.items() if n}}
    entry = Entry(
        f"telegram:{bot_id}",
        action,
        f"group:{after.group_id}",
        before.facts() if before else None,
        facts,
        sorted({bot_id, after.bot_id}),
        trace_id=current_trace_id(),
    )
    await audit.record(tx, entry)
    _log.info(action, extra={"group_id": after.group_id, "bot_id": bot_id, "reason": reason})
