"""Our bytes are what the library's own encoder would have written, without what must not leave the process."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from common.telemetry.otlp import SafeExporter, encode
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
PLAIN = st.text("abcdefgß→🙂 ", max_size=200)  # nothing that looks like a secret
VALUES = st.one_of(
    PLAIN, st.booleans(), INT64, st.floats(allow_nan=False), st.lists(PLAIN, max_size=3), st.lists(INT64)
)
IDS = st.integers(min_value=1, max_value=2**64 - 1)


def finished(
    *,
    name: str = "send dm_queue",
    kind: SpanKind = SpanKind.PRODUCER,
    attributes: Mapping[str, Any] | None = None,
    links: Sequence[Link] = (),
    status: StatusCode = StatusCode.UNSET,
) -> list[ReadableSpan]:
    """A parent and its child."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "ingress"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with (
        provider.get_tracer("muster.ingress", "1").start_as_current_span("parent"),
        provider.get_tracer("muster.bus").start_as_current_span(
            name, kind=kind, attributes=attributes, links=links
        ) as span,
    ):
        span.add_event("noticed", attributes)
        span.set_status(Status(status))
    return list(kept.get_finished_spans())


@given(
    name=PLAIN,
    kind=st.sampled_from(SpanKind),
    attributes=st.dictionaries(PLAIN.filter(bool), VALUES, max_size=6),
    status=st.sampled_from(StatusCode),
    linked=st.lists(st.tuples(IDS, IDS, st.booleans()), max_size=2),
)
def test_spans_are_written_as_the_library_writes_them(
    name: str,
    kind: SpanKind,
    attributes: dict[str, Any],
    status: StatusCode,
    linked: list[tuple[int, int, bool]],
) -> None:
    links = [Link(SpanContext(trace, span, is_remote=remote), attributes) for trace, span, remote in linked]
    spans = finished(name=name, kind=kind, attributes=attributes, links=links, status=status)
    assert ExportTraceServiceRequest.FromString(encode(spans)) == encode_spans(spans)


def test_secrets_and_exception_texts_stay() -> None:
    attributes = {"url.full": f"https://api.telegram.org/bot{TOKEN}/getMe", "exception.message": "Ada's words"}
    written = encode(finished(name=f"POST /bot{TOKEN}", attributes=attributes, links=[]))
    assert TOKEN.encode() not in written
    assert b"Ada's words" not in written
    assert b"/bot***/getMe" in written


def test_a_lone_surrogate_costs_a_character_and_not_the_batch() -> None:
    assert b"a?b" in encode(finished(attributes={"odd": "a\ud800b"}))


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    def do_POST(self) -> None:
        bodies: list[bytes] = self.server.bodies  # type: ignore[attr-defined]
        bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not on stderr."""


@pytest.mark.parametrize(("status", "result"), [(200, SpanExportResult.SUCCESS), (400, SpanExportResult.FAILURE)])
def test_the_exporter_sends_them_and_says_how_it_went(
    monkeypatch: pytest.MonkeyPatch, status: int, result: SpanExportResult
) -> None:
    spans = finished()
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.bodies, server.status = [], status  # type: ignore[attr-defined]
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        exporter = SafeExporter()
        assert exporter.export(spans) is result
        exporter.shutdown()  # type: ignore[no-untyped-call]
        assert server.bodies == [encode(spans)]  # type: ignore[attr-defined]
