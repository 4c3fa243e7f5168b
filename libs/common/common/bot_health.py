"""What getMe and getWebhookInfo say of a bot, as a verdict: pure, and without anybody else's address in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

# Explicit: Telegram leaves out chat_member and reactions by default, and keeps the last list where none is given (W11).
ALLOWED_UPDATES: Final = (
    "message",
    "edited_message",
    "callback_query",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "message_reaction",
    "message_reaction_count",
    "poll_answer",
)
_BACKLOG = 10_000  # waiting updates: Telegram refuses new ones from 100,000 on (W7)
_RECENT = timedelta(minutes=10)  # an older failure is over: Telegram retries every minute or two (W5)
_MAX_ERROR = 200  # characters of Telegram's own words
_LAST = 2**37  # seconds: a date that a datetime can hold, and more updates than can wait


@dataclass(frozen=True, slots=True)
class Health:
    """`webhook` is ours, foreign, none or unknown; `problems` are words that never change, none where all is well."""

    webhook: str
    problems: list[str]
    pending_updates: int = 0
    last_error: str | None = None
    last_error_at: str | None = None
    missing_updates: list[str] | None = None
    sees_all_messages: bool | None = None

    def facts(self) -> dict[str, Any]:
        """For the row."""
        return asdict(self)


REVOKED: Final = Health("unknown", ["token_revoked"])


def judge(me: Mapping[str, Any], info: Mapping[str, Any], *, expected_url: str | None, now: datetime) -> Health:
    """Of another's webhook only that it is another's: its address may hold a secret, and its errors are theirs.

    Without `expected_url` the webhook is none of ours to judge: a bot may be without one, or be another program's, too.
    """
    seen = me.get("can_read_all_group_messages")
    sees_all = seen if isinstance(seen, bool) else None
    url, pending = _text(info.get("url")), _number(info.get("pending_update_count"))
    if not url:
        missed = ["webhook_missing"] if expected_url else []
        return Health("none", missed, pending, sees_all_messages=sees_all)
    if expected_url is None:
        return Health("unknown", [], pending, sees_all_messages=sees_all)
    if url != expected_url:
        return Health("foreign", ["webhook_foreign"], pending, sees_all_messages=sees_all)
    failed_at, failure = _number(info.get("last_error_date")), _text(info.get("last_error_message"))
    missing = sorted(set(ALLOWED_UPDATES) - set(_words(info.get("allowed_updates"))))
    signs = {
        "updates_missing": bool(missing),
        "delivery_failing": now.timestamp() - failed_at < _RECENT.total_seconds(),
        "backlog": pending >= _BACKLOG,
    }
    return Health(
        "ours",
        [name for name, here in signs.items() if here],
        pending,
        failure[:_MAX_ERROR] or None,
        datetime.fromtimestamp(failed_at, now.tzinfo).isoformat() if failed_at else None,
        missing,
        sees_all,
    )


def _text(value: object) -> str:
    return value.replace("\0", "") if isinstance(value, str) else ""


def _number(value: object) -> int:
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LAST
    return value if usable and isinstance(value, int) else 0


def _words(value: object) -> list[str]:
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
