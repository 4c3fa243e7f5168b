"""What waits for its slots, by bot, and what goes before it: from these an estimate of the end is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from common.store.pool import Tx

MOST = 50_000  # counted of each, for each bot: half an hour of its sends; to count millions costs more than they tell


@dataclass(frozen=True, slots=True)
class Waiting:
    """Calls that are still to be made, and the bots' calls a second."""

    by_bot: dict[int, int] = field(default_factory=dict)
    rates: dict[int, int] = field(default_factory=dict)


async def kinds(tx: Tx) -> tuple[bool, bool]:
    """Whether any send waits at all, for whatever, and whether any deletion or edit does."""
    row = await tx.fetchrow(
        """SELECT EXISTS (
                   SELECT FROM broadcasts b JOIN deliveries d USING (broadcast_id)
                   WHERE b.state = 'running' AND d.state = 'pending') AS sends,
               EXISTS (
                   SELECT FROM revisions r JOIN revision_items i USING (revision_id)
                   WHERE r.finished_at IS NULL AND r.state = 'running' AND i.state = 'pending') AS revisions"""
    )
    return (row["sends"], row["revisions"]) if row is not None else (False, False)


async def ahead(
    tx: Tx, waiting: Mapping[int, int], priority: int, *, broadcast_id: int = 0, revision_id: int = 0
) -> dict[int, int]:
    """By bot: sends, deletions and edits that go before the last of what waits.

    Of each with a higher priority at most `MOST`; of each with the same one no more than we have ourselves, for they
    take turns. `broadcast_id` or `revision_id` is who waits.
    """
    rows = await tx.fetch(
        """WITH w AS (
               SELECT bot_id, own, p AS priority, CASE WHEN p > $3 THEN $6 ELSE least(own, $6) END AS most
               FROM unnest($1::bigint[], $2::bigint[]) AS w (bot_id, own), generate_series($3, 10) p),
           calls AS (
               SELECT false AS revises, b.broadcast_id AS id, w.bot_id, w.most, d.n
               FROM broadcasts b JOIN w USING (priority) CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
                   SELECT FROM deliveries d
                   WHERE d.broadcast_id = b.broadcast_id AND d.bot_id = w.bot_id AND d.state = 'pending'
                   ORDER BY d.not_before, d.delivery_id LIMIT w.most) d) d
               WHERE b.state = 'running' AND b.broadcast_id <> $4
               UNION ALL
               SELECT true, r.revision_id, w.bot_id, w.most, i.n
               FROM revisions r JOIN w USING (priority) CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
                   SELECT FROM revision_items i
                   WHERE i.revision_id = r.revision_id AND i.bot_id = w.bot_id AND i.state = 'pending'
                   ORDER BY i.not_before, i.item_id LIMIT w.most) i) i
               WHERE r.finished_at IS NULL AND r.state = 'running' AND r.revision_id <> $5
               UNION ALL  -- of which the items are still to be made
               SELECT true, r.revision_id, w.bot_id, w.most, d.n
               FROM revisions r CROSS JOIN LATERAL (SELECT bot_id, count(*) AS n FROM (
                   SELECT d.bot_id FROM deliveries d
                   WHERE d.broadcast_id = r.broadcast_id AND d.group_id > r.planned_to AND d.state = 'sent'
                   ORDER BY d.group_id LIMIT $6) d GROUP BY bot_id) d JOIN w USING (priority, bot_id)
               WHERE r.finished_at IS NULL AND r.state = 'running' AND NOT r.planned AND r.revision_id <> $5),
           rivals AS (SELECT bot_id, least(sum(n), most) AS n FROM calls GROUP BY revises, id, bot_id, most)
           SELECT bot_id, sum(n)::bigint AS n FROM rivals GROUP BY bot_id HAVING sum(n) > 0""",
        list(waiting),
        list(waiting.values()),
        priority,
        broadcast_id,
        revision_id,
        MOST,
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
