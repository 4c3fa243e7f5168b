"""Whom a choice of targets reaches, by bot, and why others are left out. Nothing is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from common.store.broadcasts import Targets
from common.store.groups import SENDABLE, WHY_NOT
from common.store.holdups import OFF, QUIET, Holdups
from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class Audience:
    """`rates` are the bots' sends a second; `skipped` counts by reason, `held` what is sent to, but not at once."""

    by_bot: dict[int, int] = field(default_factory=dict)
    rates: dict[int, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    held: Holdups = field(default_factory=Holdups)

    @property
    def accepted(self) -> int:
        """Groups that are sent to."""
        return sum(self.by_bot.values())


async def of(tx: Tx, targets: Targets, *, at: datetime | None = None) -> Audience:
    """By the same rule as the plan's; an id that is unknown and one of another key's bot look the same. `at` is when it
    begins.
    """
    condition, values = targets.condition(after=1)
    rows = await tx.fetch(
        f"""SELECT g.bot_id, rate_for(b.per_second, b.learned, b.learned_at, now()) AS rate, count(*) AS n,
               {WHY_NOT} AS reason, {OFF} AS off, {QUIET} AS quiet, count(*) FILTER (WHERE w.opens > s.at) AS later,
               extract(epoch FROM max(w.opens) FILTER (WHERE w.opens > s.at) - now())::float8 AS opens
           FROM groups g JOIN bots b USING (bot_id) CROSS JOIN (SELECT greatest($1::timestamptz, now()) AS at) s
           CROSS JOIN LATERAL (
               SELECT next_in_window(s.at, g.timezone, g.window_from, g.window_to) AS opens) w
           WHERE {condition}
           GROUP BY b.bot_id, g.bot_id, reason""",  # noqa: S608 (our own words)
        at,
        *values,
    )
    reached = [row for row in rows if row["reason"] is None]
    skipped = Counter[str]()
    for row in rows:
        if row["reason"]:
            skipped[row["reason"]] += row["n"]
    missing = await _missing(tx, targets)
    if missing:
        skipped["not_found"] = missing
    return Audience(
        {row["bot_id"]: row["n"] for row in reached},
        {row["bot_id"]: row["rate"] for row in reached},
        dict(skipped),
        Holdups.of(reached),
    )


async def without_value(tx: Tx, targets: Targets, names: list[str]) -> dict[str, int]:
    """How many of the groups that are sent to lack each of these variables; those that nobody lacks are left out."""
    condition, values = targets.condition(after=1)
    rows = await tx.fetch(
        f"""SELECT v.name, count(*) AS n FROM groups g JOIN unnest($1::text[]) AS v(name) ON NOT g.variables ? v.name
           WHERE {condition} AND {SENDABLE}
           GROUP BY v.name ORDER BY v.name""",  # noqa: S608 (our own words)
        names,
        *values,
    )
    return {row["name"]: row["n"] for row in rows}


async def unknown_tags(tx: Tx, targets: Targets) -> list[str]:
    """Of the chosen and the excluded: those that no group has, as far as the key sees."""
    rows = await tx.fetch(
        """SELECT t.tag FROM unnest($1::text[]) AS t(tag)
           WHERE NOT EXISTS (
               SELECT 1 FROM groups g
               WHERE g.tags @> ARRAY[t.tag] AND ($2::bigint[] IS NULL OR g.bot_id = ANY($2::bigint[])))
           ORDER BY t.tag""",
        sorted({*targets.tags, *targets.exclude_tags}),
        targets.bot_ids,
    )
    return [row["tag"] for row in rows]


async def _missing(tx: Tx, targets: Targets) -> int:
    asked = set(targets.group_ids) - set(targets.exclude_ids)
    if not asked:
        return 0
    found: int = await tx.fetchval(
        """SELECT count(*) FROM groups
           WHERE group_id = ANY($1::bigint[]) AND ($2::bigint[] IS NULL OR bot_id = ANY($2::bigint[]))""",
        list(asked),
        targets.bot_ids,
    )
    return len(asked) - found
