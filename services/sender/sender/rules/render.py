"""A broadcast's content and one group's facts → one Bot API call. Pure."""

from __future__ import annotations

import html
import re
from typing import Any

from common.records import Begun

_VARIABLE = re.compile(r"\{\{\s*([a-z_][a-z0-9_]{0,31})\s*\}\}")
_MARKDOWN = re.compile(r"([_*\[\]()~`>#+\-=|{}.!\\])")
TEXTS = ("text", "caption")


def render(content: dict[str, Any], delivery: Begun) -> tuple[str, dict[str, Any]]:
    """(method, parameters); `{{name}}` is the group's variable, escaped for the message's parse mode, empty where it
    has none.
    """
    params: dict[str, Any] = {"chat_id": delivery.chat_id, **content["params"]}
    values = {**delivery.variables, "title": delivery.title}
    if isinstance(params.get("media"), list):  # an album's items have captions of their own
        params["media"] = [filled(item, values) for item in params["media"]]
    return content["method"], filled(params, values)


def filled(params: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The parameters with their texts' variables filled in."""
    mode = params.get("parse_mode")
    return {k: fill(v, values, mode) if k in TEXTS and isinstance(v, str) else v for k, v in params.items()}


def fill(text: str, values: dict[str, Any], parse_mode: object) -> str:
    """Names only: no attributes, no expressions, so that a template can't reach anything."""
    return _VARIABLE.sub(lambda found: _escape(str(values.get(found[1], "")), parse_mode), text)


def _escape(value: str, parse_mode: object) -> str:
    match parse_mode:
        case "HTML":
            return html.escape(value, quote=False)
        case "MarkdownV2":
            return _MARKDOWN.sub(r"\\\1", value)
        case _:
            return value
