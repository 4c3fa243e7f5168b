"""Takes secrets out of text that leaves the process: the last belt, after every place that should not have put them
in.
"""

from __future__ import annotations

import re
from types import TracebackType

from common.errors import MusterError

# A bot token (BotFather's format), a webhook secret of ours, credentials inside a URL.
_SECRET = re.compile(
    r"\d{6,}(?::|%3A)[A-Za-z0-9_-]{30,}|\d{6,}_\w{1,16}_[A-Za-z0-9_-]{43}|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The same text with every secret replaced by `***`."""
    return _SECRET.sub("***", text)


def describe(error: BaseException) -> str:
    """The error's type, and its text only where the text is ours.

    A foreign exception's text may quote its input: asyncpg names the row, pydantic the field, aiohttp the URL with
    the token.
    """
    name = type(error).__name__
    return redact(f"{name}: {error}") if isinstance(error, MusterError) else name


def frames(traceback: TracebackType | None) -> list[str]:
    """Where it happened, innermost last, without any value."""
    found = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        found.append(f"{code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return found
