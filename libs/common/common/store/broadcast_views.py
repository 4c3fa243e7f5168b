"""What the API shows of broadcasts. `within` hides what may reach any other bot."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from common.store.backlog import Waiting
from common.store.broadcasts import Broadcast, State
from common.store.holdups import OFF, QUIET, Holdups
from common.store.pool import Tx
from common.store.revisions import Kind

_RECENT = 10.0  # seconds that a rate is measured over, or as long as there are sends
_EXCERPT = 60  # characters
_SHORTEST = 1.0  # seconds, for the first send alone is no rate


@dataclass(frozen=True, slots=True)
class Tally:
    """Deliveries by state; `rate` is sent a second lately. What is `waiting` counts messages, of which a group gets up
    to `deep`.
    """

    by_state: dict[str, int]
    rate: float
    waiting: Waiting
    deep: int
    held: Holdups


@dataclass(frozen=True, slots=True)
class Listed(Broadcast):
    """`revised`: what was done last to the messages that it had sent; `excerpt`: the call, and how its words begin."""

    revised: Kind | None
    excerpt: str


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery with its group's name and chat."""

    delivery_id: int
    group_id: int
    bot_id: int
    title: str
    chat_id: int
    state: str
    attempts: int
    message_id: int | None
    message_ids: list[int]
    parts: int
    parts_done: int
    reason: str | None
    settled_at: datetime | None


async def page(tx: Tx, *, within: list[int] | None, state: State | None, before_id: int, limit: int) -> list[Listed]:
    """The newest first."""
    rows = await tx.fetch(
        """SELECT broadcast_id, state, priority, on_unknown, send_at, expires_at, pause_reason, planned, total,
               created_by, created_at, finished_at, (
                   SELECT r.kind FROM revisions r WHERE r.broadcast_id = b.broadcast_id
                   ORDER BY r.revision_id DESC LIMIT 1) AS revised,
               concat_ws(': ', content ->> 'method',
                   CASE WHEN char_length(said) > $5 THEN left(said, $5) || '…' ELSE said END) AS excerpt
           FROM broadcasts b, LATERAL coalesce(content #>> '{params,text}', content #>> '{params,caption}',
               content #>> '{params,media,0,caption}') said
           WHERE broadcast_id < $1 AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[])
               AND ($3::text IS NULL OR state = $3)
           ORDER BY broadcast_id DESC LIMIT $4""",
        before_id,
        within,
        state,
        limit,
        _EXCERPT,
    )
    return [Listed(**dict(row)) for row in rows]


async def visible(tx: Tx, broadcast_id: int, within: list[int] | None) -> bool:
    """Whether it exists for somebody who is limited to these bots."""
    found: bool = await tx.fetchval(
        """SELECT EXISTS (SELECT 1 FROM broadcasts
           WHERE broadcast_id = $1 AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[]))""",
        broadcast_id,
        within,
    )
    return found


async def tally(tx: Tx, broadcast_id: int, each: int) -> Tally:
    """One pass over its deliveries; a group that nothing is known of gets `each` messages."""
    rows = await tx.fetch(
        f"""SELECT d.state, b.bot_id, rate_for(b.per_second, b.learned, b.learned_at, now()) AS rate, count(*) AS n,
               sum(to_do.n) AS messages, max(to_do.n) AS deep,
               count(*) FILTER (WHERE d.state = 'sent' AND d.settled_at > now() - make_interval(secs => $2)) AS recent,
               extract(epoch FROM now() - min(d.settled_at) FILTER (WHERE d.state = 'sent'))::float8 AS since,
               {OFF} AS off, {QUIET} AS quiet, count(*) FILTER (WHERE d.not_before > now()) AS later,
               extract(epoch FROM max(d.not_before) FILTER (WHERE d.not_before > now()) - now())::float8 AS opens
           FROM deliveries d JOIN bots b USING (bot_id) CROSS JOIN LATERAL (
               SELECT CASE WHEN d.parts > 1 THEN d.parts - d.parts_done ELSE $3::int END AS n) to_do
           WHERE d.broadcast_id = $1
           GROUP BY d.state, b.bot_id""",  # noqa: S608 (our own words)
        broadcast_id,
        _RECENT,
        each,
    )
    by_state, waiting, deep = Counter[str](), Counter[int](), 1
    for row in rows:
        by_state[row["state"]] += row["n"]
        if row["state"] in {"pending", "slotted", "sending"}:
            waiting[row["bot_id"]] += row["messages"]
            deep = max(deep, row["deep"])
    rates = {row["bot_id"]: row["rate"] for row in rows}
    held = Holdups.of(row for row in rows if row["state"] == "pending")
    since = max((row["since"] for row in rows if row["since"] is not None), default=_RECENT)
    rate = sum(row["recent"] for row in rows) / min(max(since, _SHORTEST), _RECENT)
    return Tally(dict(by_state), rate, Waiting(dict(waiting), rates), deep, held)


async def deliveries(
    tx: Tx, broadcast_id: int, *, state: str | None, after_group: int, limit: int
) -> list[DeliveryView]:
    """By group: the ledger's unique index has that order."""
    rows = await tx.fetch(
        """SELECT d.delivery_id, d.group_id, d.bot_id, g.title, coalesce(d.sent_chat_id, g.chat_id) AS chat_id,
               d.state, d.attempts, d.message_id, d.message_ids, d.parts, d.parts_done, d.reason, d.settled_at
           FROM deliveries d JOIN groups g USING (group_id)
           WHERE d.broadcast_id = $1 AND d.group_id > $2 AND ($3::text IS NULL OR d.state = $3)
           ORDER BY d.group_id LIMIT $4""",
        broadcast_id,
        after_group,
        state,
        limit,
    )
    return [DeliveryView(**dict(row)) for row in rows]
