"""The fleet counted: what an SRE asks of the database, in one transaction that only reads and holds no lock.

Each statement reads open rows by their partial index, or a table that is as small as the fleet. Groups are read whole,
for every one of them is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from common.store import outbox
from common.store.outbox import Backlog
from common.store.pool import Tx

Counts: TypeAlias = Mapping[tuple[str, ...], float]


@dataclass(slots=True)
class Waiting:
    """Deliveries without a slot: how many and since when (seconds), by why, and how many by bot."""

    by_why: dict[str, int] = field(default_factory=dict)
    oldest: dict[str, float] = field(default_factory=dict)
    by_bot: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InHand:
    """Deliveries with a slot; `late` is for how many seconds the earliest has waited for a sender, 0 where none has."""

    slotted: int
    sending: int
    late: float


@dataclass(frozen=True, slots=True)
class Bots:
    """`flood` holds every usable bot and the seconds that it must be silent; `ceiling` is what the others may send."""

    by_state: dict[str, int]
    problems: dict[str, int]
    flood: dict[int, float]
    ceiling: int


@dataclass(frozen=True, slots=True)
class Census:
    """Of one moment."""

    waiting: Waiting
    in_hand: InHand
    unknown: int
    broadcasts: dict[str, int]
    revision_items: int
    bots: Bots
    slots: dict[str, int]
    groups: Counts
    senders: int
    outbox: Backlog
    dead_letters: Counts
    quarantined: int


async def take(tx: Tx, silent: timedelta) -> Census:
    """All of it, without senders that are silent for that long; how long it takes grows with what waits."""
    return Census(
        waiting=await waiting(tx),
        in_hand=await in_hand(tx),
        unknown=await tx.fetchval("SELECT count(*) FROM deliveries WHERE state = 'unknown'"),
        broadcasts=await _by(tx, "SELECT state, count(*) FROM broadcasts WHERE state NOT IN ('cancelled', 'done')"),
        revision_items=await tx.fetchval("SELECT count(*) FROM revision_items WHERE state = 'pending'"),
        bots=await bots(tx),
        slots=await slots(tx),
        groups=await groups(tx),
        senders=await senders(tx, silent),
        outbox=await outbox.backlog(tx),
        dead_letters=await dead_letters(tx),
        quarantined=await tx.fetchval("SELECT count(*) FROM quarantine"),
    )


async def waiting(tx: Tx) -> Waiting:
    """Why, in this order: the broadcast is paused, the bot is out of use, Telegram asked the bot to be silent, its time
    has not come (a retry, a closed window, a plan that is not whole), else it waits for its turn.
    """
    rows = await tx.fetch(
        """SELECT d.bot_id, d.why, count(*) AS n, extract(epoch FROM now() - min(d.due_at))::float8 AS oldest
           FROM (
               SELECT d.bot_id, greatest(b.send_at, d.not_before) AS due_at,
                   CASE WHEN b.state = 'paused' THEN 'paused'
                        WHEN bots.state <> 'active' OR NOT bots.enabled THEN 'bot_off'
                        WHEN bots.flood_until > now() THEN 'flood'
                        WHEN d.not_before > now() OR b.state = 'planning' THEN 'later'
                        ELSE 'turn' END AS why
               FROM broadcasts b JOIN deliveries d ON d.broadcast_id = b.broadcast_id AND d.state = 'pending'
               JOIN bots ON bots.bot_id = d.bot_id
               WHERE b.state NOT IN ('cancelled', 'done')) d
           GROUP BY d.bot_id, d.why"""
    )
    found = Waiting()
    for row in rows:
        why, oldest = row["why"], max(0.0, row["oldest"])
        found.by_why[why] = found.by_why.get(why, 0) + row["n"]
        found.oldest[why] = max(found.oldest.get(why, 0.0), oldest)
        found.by_bot[row["bot_id"]] = found.by_bot.get(row["bot_id"], 0) + row["n"]
    return found


async def in_hand(tx: Tx) -> InHand:
    """Of slots that are still to come none is late."""
    row = await tx.fetchrow(
        """SELECT count(*) FILTER (WHERE state = 'slotted') AS slotted,
               count(*) FILTER (WHERE state = 'sending') AS sending,
               greatest(0, extract(epoch FROM now() - min(slot_at) FILTER (WHERE state = 'slotted')))::float8 AS late
           FROM deliveries WHERE state IN ('slotted', 'sending')"""
    )
    return InHand(row["slotted"], row["sending"], row["late"]) if row else InHand(0, 0, 0.0)


async def bots(tx: Tx) -> Bots:
    """A bot is disabled by us, active or revoked. Problems: what a check of the last day found at one in use."""
    rows = await tx.fetch(
        """SELECT bot_id, per_second,
               CASE WHEN enabled THEN state ELSE 'disabled' END AS state,
               greatest(0, extract(epoch FROM flood_until - now()))::float8 AS flood,
               ARRAY(SELECT jsonb_array_elements_text(health -> 'problems')
                     WHERE enabled AND checked_at > now() - interval '1 day') AS problems
           FROM bots"""
    )
    by_state, problems = defaultdict[str, int](int), defaultdict[str, int](int)
    for row in rows:
        by_state[row["state"]] += 1
        for problem in row["problems"]:
            problems[problem] += 1
    usable = [row for row in rows if row["state"] == "active"]
    return Bots(
        dict(by_state),
        dict(problems),
        {row["bot_id"]: row["flood"] or 0.0 for row in usable},
        sum(row["per_second"] for row in usable if not row["flood"]),
    )


async def slots(tx: Tx) -> dict[str, int]:
    """Of usable bots: held by a send, cooling down in Telegram's window, or free."""
    return await _by(
        tx,
        """SELECT CASE WHEN s.held_by IS NOT NULL THEN 'held' WHEN s.free_at > now() THEN 'cooling' ELSE 'free' END,
               count(*)
           FROM bot_slots s JOIN bots b ON b.bot_id = s.bot_id AND s.slot <= b.per_second
           WHERE b.state = 'active' AND b.enabled""",
    )


async def groups(tx: Tx) -> Counts:
    """By phase and health."""
    rows = await tx.fetch("SELECT phase, health, count(*) AS n FROM groups GROUP BY phase, health")
    return {(row["phase"], row["health"]): row["n"] for row in rows}


async def senders(tx: Tx, silent: timedelta) -> int:
    """Those that beat within that time."""
    found: int = await tx.fetchval("SELECT count(*) FROM workers WHERE beat_at > now() - $1::interval", silent)
    return found


async def dead_letters(tx: Tx) -> Counts:
    """By queue and cause, those that nobody has decided."""
    rows = await tx.fetch(
        "SELECT queue, cause, count(*) AS n FROM dead_letters WHERE resolved_at IS NULL GROUP BY queue, cause"
    )
    return {(row["queue"], row["cause"]): row["n"] for row in rows}


async def _by(tx: Tx, sql: str) -> dict[str, int]:
    return {row[0]: row[1] for row in await tx.fetch(f"{sql} GROUP BY 1")}
