"""What leaves the process is the library's own encoding of spans without secrets and exception texts."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from common.telemetry.exporter import SafeExporter, safe
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"


def finished(name: str = "send dm_queue", **attributes: Any) -> ReadableSpan:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    provider.get_tracer("muster").start_span(name, attributes=attributes).end()
    return kept.get_finished_spans()[0]


def failed(error: Exception) -> ReadableSpan:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    span = provider.get_tracer("muster").start_span("handle")
    span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, str(error)))
    span.end()
    return kept.get_finished_spans()[0]


def test_a_clean_span_is_passed_on_as_it_is() -> None:
    span = finished(queue="dm_queue", attempt=1)
    assert safe(span) is span


def test_secrets_are_taken_out_of_names_and_attributes() -> None:
    span = safe(finished(f"POST /bot{TOKEN}", **{"url.full": f"https://api.telegram.org/bot{TOKEN}/getMe"}))
    assert span.name == "POST /bot***"
    assert span.attributes == {"url.full": "https://api.telegram.org/bot***/getMe"}


def test_secrets_are_found_wherever_an_attribute_may_hold_them() -> None:
    nested = {"one": [TOKEN], "two": {"three": ({"four": TOKEN},)}}
    span = finished(list=[TOKEN], map=nested, bytes=TOKEN.encode(), event=f"called {TOKEN}")
    assert TOKEN not in repr(safe(span).attributes)
    assert safe(span).attributes == {
        "list": ("***",),
        "map": {"one": ("***",), "two": {"three": ({"four": "***"},)}},
        "bytes": b"***",
        "event": "called ***",
    }


def test_an_exception_keeps_its_type_and_loses_its_words() -> None:
    span = safe(failed(ValueError("Ada's words")))
    assert "Ada's words" not in span.to_json()
    assert span.events[0].attributes is not None
    assert span.events[0].attributes["exception.type"] == "ValueError"
    assert span.status.status_code is StatusCode.ERROR


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
def test_they_arrive_and_a_lone_surrogate_costs_a_character_and_not_the_batch(
    monkeypatch: pytest.MonkeyPatch, status: int, result: SpanExportResult
) -> None:
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.bodies, server.status = [], status  # type: ignore[attr-defined]
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        exporter = SafeExporter()
        assert exporter.export([finished(odd="a\ud800b"), finished("process dm_queue")]) is result
        exporter.shutdown()  # type: ignore[no-untyped-call]
        (body,) = server.bodies  # type: ignore[attr-defined]
    (received,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert [span.name for scope in received.scope_spans for span in scope.spans] == [
        "send dm_queue",
        "process dm_queue",
    ]
    assert b"a?b" in body
