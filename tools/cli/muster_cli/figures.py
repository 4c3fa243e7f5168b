"""Numbers and times as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

_FILES: Final = ("photo", "video", "document")
_SHOWN: Final = 20  # ids or tags; --json has all
_HELD: Final = {
    "bot_off": "for a bot that is disabled or has no valid token (muster bots)",
    "flood": "as long as Telegram has told their bot to",
    "later": "for their send window or another attempt",
}


def groups(count: int) -> str:
    """`1 group`, `1,240 groups`."""
    return f"{count:,} group" if count == 1 else f"{count:,} groups"


def span(seconds: float) -> str:
    """`45 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`."""
    whole = max(0, round(seconds))
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count or unit == parts[0][1])


def when(text: str | None) -> str:
    """The API's time by this machine's clock; nothing for none."""
    if text is None:
        return ""
    return shown(datetime.fromisoformat(text))


def brief(text: str | None) -> str:
    """As `when`, short enough for a table."""
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}" if text else ""


def given(text: str) -> str:
    """By the clock that the API wrote it by, with its offset: a schedule's own."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M %z}"


def shown(moment: datetime) -> str:
    """With the offset, for whoever reads it may be elsewhere."""
    local = moment.astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S} {local:%z}"


def messages(count: int) -> str:
    """`1 message`, `1,240 messages`."""
    return f"{count:,} message" if count == 1 else f"{count:,} messages"


def deliveries(count: int) -> str:
    """`1 delivery`, `1,240 deliveries`."""
    return f"{count:,} delivery" if count == 1 else f"{count:,} deliveries"


def targets(document: Mapping[str, Any]) -> str:
    """Whom a broadcast or a schedule is for, in the words of `muster send`; an older API may not say."""
    names = {"group_ids": "group", "tags": "tag", "exclude_group_ids": "exclude-group", "exclude_tags": "exclude-tag"}
    chosen: Mapping[str, Any] = document.get("targets") or {}
    several = [f"{shown} {_some(chosen[name])}" for name, shown in names.items() if chosen.get(name)]
    return "; ".join(["all", *several] if chosen.get("all") else several)


def _some(values: Sequence[object]) -> str:
    more = f" and {len(values) - _SHOWN:,} more" if len(values) > _SHOWN else ""
    return ", ".join(map(str, values[:_SHOWN])) + more


def content(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What its groups get: the call, the files, the words and the buttons."""
    params = document["message"].get("params", {})
    items = params.get("media") or [{"type": kind, "media": params[kind]} for kind in _FILES if kind in params]
    captions = [item["caption"] for item in items if item.get("caption")]
    rows = params.get("reply_markup", {}).get("inline_keyboard", [])
    return [
        ("call", document["message"].get("method", "")),
        ("copy of", f"{params['from_chat_id']}:{params['message_id']}" if "from_chat_id" in params else ""),
        ("files", "\n".join(f"{item['type']} {item['media']}" for item in items)),
        ("message", params.get("text") or params.get("caption") or "\n".join(captions)),
        ("buttons", "\n".join("  ".join(map(_button, row)) for row in rows)),
    ]


def _button(button: Mapping[str, Any]) -> str:
    return f"{button['text']}={button.get('url') or button.get('callback_data')}"


def held(document: Mapping[str, Any]) -> str:
    """Whom a broadcast keeps waiting for more than their turn, and for what; nothing for nobody."""
    counts: Mapping[str, int] = document.get("held_by_reason") or {}
    each = [f"{count:,} {_HELD.get(reason, f'({reason})')}" for reason, count in counts.items()]
    return f"waiting: {', '.join(each)}" if each else ""
