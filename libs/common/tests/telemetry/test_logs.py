"""One JSON object a line, with the trace's id and without a word of users or secrets."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
from common.errors import StoreUnavailable
from common.telemetry.logs import JsonFormatter, setup_logging
from common.testing.builders import FAKE_TOKEN
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

SECRET = FAKE_TOKEN.partition(":")[2]


@pytest.fixture
def lines() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(lines: io.StringIO) -> logging.Logger:
    """Nobody else's handlers hear it."""
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonFormatter("dm"))
    logger = logging.Logger("muster.test", logging.DEBUG)  # noqa: LOG001 (outside the tree on purpose)
    logger.addHandler(handler)
    return logger


def only(lines: io.StringIO) -> dict[str, Any]:
    [line] = lines.getvalue().removesuffix("\n").split("\n")
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_extra_becomes_fields(lines: io.StringIO, log: logging.Logger) -> None:
    log.info("job not done", extra={"queue": "dm_queue", "attempt": 2})
    told = only(lines)
    assert told.pop("time").endswith("+00:00")
    assert told == {
        "level": "info",
        "service": "dm",
        "logger": "muster.test",
        "message": "job not done",
        "queue": "dm_queue",
        "attempt": 2,
    }


def test_a_line_inside_a_span_has_its_ids(lines: io.StringIO, log: logging.Logger, spans: InMemorySpanExporter) -> None:
    with trace.get_tracer("test").start_as_current_span("work") as span:
        log.info("here")
    told = only(lines)
    assert told["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert told["span_id"] == f"{span.get_span_context().span_id:016x}"


def test_c2_an_exception_is_told_by_type_and_place_never_by_its_text(lines: io.StringIO, log: logging.Logger) -> None:
    """C2: aiohttp's texts quote the URL with the token, asyncpg's the row, pydantic's the field."""
    try:
        int(f"canary https://api.telegram.org/bot{FAKE_TOKEN}/getMe")
    except ValueError:
        log.exception("failed")
    told = only(lines)
    assert told["error"] == "ValueError"
    assert told["frames"][-1].startswith("test_logs.py:")
    assert "canary" not in lines.getvalue()
    assert SECRET not in lines.getvalue()


def test_secrets_are_taken_out_of_any_field(lines: io.StringIO, log: logging.Logger) -> None:
    log.warning("with %s", FAKE_TOKEN, extra={"url": f"/bot{FAKE_TOKEN}/x", "list": [FAKE_TOKEN]})
    assert SECRET not in lines.getvalue()
    assert only(lines)["url"] == "/bot***/x"


class Hostile:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError(FAKE_TOKEN)

    __repr__ = __str__


@pytest.mark.parametrize(
    ("message", "arguments", "extra"),
    [
        ("%d of %s", ("not a number", FAKE_TOKEN), {}),
        ("one %s", (), {}),
        ("none", (FAKE_TOKEN,), {}),
        ("%s", (Hostile(),), {}),
        ("field", (), {"odd": Hostile()}),
        ("key", (), {"odd": {(1, 2): "tuple as a key"}}),
        ("surrogate \ud800", (), {}),
        ("bytes", (), {"odd": b"\xff"}),
    ],
)
def test_odd_arguments_break_nothing_and_leak_nothing(
    lines: io.StringIO,
    log: logging.Logger,
    capsys: pytest.CaptureFixture[str],
    message: str,
    arguments: tuple[Any, ...],
    extra: dict[str, Any],
) -> None:
    """logging itself prints message and arguments of a line that it can't format, to stderr, as they are."""
    log.info(message, *arguments, extra=extra)
    assert only(lines)["level"] == "info"
    assert capsys.readouterr().err == ""
    assert SECRET not in lines.getvalue()


def test_line_breaks_make_no_second_line(lines: io.StringIO, log: logging.Logger) -> None:
    log.info("one\ntwo\r\n{}", extra={"text": "\u2028three"})
    assert only(lines)["message"] == "one\ntwo\r\n{}"


def test_setup_takes_every_librarys_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    root, out = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    monkeypatch.setattr("sys.stderr", out)
    try:
        setup_logging("dm", "INFO")
        logging.getLogger("some.library").info("hello")
        logging.getLogger("aiormq").info("not this one")
        logging.getLogger("aiormq").warning("connection lost", exc_info=StoreUnavailable("away"))
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        for noisy in ("aiormq", "aio_pika", "aiogram", "urllib3", "opentelemetry", "asyncio", "uvicorn"):
            logging.getLogger(noisy).setLevel(logging.NOTSET)
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [each["message"] for each in told] == ["hello", "connection lost"]
    assert told[1]["error"] == "StoreUnavailable: away"
