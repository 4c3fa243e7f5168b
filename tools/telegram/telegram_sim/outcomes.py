"""What goes back over the wire: an answer, or one of the ways in which none arrives."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from telegram_sim.errors import ApiError, flood
from telegram_sim.faults import FaultRule
from telegram_sim.wire import to_json

JSON = "application/json"
HTML = "text/html"
HTML_PAGE = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
)


@dataclass(frozen=True)
class Reply:
    """A whole answer; `cut_at` sends only so many bytes of it and closes."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    cut_at: int | None = None


@dataclass(frozen=True)
class Silence:
    """No answer while the client waits."""


@dataclass(frozen=True)
class Reset:
    """The connection ends with RST."""


Outcome = Reply | Silence | Reset


def success(result: Any) -> Reply:
    """200 with the result."""
    return Reply(200, to_json({"ok": True, "result": result}))


def refusal(error: ApiError) -> Reply:
    """An error's JSON; a 429 says its seconds in a header too."""
    after = error.parameters.get("retry_after")
    return Reply(error.code, to_json(error.body()), headers={"Retry-After": str(after)} if after else {})


def page(status: int, title: str, headers: dict[str, str] | None = None) -> Reply:
    """What a proxy in front of Telegram says."""
    return Reply(status, HTML_PAGE.format(title).encode(), HTML, headers or {})


def spoil(rule: FaultRule, whole: Reply | None) -> Outcome:
    """The fault's outcome; `whole` is the true answer of a call that took effect."""
    body = whole.body if whole else to_json({"ok": True, "result": True})
    made: dict[str, Callable[[], Outcome]] = {
        "http_500": lambda: refusal(ApiError(500)),
        "restart_500": lambda: refusal(ApiError(500, "restart")),
        "http_502_html": lambda: page(502, "502 Bad Gateway"),
        "http_429": lambda: refusal(flood(rule.retry_after)),
        "http_429_html": lambda: page(429, "429 Too Many Requests", {"Retry-After": str(rule.retry_after)}),
        "timeout_before": Silence,
        "timeout_after": Silence,
        "reset": Reset,
        "cut": lambda: Reply(200, body, cut_at=max(1, len(body) // 2)),
        "garbage": lambda: Reply(200, b'\x00\xff{"ok":tru'),
        "unknown_fields": lambda: Reply(200, with_unknown_fields(body)),
        "sent_deleted": lambda: refusal(ApiError(500, "sent message was immediately deleted")),
        "error": lambda: Reply(rule.error_code, to_json(ordered_error(rule))),
    }
    return made[rule.kind]()


def ordered_error(rule: FaultRule) -> dict[str, Any]:
    """Exactly the error that the rule spells out."""
    answer: dict[str, Any] = {"ok": False, "error_code": rule.error_code, "description": rule.description}
    return answer | ({"parameters": rule.parameters} if rule.parameters else {})


def with_unknown_fields(body: bytes) -> bytes:
    """A newer Telegram's answer: new fields, and a known one in a new form that typed clients cannot read."""
    answer = json.loads(body)
    answer["x_new_field"] = {"nested": [1, 2.5, None]}
    if isinstance(answer.get("result"), dict):
        answer["result"] |= {"x_new_field": [{"deep": True}], "link_preview_options": "automatic"}
    return to_json(answer)
