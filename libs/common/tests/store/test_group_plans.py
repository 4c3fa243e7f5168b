"""What Telegram's events ask of groups finds its rows by an index, in a fleet with a long history of broadcasts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from common.ids import BotId, ChatId, UpdateId
from common.records import Moment
from common.store import bot_chats, bot_views, group_admin, group_states, moving
from common.store.group_admin import Filter
from common.store.pool import Tx
from common.testing.postgres import Database

from .plans import LISTENERS, Explainer, filling

pytestmark = pytest.mark.timeout(60)
FILLED = """
INSERT INTO bots (bot_id, username, token, token_key) SELECT n, 'b' || n, 'x', 'k1' FROM generate_series(1, 2000) n;
INSERT INTO bot_slots (bot_id, slot) SELECT b, s FROM generate_series(1, 2000) b, generate_series(1, 10) s;
INSERT INTO groups (bot_id, chat_id, title, tags)
    SELECT n % 20 + 1, -n, 'g' || n, ARRAY['t' || n % 500] FROM generate_series(1, 20000) n;
INSERT INTO group_turns (group_id) SELECT group_id FROM groups;
INSERT INTO bot_chats (bot_id, chat_id, status, at, update_id)
    SELECT n % 20 + 1, -n, 'in', now(), n FROM generate_series(1, 20000) n;
INSERT INTO broadcasts (state, content) SELECT CASE WHEN n > 498 THEN 'running' ELSE 'done' END, '{}'
    FROM generate_series(1, 500) n;
INSERT INTO deliveries (broadcast_id, group_id, bot_id, state)
    SELECT b, g, 1, CASE WHEN b > 498 THEN 'pending' ELSE 'sent' END
    FROM generate_series(1, 500) b CROSS JOIN LATERAL generate_series(1, CASE WHEN b > 498 THEN 20000 ELSE 100 END) g;
ANALYZE;
"""
BOT, OLD, NEW = BotId(7), ChatId(-7), ChatId(-8)
NOW = Moment(datetime(2030, 1, 1, tzinfo=UTC), UpdateId(7))
BY_CHAT, OF_BROADCAST = "groups_chat_id_key", "deliveries_broadcast_id_group_id_key"
QUERIES: dict[str, tuple[Callable[[Any], Awaitable[Any]], set[str]]] = {
    "a bot's place": (lambda tx: bot_chats.note(tx, BOT, OLD, "in", NOW), {"bot_chats_pkey"}),
    "places that move": (lambda tx: bot_chats.migrated(tx, BOT, ChatId(-9), ChatId(-9999999), NOW), {"bot_chats_pkey"}),
    "a chat's group": (lambda tx: group_states.lock(tx, OLD), {BY_CHAT}),
    "a title": (lambda tx: group_states.retitle(tx, OLD, "t", "group", NOW), {BY_CHAT}),
    "what waits for a lost group": (
        lambda tx: group_states.fail_pending(tx, 9, BOT, "lost"), {OF_BROADCAST, "broadcasts_open"},
    ),
    "a migration": (lambda tx: moving._move(tx, OLD, NEW), {BY_CHAT, OF_BROADCAST, "groups_pkey"}),
    "groups by tag": (
        lambda tx: group_admin.page(tx, Filter(tag="t7"), within=None, after=0, limit=50), {"groups_tags"},
    ),
    "groups of a bot": (
        lambda tx: group_admin.page(tx, Filter(bot_id=BOT), within=None, after=0, limit=50), {"groups_pkey"},
    ),
    "a group by its chat": (
        lambda tx: group_admin.page(tx, Filter(chat_id=-70), within=None, after=0, limit=50), {BY_CHAT},
    ),
    "a page of groups": (
        lambda tx: group_admin.page(tx, Filter(), within=None, after=9000, limit=50), {"groups_pkey"},
    ),
    "a bot's groups counted": (lambda tx: bot_views.get(tx, BOT, None), {"bots_pkey", "groups_bot"}),
}  # fmt: skip


@pytest.fixture
async def fleet(db: Database) -> AsyncIterator[Tx]:
    async with filling(db, LISTENERS + FILLED) as tx:
        yield tx


async def test_no_query_reads_a_whole_table(fleet: Tx) -> None:
    wrong = {}
    for name, (query, expected) in QUERIES.items():
        explainer = Explainer(fleet)
        await query(explainer)
        if explainer.scanned or not expected <= explainer.indexes:
            wrong[name] = f"indexes {sorted(explainer.indexes)}, whole tables {sorted(explainer.scanned)}"
    assert wrong == {}
