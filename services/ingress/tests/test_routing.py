"""architecture §3's table, row by row, and what no row of it may do: raise."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from common.queues import DM_QUEUE, TGMS_QUEUE
from hypothesis import given
from hypothesis import strategies as st
from ingress import routing
from ingress.routing import Ignored, Route, Unreadable, route

from .updates import CHANNEL, GROUP, PRIVATE, USER, Update, group_command, membership, message, press, update

_SERVICE_MESSAGE = re.compile(r'\n    (\w+): .+\n    """\*Optional\*\. (?:Message is a s|S)ervice message')
_BASIC_GROUP = {**GROUP, "id": -5, "type": "group"}
_MIDDLE = [{"type": "bold", "offset": 0, "length": 2}, {"type": "bot_command", "offset": 3, "length": 5}]

_DM = [
    pytest.param(update("message", message(text="hi")), id="message"),
    pytest.param(update("message", message(text="/start")), id="command"),
    pytest.param(update("message", message(photo=[])), id="photo"),
    pytest.param(update("message", message(hologram={"new": True})), id="content of tomorrow"),
    pytest.param(update("edited_message", message(text="hi!")), id="edited"),
    pytest.param(update("callback_query", press(PRIVATE)), id="button"),
    pytest.param(update("callback_query", press(None)), id="button of an inline message"),
    pytest.param(update("my_chat_member", membership(PRIVATE)), id="blocked"),
    pytest.param(update("message", {**message(text="hi"), "from": None}), id="no sender: the chat is the user"),
]
_TGMS = [
    pytest.param(update("chat_join_request", {"chat": GROUP, "from": USER}), "process_join_request", id="join"),
    pytest.param(update("chat_member", membership(GROUP)), "process_chat_member", id="member"),
    pytest.param(update("my_chat_member", membership(GROUP)), "process_bot_membership", id="bot in group"),
    pytest.param(update("my_chat_member", membership(CHANNEL)), "process_bot_membership", id="bot in channel"),
    pytest.param(update("message", message(_BASIC_GROUP, migrate_to_chat_id=-1001)), "process_migration", id="to"),
    pytest.param(update("message", message(GROUP, migrate_from_chat_id=-5)), "process_migration", id="from"),
    pytest.param(update("message", message(GROUP, text="hi")), "record_activity", id="said"),
    pytest.param(update("message", message(_BASIC_GROUP, photo=[])), "record_activity", id="shown"),
    pytest.param(update("edited_message", message(GROUP, text="hi!")), "record_activity", id="edited"),
    pytest.param(update("message_reaction", {"chat": GROUP}), "record_activity", id="reaction"),
    pytest.param(update("message_reaction_count", {"chat": GROUP}), "record_activity", id="reaction count"),
    pytest.param(update("poll_answer", {"poll_id": "1"}), "record_activity", id="poll answer"),
    pytest.param(group_command(), "process_group_command", id="command"),
    pytest.param(update("message", message(GROUP, entities=_MIDDLE)), "record_activity", id="no command: mid-text"),
    pytest.param(update("callback_query", press(GROUP)), "process_group_command", id="button in group"),
]
_SERVICE = [
    "new_chat_members", "left_chat_member", "new_chat_title", "pinned_message", "boost_added", "chat_owner_left",
    "chat_owner_changed", "community_chat_added", "forum_topic_created", "video_chat_started", "giveaway_created",
    "suggested_post_paid", "poll_option_added", "checklist_tasks_done", "unique_gift",
]  # fmt: skip
_IGNORED = [
    "channel_post", "edited_channel_post", "business_connection", "business_message", "edited_business_message",
    "deleted_business_messages", "guest_message", "inline_query", "chosen_inline_result", "shipping_query",
    "pre_checkout_query", "purchased_paid_media", "poll", "chat_boost", "removed_chat_boost", "managed_bot",
    "stopped_message_generation", "subscription",
]  # fmt: skip
_BROKEN: list[Any] = [
    None, True, 0, 1.5, "update", [], [{"update_id": 1}], {},
    {"message": message()}, {"update_id": None}, {"update_id": "7"}, {"update_id": True}, {"update_id": 7.0},
    {"update_id": -1}, {"update_id": 2**63}, {"update_id": 10**20},
    update("message", None), update("message", []), update("message", {}), update("message", {"chat": 5}),
    update("message", {"chat": {}}), update("message", {"chat": {"id": "42", "type": "private"}}),
    update("message", {"chat": {"id": 10**30, "type": "private"}}),
    update("message", message(PRIVATE, **{"from": {"id": "42"}})), update("edited_message", 1),
    update("callback_query", None), update("callback_query", {}), update("callback_query", {"from": {"id": []}}),
    update("my_chat_member", None), update("my_chat_member", {"chat": None}),
]  # fmt: skip


