"""telegram.md's table E and its "what a send can end in", row by row."""

from __future__ import annotations

import json
from typing import Any

import pytest
from common.telegram.errors import (
    BadContent,
    ChatNotFound,
    ChatPolicy,
    Conflict,
    Flood,
    Gone,
    MessageFixed,
    MessageGone,
    Migrated,
    NoRights,
    Refused,
    ReplyGone,
    SentDeleted,
    Stale,
    TelegramError,
    TokenRevoked,
    TopicGone,
    Transient,
    Unknown,
    UserGone,
    WrongFile,
    classify,
    outcome,
)
from hypothesis import given
from hypothesis import strategies as st

TABLE_E: list[tuple[int, str, type[TelegramError]]] = [
    (403, "Forbidden: bot was kicked from the supergroup chat", Gone),
    (403, "Forbidden: bot is not a member of the channel chat", Gone),
    (403, "Forbidden: the group chat was deleted", Gone),
    (400, "Bad Request: CHANNEL_PRIVATE", ChatNotFound),
    (400, "Bad Request: chat not found", ChatNotFound),
    (400, "Bad Request: not enough rights to send text messages to the chat", NoRights),
    (400, "Bad Request: CHAT_WRITE_FORBIDDEN", NoRights),
    (400, "Bad Request: have no rights to send a message", NoRights),
    (400, "Bad Request: CHAT_SEND_PHOTOS_FORBIDDEN", NoRights),
    (400, "Bad Request: CHAT_RESTRICTED", NoRights),
    (400, "Bad Request: CHAT_ADMIN_REQUIRED", NoRights),
    (400, "Bad Request: TOPIC_CLOSED", TopicGone),
    (400, "Bad Request: TOPIC_DELETED", TopicGone),
    (400, "Bad Request: message thread not found", TopicGone),
    (400, 'Bad Request: can\'t parse entities: Unsupported start tag "x" at byte offset 0', BadContent),
    (400, "Bad Request: message is too long", BadContent),
    (400, "Bad Request: message text is empty", BadContent),
    (400, "Bad Request: message caption is too long", BadContent),
    (400, "Bad Request: BUTTON_URL_INVALID", BadContent),
    (400, "Bad Request: BUTTON_DATA_INVALID", BadContent),
    (400, "Bad Request: wrong file identifier/HTTP URL specified", WrongFile),
    (400, "Bad Request: wrong remote file identifier specified: Wrong padding length", WrongFile),
    (400, "Bad Request: failed to get HTTP URL content", WrongFile),
    (400, "Bad Request: PHOTO_INVALID_DIMENSIONS", BadContent),
    (413, "Request Entity Too Large", BadContent),
    (400, "Bad Request: REPLY_MARKUP_TOO_LONG", BadContent),
    (400, "Bad Request: there is no text in the message to edit", BadContent),
    (400, "Bad Request: there is no caption in the message to edit", BadContent),
    (400, "Bad Request: message to copy not found", BadContent),
    (400, "Bad Request: the message can't be copied", BadContent),
    (400, "Bad Request: there are no messages to forward", BadContent),
    (400, "Bad Request: CHAT_FORWARDS_RESTRICTED", BadContent),
    (400, "Bad Request: message to delete not found", MessageGone),
    (400, "Bad Request: message to edit not found", MessageGone),
    (400, "Bad Request: message can't be deleted for everyone", MessageFixed),
    (400, "Bad Request: message can't be deleted", MessageFixed),
    (400, "Bad Request: message can't be edited", MessageFixed),
    (400, "Bad Request: message to be replied not found", ReplyGone),
    (400, "Bad Request: reply message not found", ReplyGone),
    (403, "Forbidden: bot was blocked by the user", UserGone),
    (403, "Forbidden: user is deactivated", UserGone),
    (403, "Forbidden: bot can't initiate conversation with a user", UserGone),
    (400, "Bad Request: USER_IS_BLOCKED", UserGone),
    (400, "Bad Request: INPUT_USER_DEACTIVATED", UserGone),
    (401, "Unauthorized", TokenRevoked),
    (404, "Not Found", TokenRevoked),
    (409, "Conflict: terminated by other getUpdates request", Conflict),
    (404, "Not Found: method not found", Refused),
    (500, "Internal Server Error", Transient),
    (500, "Internal Server Error: restart", Transient),
    (502, "Bad Gateway", Transient),
    (504, "Gateway Timeout", Transient),
    (500, "Internal Server Error: sent message was immediately deleted", SentDeleted),
    (400, "Bad Request: SLOWMODE_WAIT_7", ChatPolicy),
    (403, "Forbidden: ALLOW_PAYMENT_REQUIRED_5", ChatPolicy),
    (400, "Bad Request: query is too old and response timeout expired or query ID is invalid", Stale),
    (400, "Bad Request: message is not modified: specified new message content is the same", Stale),
    (400, "Bad Request: something that is new in the next version", Refused),
    (403, "Forbidden: something that is new in the next version", Refused),
]


