"""What waits for its slots, by bot, and what goes before it: from these an estimate of the end is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class Waiting:
    """Calls that are still to be made, and the bots' calls a second."""

    by_bot: dict[int, int] = field(default_factory=dict)
    rates: dict[int, int] = field(default_factory=dict)


async def ahead(
    tx: Tx, waiting: Mapping[int, int], priority: int, *, broadcast_id: int = 0, revision_id: int = 0
) -> dict[int, int]:
    """By bot: sends, deletions and edits that go before the last of what waits.

    All of a higher priority; of each with the same one no more than we have ourselves, for they take turns.
    `broadcast_id` or `revision_id` is who waits.
    """
    rows = await tx.fetch(
        """WITH w AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS w (bot_id, own)),
           calls AS (
               SELECT false AS revises, b.broadcast_id AS id, b.priority, d.bot_id
               FROM broadcasts b JOIN deliveries d USING (broadcast_id)
               WHERE b.state = 'running' AND b.priority >= $3 AND b.broadcast_id <> $4 AND d.state = 'pending'
                   AND d.bot_id = ANY($1::bigint[])
               UNION ALL
               SELECT true, r.revision_id, r.priority, i.bot_id
               FROM revisions r JOIN revision_items i USING (revision_id)
               WHERE r.finished_at IS NULL AND r.state = 'running' AND r.priority >= $3 AND r.revision_id <> $5
                   AND i.state = 'pending' AND i.bot_id = ANY($1::bigint[])
               UNION ALL  -- of which the items are still to be made
               SELECT true, r.revision_id, r.priority, d.bot_id
               FROM revisions r JOIN deliveries d USING (broadcast_id)
               WHERE r.finished_at IS NULL AND r.state = 'running' AND NOT r.planned AND r.priority >= $3
                   AND r.revision_id <> $5 AND d.group_id > r.planned_to AND d.state = 'sent'
                   AND d.bot_id = ANY($1::bigint[])),
           rivals AS (SELECT priority, bot_id, count(*) AS n FROM calls GROUP BY revises, id, priority, bot_id)
           SELECT bot_id, sum(CASE WHEN priority > $3 THEN n ELSE least(n, own) END)::bigint AS n
           FROM rivals JOIN w USING (bot_id) GROUP BY bot_id""",
        list(waiting),
        list(waiting.values()),
        priority,
        broadcast_id,
        revision_id,
    )
    return {row["bot_id"]: row["n"] for row in rows}


async def of_revision(tx: Tx, revision_id: int) -> Waiting:
    """Its open items, and the messages for which it has none yet."""
    rows = await tx.fetch(
        """SELECT bot_id, b.per_second, count(*) AS n FROM (
               SELECT i.bot_id FROM revision_items i
               WHERE i.revision_id = $1 AND i.state IN ('pending', 'slotted', 'sending')
               UNION ALL
               SELECT d.bot_id FROM revisions r JOIN deliveries d USING (broadcast_id)
               WHERE r.revision_id = $1 AND NOT r.planned AND d.group_id > r.planned_to AND d.state = 'sent') open
           JOIN bots b USING (bot_id) GROUP BY bot_id, b.per_second""",
        revision_id,
    )
    return Waiting({row["bot_id"]: row["n"] for row in rows}, {row["bot_id"]: row["per_second"] for row in rows})
