"""reply_markup: what Telegram accepts, and its words for what it does not."""

from __future__ import annotations

from typing import Any

from telegram_sim.errors import bad_request
from telegram_sim.markup.links import normal_url

DATA_LIMIT = 64  # bytes of callback_data
MOST_BUTTONS = 100
KINDS = frozenset({"inline_keyboard", "keyboard", "remove_keyboard", "force_reply"})
ACTIONS = (
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
)

Markup = dict[str, Any]


def read_markup(markup: Any) -> Markup | None:
    """The markup a message keeps: only inline keyboards stay visible in it."""
    if markup is None or markup == {}:
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    if not KINDS & markup.keys():
        return None
    if "inline_keyboard" not in markup:
        return None
    rows = markup["inline_keyboard"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request('field "inline_keyboard" must be an Array of Arrays')
    if sum(len(row) for row in rows) > MOST_BUTTONS:
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    read = [[read_button(button) for button in row] for row in rows if row]
    return {"inline_keyboard": read} if read else None


def read_reply_keyboard(markup: Any) -> list[list[str]] | None:
    """The texts of a reply keyboard, an empty list when it is taken away, None when nothing changes."""
    if not isinstance(markup, dict):
        return None
    if markup.get("remove_keyboard") is True:
        return []
    rows = markup.get("keyboard")
    if not isinstance(rows, list):
        return None
    return [[text_of(button) for button in row] for row in rows if isinstance(row, list) and row]


def text_of(button: Any) -> str:
    """A reply button is a string or an object with a text."""
    text = button.get("text") if isinstance(button, dict) else button
    if not isinstance(text, str) or not text:
        raise bad_request("can't parse keyboard button: Can't find field \"text\"")
    return text


def read_button(button: Any) -> dict[str, Any]:
    """One inline button with exactly one thing to do."""
    if not isinstance(button, dict):
        raise bad_request("can't parse inline keyboard button: InlineKeyboardButton must be an Object")
    text = button.get("text")
    if not isinstance(text, str):
        raise bad_request("can't parse inline keyboard button: Can't find field \"text\"")
    if not text.strip():
        raise bad_request("inline keyboard button text must be non-empty")
    if not any(button.get(action) is not None for action in ACTIONS):
        raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    data = button.get("callback_data")
    if data is not None and (not isinstance(data, str) or not 1 <= len(data.encode()) <= DATA_LIMIT):
        raise bad_request("BUTTON_DATA_INVALID")
    url = button.get("url")
    if url is not None and (not isinstance(url, str) or normal_url(url) is None):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
    return {name: value for name, value in button.items() if value is not None}
