"""Whom a choice of targets reaches, by bot, and why others are left out. Nothing is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from common.store.broadcasts import Targets
from common.store.groups import SENDABLE, WHY_NOT
from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class Audience:
    """`rates` are the bots' sends a second; `skipped` counts by reason."""

    by_bot: dict[int, int] = field(default_factory=dict)
    rates: dict[int, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)

    @property
    def accepted(self) -> int:
        """Groups that are sent to."""
        return sum(self.by_bot.values())


async def of(tx: Tx, targets: Targets) -> Audience:
    """By the same rule as the plan's; an id that is unknown and one of another key's bot look the same."""
    condition, values = targets.condition(after=0)
    rows = await tx.fetch(
        f"""SELECT g.bot_id, b.per_second, count(*) AS n, {WHY_NOT} AS reason
           FROM groups g JOIN bots b USING (bot_id)
           WHERE {condition}
           GROUP BY g.bot_id, b.per_second, reason""",  # noqa: S608 (our own words)
        *values,
    )
    skipped = Counter[str]()
    for row in rows:
        if row["reason"]:
            skipped[row["reason"]] += row["n"]
    missing = await _missing(tx, targets)
    if missing:
        skipped["not_found"] = missing
    return Audience(
        {row["bot_id"]: row["n"] for row in rows if row["reason"] is None},
        {row["bot_id"]: row["per_second"] for row in rows},
        dict(skipped),
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
