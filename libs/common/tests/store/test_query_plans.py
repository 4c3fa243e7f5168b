"""Every hot query finds its rows by an index, on tables as they look after some months."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.ids import BotId, ChatId, Epoch, JobId, UpdateId, UserId
from common.store import (
    audience,
    audit,
    backlog,
    bots,
    broadcasts,
    dead_letters,
    deliveries,
    dialogues,
    events,
    groups,
    in_hand,
    inbox,
    leases,
    moving,
    outbox,
    quarantine,
    reaping,
    replies,
    revision_items,
    revisions,
    schedules,
    strays,
    users,
    webhook_messages,
)
from common.store.audit import Filter
from common.store.broadcasts import Targets
from common.store.deliveries import Outcome
from common.store.groups import Note
from common.store.pool import Tx
from common.store.revision_items import ItemOutcome
from common.testing.builders import make_envelope, make_person, make_reply
from common.testing.postgres import Database

from .plans import FILLED, Explainer, filling

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def filled(db: Database) -> AsyncIterator[Tx]:
    async with filling(db, FILLED) as tx:
        yield tx


BOT, UPDATE, JOB = BotId(7), UpdateId(7), make_envelope(job_id=JobId("j7"))
REPLY = make_reply(bot_id=BOT, update_id=UPDATE, chat_id=ChatId(7))
DAY, SECOND, NOW = timedelta(days=1), timedelta(seconds=1), datetime(2026, 1, 1, tzinfo=UTC)


def trail(**wanted: Any) -> Callable[[Any], Awaitable[Any]]:
    """A page in the middle of the audit trail."""
    return lambda tx: audit.page(tx, within=None, after=9000, limit=51, wanted=Filter(**wanted))


def ending(one: str, finish: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """There is one that is over: else the second statement is not executed."""

    async def work(tx: Any) -> None:
        await tx.tx.execute(one)
        assert await finish(tx)

    return work


# What EXPLAIN must name; an INSERT that does nothing on any conflict uses its indexes without naming one.
QUERIES: dict[str, tuple[Callable[[Any], Awaitable[Any]], set[str]]] = {
    "a bot": (lambda tx: bots.get(tx, BOT), {"bots_pkey"}),
    "a person seen": (lambda tx: users.see(tx, make_person(user_id=UserId(7))), {"users_pkey"}),
    "a dialogue locked": (lambda tx: dialogues.lock(tx, BOT, UserId(7)), {"dialogues_pkey"}),
    "a dialogue's status": (lambda tx: dialogues.set_status(tx, BOT, UserId(7), "blocked"), {"dialogues_pkey"}),
    "an update marked": (lambda tx: inbox.mark(tx, BOT, UPDATE), set()),
    "marks pruned": (lambda tx: inbox.prune(tx, 13 * DAY), {"inbox_received_at"}),
    "replies claimed": (lambda tx: replies.claim(tx, BOT, UPDATE, "me"), {"replies_pkey"}),
    "replies left": (lambda tx: replies.unsettled(tx, BOT, UPDATE), {"replies_pkey"}),
    "replies released": (lambda tx: replies.release(tx, BOT, UPDATE), {"replies_pkey"}),
    "a reply again": (lambda tx: replies.again(tx, REPLY), {"replies_pkey"}),
    "a reply settled": (lambda tx: replies.settle(tx, REPLY, "sent"), {"replies_pkey"}),
    "replies pruned": (lambda tx: replies.prune(tx, 13 * DAY), {"replies_created_at"}),
    "a job kept": (lambda tx: outbox.add(tx, JOB, order=("user 7", 7)), {"outbox_order"}),
    "jobs due": (lambda tx: outbox.due(tx, 200), {"outbox_due"}),
    "the first of an order": (lambda tx: outbox.first(tx, ("user 7", 7)), {"outbox_order"}),
    "a job handled": (lambda tx: outbox.handled(tx, ("user 7", 7)), {"outbox_order"}),
    "a job buried": (lambda tx: outbox.buried(tx, JobId("j7")), {"outbox_job"}),
    "lost messages": (lambda tx: outbox.revive(tx, DAY), {"outbox_published"}),
    "the backlog": (outbox.backlog, {"outbox_due"}),
    "a dead letter": (lambda tx: dead_letters.add(tx, JOB, cause="c", reason="r"), set()),
    "open dead letters": (lambda tx: dead_letters.unresolved(tx, 50), {"dead_letters_open"}),
    "a replay": (lambda tx: dead_letters.replay(tx, 7), {"dead_letters_pkey"}),
    "a discard": (lambda tx: dead_letters.discard(tx, 7), {"dead_letters_pkey"}),
    "a body kept": (lambda tx: quarantine.keep(tx, BOT, b"x", "r"), set()),
    "items to hand out": (
        lambda tx: revision_items.candidates(tx, {BotId(8): 9}, SECOND),
        {"revisions_open", "revision_items_pending"},
    ),
    "items begun": (lambda tx: revision_items.begin(tx, [(7, NOW)], "w1"), {"revision_items_pkey"}),
    "items settled": (lambda tx: revision_items.settle(tx, [ItemOutcome(7, NOW, "done")]), {"revision_items_pkey"}),
    "items dropped": (lambda tx: in_hand.drop(tx, "revision_items", [(7, NOW)]), {"revision_items_pkey"}),
    "items without a job": (lambda tx: in_hand.unslot(tx, "revision_items", DAY), {"revision_items_in_hand"}),
    "items without a sender": (lambda tx: revision_items.orphans(tx, DAY), {"revision_items_in_hand"}),
    "items of what was stopped": (revision_items.close, {"revisions_open"}),
    "items too old": (revision_items.expire, {"revision_items_late"}),
    "items listed": (
        lambda tx: revision_items.page(tx, 7, 7, state=None, after_group=0, limit=9),
        {"revision_items_revision_id_group_id_key"},
    ),
    "revisions of a broadcast": (lambda tx: revisions.of(tx, 7), {"revisions_broadcast"}),
    "revisions to plan": (revisions.unplanned, {"revisions_open"}),
    "a revision planned": (lambda tx: revisions.plan(tx, 7, limit=99), {"revisions_pkey"}),
    "revisions that are over": (
        ending(
            "INSERT INTO revisions (broadcast_id, kind, priority, planned) VALUES (7, 'edit', 5, true)",
            revisions.finish,
        ),
        {"revisions_open"},
    ),
    "what a revision reaches": (lambda tx: revisions.reach(tx, 7), {"deliveries_broadcast_id_group_id_key"}),
    "whether anything waits": (
        backlog.kinds,
        {"broadcasts_open", "deliveries_pending", "revisions_open", "revision_items_pending"},
    ),
    "what a revision still has to do": (lambda tx: backlog.of_revision(tx, 7), {"revisions_pkey"}),
    "what goes before it": (lambda tx: backlog.ahead(tx, {8: 9}, 5), {"revisions_open", "broadcasts_open"}),
    "schedules due": (lambda tx: schedules.due(tx, 9), {"schedules_due"}),
    "a schedule taken": (lambda tx: schedules.take(tx, 7), {"schedules_pkey"}),
    "occurrences listed": (lambda tx: schedules.runs(tx, 7, before=None, limit=9), {"schedule_runs_pkey"}),
    "sends settled, and told": (
        lambda tx: deliveries.settle(tx, [Outcome(7, NOW, "failed")]),
        {"webhooks_wanting"},
    ),
    "sends without a sender": (lambda tx: reaping.orphans(tx, DAY), {"deliveries_in_hand", "webhooks_wanting"}),
    "sends to hand out": (
        lambda tx: deliveries.candidates(tx, {BotId(8): 9}, SECOND, turn=0),
        {"broadcasts_open", "deliveries_pending", "groups_pkey", "group_turns_pkey"},
    ),
    "sends begun": (lambda tx: deliveries.begin(tx, [(7, NOW, 8)], "w1"), {"bots_pkey", "groups_pkey"}),
    "sends that have strayed": (
        lambda tx: strays.look(tx, strays.START),
        {"deliveries_pending", "groups_pkey", "broadcasts_pkey"},
    ),
    "a send to a group that was merged": (
        lambda tx: moving.follow(tx, [7]),
        {"broadcasts_open", "deliveries_broadcast_id_group_id_key", "webhooks_wanting"},
    ),
    "a send to a group that was taken over": (
        lambda tx: moving.hand_over(tx, [7]),
        {"deliveries_pkey", "groups_pkey", "webhooks_wanting"},
    ),
    "a send to a group that is barred": (
        lambda tx: reaping.bar(tx, [7]),
        {"deliveries_pkey", "groups_pkey", "webhooks_wanting"},
    ),
    "a broadcast paused": (lambda tx: broadcasts.pause(tx, 7, "r"), {"webhooks_wanting"}),
    "groups without a value": (
        lambda tx: audience.without_value(tx, Targets(group_ids=[7], tags=["x"]), ["city"]),
        {"groups_pkey", "groups_tags"},
    ),
    "tags that no group has": (lambda tx: audience.unknown_tags(tx, Targets(tags=["x", "y"])), {"groups_tags"}),
    "broadcasts that are over": (
        ending("INSERT INTO broadcasts (state, content) VALUES ('running', '{}')", broadcasts.finish),
        {"broadcasts_open", "webhooks_wanting"},
    ),
    "groups noted": (lambda tx: groups.note(tx, [Note(7, BotId(8), failed=True)]), {"groups_pkey", "webhooks_wanting"}),
    "requests to webhooks": (
        lambda tx: webhook_messages.claim(tx, {7: 1}, turns=4, hold=DAY),
        {"webhook_messages_due", "events_pkey"},
    ),
    "events with company": (webhook_messages.gather, {"webhook_waiting_pkey"}),
    "requests listed": (
        lambda tx: webhook_messages.page(tx, 8, state=None, before_id=9999, limit=9),
        {"webhook_messages_webhook"},
    ),
    "events since": (lambda tx: webhook_messages.replay_since(tx, 7, datetime.now(UTC) - DAY / 24), {"events_at"}),
    "an event again": (lambda tx: webhook_messages.replay_one(tx, 7, 7), {"events_pkey"}),
    "events pruned": (lambda tx: events.prune(tx, 13 * DAY), {"events_at", "webhook_messages_created_at"}),
    "the audit trail": (trail(), {"audit_at"}),
    "changes by a key": (trail(key_id="7"), {"audit_actor"}),
    "changes of a sort": (trail(action="broadcast.7"), {"audit_action"}),
    "changes of a thing": (trail(kind="key", number="77"), {"audit_object"}),
    "changes of such things": (trail(kind="key"), {"audit_kind"}),
    "changes of a day long ago": (trail(since=NOW, until=NOW + DAY), {"audit_at"}),
    "a lease": (lambda tx: leases.acquire(tx, "l7", "me", DAY), {"leases_pkey"}),
    "a fence": (lambda tx: leases.fence(tx, "l7", Epoch(2)), {"leases_pkey"}),
}


async def test_no_query_reads_a_whole_table(filled: Tx) -> None:
    wrong = {}
    for name, (query, expected) in QUERIES.items():
        explainer = Explainer(filled)
        await query(explainer)
        if explainer.scanned or not expected <= explainer.indexes:
            wrong[name] = f"indexes {sorted(explainer.indexes)}, whole tables {sorted(explainer.scanned)}"
    assert wrong == {}


async def test_the_relays_ids_are_found_by_the_primary_key(filled: Tx) -> None:
    rows = await outbox.due(filled, 20)
    explainer = Explainer(filled)
    await outbox.published(explainer, rows)  # type: ignore[arg-type]  # stands for a transaction
    assert explainer.indexes == {"outbox_pkey"}


async def test_the_explainer_sees_a_query_without_an_index(filled: Tx) -> None:
    explainer = Explainer(filled)
    await explainer.fetch("SELECT * FROM users WHERE first_name = $1", "u7")
    assert explainer.scanned == {"users"}
