"""The groups that are managed: who they are, and whether they can be sent to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from common.ids import BotId, ChatId
from common.store.events import TELL
from common.store.pool import Tx

OUT_AFTER = 3  # failures in a row take a group out of sending
# Whether messages may go to a row `g` of groups, and why not. Asked when a broadcast is planned, when a slot is handed
# out and when the intent is written: what is allowed may change while a message waits.
SENDABLE: Final = (
    "g.final_message_allowed AND g.out_reason IS NULL AND g.phase IN ('discovered', 'growth', 'monitoring')"
)
WHY_NOT: Final = """CASE WHEN NOT g.final_message_allowed THEN 'final_message_not_allowed'
               WHEN g.out_reason IS NOT NULL THEN 'out_of_sending'
               WHEN g.phase NOT IN ('discovered', 'growth', 'monitoring') THEN g.phase END"""


@dataclass(frozen=True, slots=True)
class Group:
    """A row as the API shows it."""

    group_id: int
    bot_id: BotId
    chat_id: ChatId
    kind: str
    title: str
    tags: list[str]
    variables: dict[str, Any] = field(repr=False)
    timezone: str
    final_message_allowed: bool
    phase: str
    health: str
    failures: int
    out_reason: str | None


@dataclass(frozen=True, slots=True)
class Note:
    """What the outcome of a bot's send says of its group; `health` only where it changes."""

    group_id: int
    bot_id: BotId
    failed: bool
    reason: str | None = None
    health: str | None = None


async def register(tx: Tx, bot_id: BotId, chat_id: ChatId, *, title: str, kind: str, tags: Sequence[str] = ()) -> int:
    """Inserts, or refreshes title and kind; a lost group that is back keeps its settings. The id."""
    group_id: int = await tx.fetchval(
        """INSERT INTO groups AS g (bot_id, chat_id, title, kind, tags) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (chat_id) DO UPDATE SET bot_id = excluded.bot_id,
               title = excluded.title, kind = excluded.kind,
               phase = CASE WHEN g.phase = 'lost' THEN 'discovered' ELSE g.phase END, updated_at = now()
           RETURNING group_id""",
        bot_id,
        chat_id,
        title,
        kind,
        list(tags),
    )
    return group_id


async def note(tx: Tx, notes: Sequence[Note]) -> None:
    """A success clears the count; three failures in a row take the group out with the last one's reason. What became
    of a bot that the group no longer has says nothing of it.
    """
    fine = [n for n in notes if not n.failed]
    bad = [n for n in notes if n.failed]
    if fine:
        await tx.execute(
            """UPDATE groups g SET failures = 0, health = CASE WHEN missing_rights = '{}' THEN 'ok' ELSE health END
               FROM unnest($1::bigint[], $2::bigint[]) AS n (group_id, bot_id)
               WHERE g.group_id = n.group_id AND g.bot_id = n.bot_id AND g.failures > 0""",
            [n.group_id for n in fine],
            [n.bot_id for n in fine],
        )
    if bad:
        await tx.execute(
            f"""WITH was AS (  -- locked, for only whoever takes it out tells it
                   SELECT group_id FROM groups WHERE group_id = ANY($1::bigint[]) AND out_reason IS NULL
                   ORDER BY group_id FOR UPDATE),
               noted AS (
                   UPDATE groups g SET failures = g.failures + 1, health = coalesce(n.health, g.health),
                       updated_at = now(),
                       out_reason = CASE WHEN g.failures + 1 >= $5 THEN coalesce(g.out_reason, n.reason)
                           ELSE g.out_reason END
                   FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[])
                           AS n (group_id, reason, health, bot_id)
                       LEFT JOIN was USING (group_id)
                   WHERE g.group_id = n.group_id AND g.bot_id = n.bot_id
                   RETURNING g.group_id, g.bot_id, g.out_reason, was.group_id IS NOT NULL AS was_in),
               told AS (
                   SELECT 'group.out_of_sending' AS kind, ARRAY[bot_id] AS bot_ids, jsonb_build_object(
                       'group_id', group_id, 'bot_id', bot_id, 'reason', out_reason) AS data
                   FROM noted WHERE was_in AND out_reason IS NOT NULL),
               {TELL}
               SELECT 1""",  # noqa: S608 (our own words)
            [n.group_id for n in bad],
            [n.reason for n in bad],
            [n.health for n in bad],
            [n.bot_id for n in bad],
            OUT_AFTER,
        )
