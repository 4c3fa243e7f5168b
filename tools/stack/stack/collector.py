"""A small OTLP/HTTP receiver that keeps the newest traces in memory."""

from __future__ import annotations

import gzip
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

from google.protobuf.message import DecodeError

from stack.ports import LOOPBACK
from stack.spans import Span, decode

MOST_TRACES: Final = 2_000
TRACES: Final = "/v1/traces"

Filter = Callable[[Sequence[Span]], bool]


class TraceBook:
    """The newest traces, each with what has arrived of it so far."""

    def __init__(self, most: int = MOST_TRACES) -> None:
        self._most = most
        self._traces: OrderedDict[str, list[Span]] = OrderedDict()
        self._touched: dict[str, float] = {}
        self._news = threading.Condition()

    def add(self, spans: Iterable[Span]) -> None:
        """Sort new spans to their traces; the trace that was quiet for longest makes room."""
        with self._news:
            for span in spans:
                self._traces.setdefault(span.trace_id, []).append(span)
                self._traces.move_to_end(span.trace_id)
                self._touched[span.trace_id] = time.monotonic()
            while len(self._traces) > self._most:
                oldest, _ = self._traces.popitem(last=False)
                del self._touched[oldest]
            self._news.notify_all()

    def wait(self, wanted: Filter, *, timeout: float, quiet: float = 0.0) -> list[Span] | None:
        """The first trace that fits and to which nothing was added for `quiet` seconds; None when time is up."""
        return next(iter(self.wait_all(wanted, timeout=timeout, quiet=quiet)), None)

    def wait_all(self, wanted: Filter, *, timeout: float, quiet: float = 0.0) -> list[list[Span]]:
        """Those that fit by then, the one touched last at the end; none when time is up."""
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                now = time.monotonic()
                still = (spans for name, spans in self._traces.items() if now - self._touched[name] >= quiet)
                found = [list(spans) for spans in still if wanted(spans)]
                if found or now >= deadline:
                    return found
                self._news.wait(min(deadline - now, quiet / 2 or deadline - now))


class Collector:
    """The receiver, in a thread of its own."""

    def __init__(self, port: int, book: TraceBook) -> None:
        self.book = book
        self._server = ThreadingHTTPServer((LOOPBACK, port), _handler(book))
        self._thread = threading.Thread(target=self._server.serve_forever, name="collector", daemon=True)

    @property
    def endpoint(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT has to say."""
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(book: TraceBook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # exporters keep their connection

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if self.path == TRACES:  # metrics and logs are taken and let go
                    book.add(decode(body))
            except (DecodeError, OSError, EOFError):
                self._answer(400)
                return
            self._answer(200)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Silent: the terminal belongs to others."""

    return Handler