@pytest.mark.parametrize(("code", "description", "kind"), TABLE_E)
def test_each_row_of_table_e(code: int, description: str, kind: type[TelegramError]) -> None:
    error = classify(code, description, {})
    assert type(error) is kind
    assert error.outcome == kind.outcome


def test_a_migration_says_where_to() -> None:
    text = "Bad Request: group chat was upgraded to a supergroup chat"
    error = classify(400, text, {"migrate_to_chat_id": -1001234567890})
    assert isinstance(error, Migrated)
    assert error.chat_id == -1001234567890


def answer(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize("chat_id", [-(10**20), 0, 7, True])
def test_a_migration_to_nowhere_is_none(chat_id: int) -> None:
    assert type(classify(400, "Bad Request: moved", {"migrate_to_chat_id": chat_id})) is Refused


FLOOD = answer(ok=False, error_code=429, description="Too Many Requests: retry after 5", parameters={"retry_after": 5})
SENT = {"message_id": 7, "date": 1, "chat": {"id": 1, "type": "private"}, "a_field_of_next_year": {"deep": [1]}}


@pytest.mark.parametrize(
    ("status", "body", "header", "seconds"),
    [
        (429, FLOOD, None, 5.0),
        (429, answer(ok=False, error_code=429, description="Too Many Requests"), "17", 17.0),
        (429, b"<html>429 Too Many Requests</html>", "3", 3.0),
        (429, b"<html>429 Too Many Requests</html>", None, 1.0),
        (429, b"", "soon", 1.0),
        (429, answer(ok=False, error_code=429, parameters={"retry_after": -1}), None, 1.0),
        (429, answer(ok=False, error_code=429, parameters={"retry_after": "5"}), "2", 2.0),
        (200, FLOOD, None, 5.0),
        (429, answer(ok=False, error_code=429, parameters={"retry_after": 10**20}), None, 86_400.0),
        (429, b'{"ok":false,"error_code":429,"parameters":{"retry_after":Infinity}}', None, 86_400.0),
        (429, b"", "9" * 400, 86_400.0),
        (429, b"", "\u00b2", 1.0),
    ],
    ids=[
        "json",
        "header-only",
        "html-with-header",
        "html",
        "odd-header",
        "negative",
        "text",
        "wrong-status",
        "for-ever",
        "infinite",
        "for-ever-header",
        "superscript",
    ],
)
def test_a_429_is_never_a_send_whatever_form_it_has(
    status: int, body: bytes, header: str | None, seconds: float
) -> None:
    error = outcome(status, body, header)
    assert isinstance(error, Flood)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b"<html>502 Bad Gateway</html>"),
        (504, b""),
        (500, answer(ok=False, error_code=500, description="Internal Server Error: restart")),
        (200, b"garbage"),
        (200, b"\xff\xfe"),
        (200, b'{"ok":tru'),
        (200, b"[]"),
        (200, answer(ok="true", result=SENT)),
        (302, b""),
        (400, b"<html>from some proxy</html>"),
        (403, b""),
    ],
)
def test_what_can_not_be_read_is_unknown_and_never_repeated_blindly(status: int, body: bytes) -> None:
    error = outcome(status, body, None)
    assert isinstance(error, Unknown)
    assert type(error) is (Transient if status >= 500 else Unknown)


@pytest.mark.parametrize("result", [SENT, True, None, [1], "text", 0])
def test_ok_true_is_sent_whatever_the_result_holds(result: Any) -> None:
    assert outcome(200, answer(ok=True, result=result), None) == result


def test_ok_true_wins_over_a_status() -> None:
    assert outcome(500, answer(ok=True, result=7), None) == 7


@given(st.integers(100, 599), st.binary(max_size=200), st.none() | st.text(max_size=10))
def test_any_bytes_have_an_outcome(status: int, body: bytes, header: str | None) -> None:
    outcome(status, body, header)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.integers(100, 599), json_values, json_values, json_values)
def test_any_answer_of_the_right_form_has_an_outcome(status: int, code: Any, description: Any, parameters: Any) -> None:
    body = answer(ok=False, error_code=code, description=description, parameters=parameters)
    assert isinstance(outcome(status, body, None), TelegramError)


@given(st.integers(400, 599).filter(lambda code: code != 429), st.text(max_size=300))
def test_what_is_repeated_of_a_description_is_short(code: int, description: str) -> None:
    assert len(str(classify(code, description, {}))) <= 100


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 418])
def test_what_telegram_quotes_of_a_message_is_not_repeated(code: int) -> None:
    for quoting in (
        'unsupported start tag "canary" at byte offset 5', 'cut off in "canary', "cut off in 'canary",
        "button URL 'https://a.shop.com/?it's=canary' is invalid", 'start tag "a "canary" b" is not closed',
    ):  # fmt: skip
        told = str(classify(code, f"Bad Request: can't parse entities: {quoting}", {}))
        assert "canary" not in told
        assert "can't parse entities" in told