@pytest.mark.parametrize("given_update", _DM)
def test_a_private_chat_is_the_voices(given_update: Update) -> None:
    assert route(given_update) == Route(DM_QUEUE.name, "process_private_message", 7, 42)


@pytest.mark.parametrize(("given_update", "kind"), _TGMS)
def test_a_group_is_the_brains(given_update: Update, kind: str) -> None:
    assert route(given_update) == Route(TGMS_QUEUE.name, kind, 7)


@pytest.mark.parametrize("field", _SERVICE)
def test_what_happened_in_a_group_is_not_somebody_speaking(field: str) -> None:
    assert route(update("message", message(GROUP, **{field: {}}))) == Route(
        TGMS_QUEUE.name, "process_service_message", 7
    )


def test_a_migration_is_more_than_the_service_message_it_comes_with() -> None:
    both = message(GROUP, migrate_from_chat_id=-5, supergroup_chat_created=True)
    assert route(update("message", both)) == Route(TGMS_QUEUE.name, "process_migration", 7)


@pytest.mark.parametrize("kind", _IGNORED)
def test_kinds_without_a_use_are_known_by_name(kind: str) -> None:
    assert route(update(kind, {"chat": CHANNEL})) == Ignored(kind)


def test_a_kind_of_tomorrow_is_no_error() -> None:
    assert route(update("telepathy", {"from": USER})) == Ignored("unknown_kind")
    assert route({"update_id": 7}) == Ignored("unknown_kind")


def test_a_channels_message_is_nobodys() -> None:
    assert route(update("message", message(CHANNEL, text="news"))) == Ignored("channel")


def test_the_user_of_a_private_update_is_who_sent_it() -> None:
    other = {**message(text="hi"), "from": {**USER, "id": 43}}
    found = route(update("message", other))
    assert isinstance(found, Route)
    assert found.user_id == 43


@pytest.mark.parametrize("broken", _BROKEN, ids=repr)
def test_what_is_no_update_is_unreadable(broken: object) -> None:
    assert isinstance(route(broken), Unreadable)


def test_aiogram_knows_no_kind_and_no_service_message_that_we_do_not() -> None:
    """aiogram is generated from the Bot API's schema: a newer one with a new kind fails here, not in production."""
    from aiogram import types

    used = {"message", "edited_message", "callback_query", "my_chat_member", "chat_member", "chat_join_request"}
    assert set(types.Update.model_fields) - {"update_id"} == used | set(routing._ACTIVITIES) | routing._UNUSED
    described = set(_SERVICE_MESSAGE.findall(inspect.getsource(types.Message)))
    assert described - {"migrate_to_chat_id", "migrate_from_chat_id"} <= routing._SERVICE_FIELDS


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_KEYS = st.sampled_from(
    ["update_id", "message", "edited_message", "callback_query", "my_chat_member", "chat_member", "chat_join_request",
     "poll_answer", "channel_post", "chat", "from", "id", "type", "entities", "offset", "new_chat_title",
     "migrate_to_chat_id", "x"]
)  # fmt: skip
_LEAVES = _SCALARS | st.sampled_from(["private", "group", "supergroup", "channel", "bot_command", 42, 2**63])
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=25
)
_UPDATES = st.builds(
    lambda number, rest: {**rest, "update_id": number},
    st.integers(min_value=0, max_value=2**63 - 1),
    st.dictionaries(_KEYS, _JSON, max_size=4),
)


@given(_JSON)
def test_any_json_gets_one_answer(value: object) -> None:
    assert isinstance(route(value), Route | Ignored | Unreadable)


@given(_UPDATES)
def test_whatever_is_routed_fits_its_queues_job(value: Update) -> None:
    """The consumer must be able to read what the door lets through, or every such update becomes a dead letter."""
    found = route(value)
    if isinstance(found, Route):
        queue = next(q for q in (DM_QUEUE, TGMS_QUEUE) if q.name == found.queue)
        fields = {"kind": found.kind, "bot_id": 1, "update_id": found.update_id, "update": value}
        job = queue.adapter.validate_python(fields if found.user_id is None else {**fields, "user_id": found.user_id})
        assert job.update_id == value["update_id"]
