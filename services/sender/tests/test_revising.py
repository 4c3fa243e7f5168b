"""How messages are deleted and edited, and what each answer means: the table, row by row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from common.ids import BotId, ChatId
from common.records import REVISION_ATTEMPTS, BegunItem
from common.telegram import errors
from common.telegram.errors import TelegramError
from sender.rules.revising import MOVED, TOO_OLD, Verdict, after, before, call


def item(kind: str = "recall", **changes: Any) -> BegunItem:
    fields: dict[str, Any] = {
        "item_id": 1, "revision_id": 2, "kind": kind, "group_id": 3, "bot_id": BotId(4), "chat_id": ChatId(-5),
        "attempts": 1, "message_ids": [6], "title": "A <b> C", "variables": {"name": "x"}, "moved": False,
        "late": False,
    }  # fmt: skip
    return BegunItem(**fields | changes)


def test_one_message_and_an_album_are_deleted() -> None:
    assert call({}, item()) == ("deleteMessage", {"chat_id": -5, "message_id": 6})
    assert call({}, item(message_ids=[6, 8])) == ("deleteMessages", {"chat_id": -5, "message_ids": [6, 8]})


def test_an_edit_is_each_groups_own() -> None:
    content = {"method": "editMessageText", "params": {"text": "{{title}} {{name}}", "parse_mode": "HTML"}}
    method, params = call(content, item("edit", message_ids=[6, 8]))
    assert method == "editMessageText"
    assert params == {"chat_id": -5, "message_id": 6, "text": "A &lt;b&gt; C x", "parse_mode": "HTML"}


def test_what_is_known_before_is_not_asked() -> None:
    assert before(item(), {}) is None
    moved, late = before(item(moved=True, late=True), {}), before(item(late=True), {})
    text = {"method": "editMessageText"}
    assert before(item(message_ids=[1]), text) is None
    assert before(item(message_ids=[1, 2]), text) == Verdict("failed", "it was sent in several messages")
    assert moved is not None
    assert late is not None
    assert [(moved.state, moved.reason), (late.state, late.reason)] == [("failed", MOVED), ("not_recallable", TOO_OLD)]


def test_the_buttons_of_a_text_in_parts_are_the_last_ones() -> None:
    content = {"method": "editMessageReplyMarkup", "params": {}}
    assert call(content, item("edit", message_ids=[6, 8], parts=2))[1] == {"chat_id": -5, "message_id": 8}
    refused = before(item("edit", message_ids=[6], parts=2), content)
    assert refused == Verdict("failed", "the message that has its buttons is not known")


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"text": "{{none}}"}, "nothing is left of the text with this group's variables"),
        ({"text": "{{long}}"}, "longer than one message with this group's variables"),
        ({"text": "<b>{{name}}{{title}}</b>", "parse_mode": "HTML"}, None),
        ({"text": "<a href='{{odd}}'>x</a>", "parse_mode": "HTML"}, "a variable's value breaks the markup"),
        ({"caption": "{{long}}"}, "a caption is longer than 1024 UTF-16 units with this group's variables"),
        ({"caption": "{{none}}"}, None),
        ({"text": "x" * 5000}, None),
    ],
)
def test_what_a_groups_values_make_of_an_edit_fails_that_group_alone(
    params: dict[str, str], reason: str | None
) -> None:
    """Not `stop`, as Telegram's refusal of content would; what has no variables was checked at the door."""
    content = {"method": "editMessageText" if "text" in params else "editMessageCaption", "params": params}
    values = {"name": "x", "long": "y" * 5000, "odd": "x' y"}
    verdict = before(item("edit", variables=values), content)
    assert verdict == (None if reason is None else Verdict("failed", reason))


@pytest.mark.parametrize(
    ("error", "recall", "edit"),
    [
        (None, "done", "done"),
        (errors.Stale("400 message is not modified"), "done", "done"),
        (errors.MessageGone("400 message to delete not found"), "done", "failed"),
        (errors.MessageFixed("400 message can't be deleted for everyone"), "not_recallable", "failed"),
        (errors.Gone("403 bot was kicked"), "failed", "failed"),
        (errors.NoRights("400 not enough rights"), "failed", "failed"),
        (errors.Refused("400 strange"), "failed", "failed"),
        (errors.Migrated(-100), "failed", "failed"),
        (errors.NotSent("no connection"), "pending", "pending"),
        (errors.Unknown("cut"), "pending", "pending"),
        (errors.Transient("500"), "pending", "pending"),
        (errors.Flood(3), "pending", "pending"),
        (errors.TokenRevoked("401"), "pending", "pending"),
        (errors.BadContent("400 can't parse"), "failed", "failed"),
    ],
)
def test_what_an_answer_means(error: TelegramError | None, recall: str, edit: str) -> None:
    assert (after(error, item("recall")).state, after(error, item("edit")).state) == (recall, edit)


def test_what_else_follows() -> None:
    assert after(errors.BadContent("400"), item("edit")).stop
    assert after(errors.Migrated(-100), item()).migrated_to == -100
    assert after(errors.Flood(3), item()).chat_flood == timedelta(seconds=3)
    assert after(errors.Flood(60), item()).bot_flood == timedelta(seconds=60)
    held = after(errors.Held(70), item())
    assert (held.state, held.delay, held.chat_flood, held.bot_flood) == ("pending", timedelta(seconds=70), None, None)
    assert after(errors.Refused("400 strange"), item()).reason == "400 strange"


def test_an_end_that_stays_unknown_is_a_failure_after_some_attempts() -> None:
    tried = [after(errors.Unknown("cut"), item(attempts=n)) for n in range(1, REVISION_ATTEMPTS + 1)]
    assert [verdict.state for verdict in tried] == ["pending"] * (REVISION_ATTEMPTS - 1) + ["failed"]
    delays = [verdict.delay for verdict in tried[:-1]]
    assert delays == sorted(delays)
    assert max(delays) <= timedelta(minutes=1)
