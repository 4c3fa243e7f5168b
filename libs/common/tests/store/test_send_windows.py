"""When a group's send window opens, also where its timezone's name means nothing to this server."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any

import pytest
from common.ids import BotId
from common.store import deliveries, revision_items
from common.store.pool import Tx
from common.testing.postgres import Database

from .plans import Explainer

AHEAD = timedelta(milliseconds=150)
ROWS = """
INSERT INTO bots (bot_id, username, token, token_key) VALUES (1, 'b1', 'x', 'k1');
INSERT INTO groups (bot_id, chat_id, timezone) VALUES (1, -1, 'US/Nowhere'), (1, -2, 'Europe/Berlin'), (1, -3, 'UTC');
INSERT INTO group_turns (group_id) SELECT group_id FROM groups;
INSERT INTO broadcasts (state, content, planned) VALUES ('running', '{}', true);
INSERT INTO deliveries (broadcast_id, group_id, bot_id) SELECT broadcast_id, group_id, 1 FROM broadcasts, groups;
"""
DAY, NIGHT = (time(9), time(21)), (time(22), time(6))
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


async def opens(tx: Tx, at: datetime, zone: str, window: tuple[time, time]) -> datetime:
    found: datetime = await tx.fetchval("SELECT next_in_window($1, $2, $3, $4)", at, zone, *window)
    return found


@pytest.mark.parametrize(
    ("zone", "window", "hours", "expected"),
    [
        ("UTC", DAY, 0, timedelta()),
        ("UTC", DAY, 9, timedelta(hours=12)),
        ("Asia/Tokyo", DAY, 0, timedelta(hours=12)),
        ("Asia/Tokyo", NIGHT, 0, timedelta(hours=1)),
        ("UTC", NIGHT, 0, timedelta(hours=10)),
        ("UTC", NIGHT, 11, timedelta()),
        ("UTC", (time(9), time(9)), 0, timedelta()),
    ],
)
async def test_it_opens_by_the_groups_own_clock(
    db: Database, zone: str, window: tuple[time, time], hours: int, expected: timedelta
) -> None:
    at = NOON + timedelta(hours=hours)
    async with db.transaction() as tx:
        assert await opens(tx, at, zone, window) == at + expected


@pytest.mark.parametrize("window", [DAY, NIGHT])
@pytest.mark.parametrize("hours", [0, 6, 10, 12, 20])
async def test_a_zone_that_the_server_does_not_know_counts_as_utc(
    db: Database, window: tuple[time, time], hours: int
) -> None:
    at = NOON + timedelta(hours=hours)
    async with db.transaction() as tx:
        assert await opens(tx, at, "US/Nowhere", window) == await opens(tx, at, "UTC", window)


async def test_one_groups_unknown_zone_holds_nobody_up(db: Database) -> None:
    """It ended the pacer, and with it the brain, whoever led."""
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        await tx.execute(
            """UPDATE groups SET window_from = (now() AT TIME ZONE 'UTC' + interval '2 h')::time,
                   window_to = (now() AT TIME ZONE 'UTC' + interval '3 h')::time WHERE chat_id <> -3"""
        )
        found = {c.group_id: c.due_at for c in await deliveries.candidates(tx, {BotId(1): 9}, AHEAD, turn=0)}
        now = await tx.fetchval("SELECT now()")
    unknown, _, without = (found[group_id] for group_id in sorted(found))
    assert timedelta(hours=1, minutes=59) < unknown - now < timedelta(hours=2, minutes=1)
    assert without - now < timedelta(minutes=1)


async def waits_until(tx: Tx, ahead: timedelta) -> bool:
    dates = "SELECT bool_and(abs(extract(epoch FROM not_before - now() - $1::interval)) < 60) FROM deliveries"
    return bool(await tx.fetchval(dates, ahead))


async def shut(tx: Tx, hours: int) -> None:
    await tx.execute(
        """UPDATE groups SET timezone = 'UTC', window_from = (now() AT TIME ZONE 'UTC' + $1 * interval '1 h')::time,
               window_to = (now() AT TIME ZONE 'UTC' + ($1 + 1) * interval '1 h')::time""",
        hours,
    )


async def test_a_window_that_is_changed_while_the_pacer_looks_counts(db: Database) -> None:
    """The old date would be written over the look at what waits that came with the change, and outlive the message."""
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        await shut(tx, 5)
        closed = await deliveries.candidates(tx, {BotId(1): 9}, AHEAD, turn=0)
    async with db.transaction() as api:
        await shut(api, 3)
        async with db.transaction() as pacer:
            await deliveries.postpone(pacer, closed)
            assert await pacer.fetchval("SELECT max(not_before) < now() FROM deliveries"), "whose row is locked waits"
    async with db.transaction() as pacer:
        await deliveries.postpone(pacer, closed)
        assert await waits_until(pacer, timedelta(hours=3))


async def test_only_what_waits_is_postponed(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        await shut(tx, 5)
        closed = await deliveries.candidates(tx, {BotId(1): 9}, AHEAD, turn=0)
        await tx.execute("UPDATE deliveries SET state = 'slotted'")
        await deliveries.postpone(tx, closed)
        assert await tx.fetchval("SELECT max(not_before) < now() FROM deliveries")


class Recorder(Explainer):
    """Keeps the conditions by which indexes are read."""

    conditions: str = ""

    def _walk(self, node: dict[str, Any], *, inner: bool = False) -> None:
        self.conditions += str(node.get("Index Cond"))
        super()._walk(node, inner=inner)


@pytest.mark.parametrize(
    "candidates", [partial(deliveries.candidates, turn=0), revision_items.candidates], ids=["sends", "revisions"]
)
async def test_what_waits_for_later_is_not_read(db: Database, candidates: Any) -> None:
    """The index ends where the time has not come: each tick of the pacer read all that waits for its window."""
    async with db.transaction() as tx:
        await tx.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        recorder = Recorder(tx)
        await candidates(recorder, {BotId(1): 9}, AHEAD)
    assert "not_before <= statement_timestamp()" in recorder.conditions
