"""Tracing in a process of its own, as services start it: what it exports, and that it never stands in the way."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import textwrap
import time
from typing import Any

import pytest
from common.testing.amqp_peer import AmqpPeer
from common.testing.builders import FAKE_TOKEN
from common.testing.otlp import OtlpCollector
from common.testing.polling import eventually

SECRET = FAKE_TOKEN.partition(":")[2]


async def run(script: str, **environment: str) -> dict[str, Any]:
    """What the script prints as JSON; an exit code other than 0 fails."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-c",
        textwrap.dedent(script),
        env=clean | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    answer: dict[str, Any] = json.loads(out)
    return answer | {"stderr": err.decode()}


EXPORTING = f"""
    import asyncio, json
    from opentelemetry import trace
    from common.telemetry.setup import start_tracing
    telemetry = start_tracing("dm")
    tracer = trace.get_tracer("test")
    with tracer.start_as_current_span("GET /bot{FAKE_TOKEN}/getMe") as span:
        span.set_attribute("http.url", "https://api.telegram.org/bot{FAKE_TOKEN}/getMe")
        span.set_attribute("http.request.header.x", ["{FAKE_TOKEN}"])
        span.record_exception(ValueError("canary {FAKE_TOKEN}"))
        span.set_status(trace.StatusCode.ERROR, "canary {FAKE_TOKEN}")
        with tracer.start_as_current_span("inner"):
            pass
    asyncio.run(telemetry.flush(5))
    print(json.dumps({{"on": telemetry.on, "trace": f"{{span.get_span_context().trace_id:032x}}"}}))
"""


async def test_c1_what_leaves_the_process_has_no_token_and_no_exceptions_text(otlp: OtlpCollector) -> None:
    """C1: the token is in every span of aiohttp's instrumentation, and in the events of its exceptions."""
    told = await run(EXPORTING, **otlp.environment)
    await eventually(lambda: len(otlp.of_trace(told["trace"])) == 2)
    outer, inner = otlp.of_trace(told["trace"])
    assert (outer.service, outer.name) == ("dm", "GET /bot***/getMe")
    assert (inner.name, inner.parent_id) == ("inner", outer.span_id)
    exported = b"".join(otlp.raw)
    assert SECRET.encode() not in exported
    assert b"canary" not in exported
    assert b"ValueError" in exported


async def test_without_an_endpoint_nothing_is_traced() -> None:
    told = await run(EXPORTING)
    assert told["on"] is False


async def test_the_standard_switch_turns_it_off(otlp: OtlpCollector) -> None:
    told = await run(EXPORTING, **otlp.environment, OTEL_SDK_DISABLED="true")
    assert told["on"] is False
    assert otlp.spans == []


MEASURING = """
    import asyncio, json, time
    from opentelemetry import trace
    from common.telemetry.setup import start_tracing
    telemetry = start_tracing("dm")
    tracer = trace.get_tracer("test")
    slowest = 0.0
    for number in range(5000):
        began = time.perf_counter()
        with tracer.start_as_current_span("work"):
            pass
        slowest = max(slowest, time.perf_counter() - began)
    began = time.perf_counter()
    asyncio.run(telemetry.flush(0.3))
    print(json.dumps({"slowest": slowest, "flush": time.perf_counter() - began, "ended": time.time()}))
"""


@pytest.mark.parametrize("collector", ["down", "hanging"])
async def test_c3_a_dead_collector_blocks_neither_work_nor_the_end(collector: str) -> None:
    """C3: force_flush(2000) took 7.5-14.5 s; a SimpleSpanProcessor would block every span."""
    async with AmqpPeer() as peer:  # takes connections and knows nothing of HTTP
        port = peer.url.rpartition(":")[2].strip("/") if collector == "hanging" else "1"
        told = await run(MEASURING, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")
        gone = time.time()
    assert told["slowest"] < 0.25  # a loaded machine's hiccup; a blocked export would be seconds
    assert told["flush"] < 0.8
    assert gone - told["ended"] < 2.0
