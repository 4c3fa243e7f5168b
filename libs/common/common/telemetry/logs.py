"""JSON lines with the trace's id. User text and secrets never get in: exceptions are told by type and place."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from opentelemetry import trace

from common.telemetry.redact import describe, frames, redact

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One object a line; what is passed as `extra` becomes fields."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Never raises on odd arguments: a log line must not break the work it tells of."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": _message(record),
            **{key: value for key, value in vars(record).items() if key not in _STANDARD},
            **_trace_ids(),
            **_error(record),
        }
        return redact(json.dumps(fields, default=_text, ensure_ascii=False, skipkeys=True))


def setup_logging(service: str, level: str) -> None:
    """Replaces the root's handlers: libraries' lines go the same way as ours."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("aiormq", "aio_pika", "aiogram", "urllib3", "opentelemetry", "asyncio", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def _message(record: logging.LogRecord) -> str:
    # Where formatting raises, logging prints message and arguments to stderr as they are, secrets and all.
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 (an argument's own __str__ may raise anything)
        return f"{_text(record.msg)} (its arguments don't fit)"


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 (as above)
        return f"<{type(value).__name__}>"


def _trace_ids() -> dict[str, str]:
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def _error(record: logging.LogRecord) -> dict[str, object]:
    if not (record.exc_info and record.exc_info[1]):
        return {}
    return {"error": describe(record.exc_info[1]), "frames": frames(record.exc_info[2])}
