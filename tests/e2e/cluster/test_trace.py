"""The trace of one webhook, read back from Jaeger's API with its edges."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from .. import edges  # noqa: TID252 (the tests are no package that has a name)
from .fleet import Fleet, patiently
from .marks import marks
from .record import record
from .site import Site

pytestmark = marks(300)


@dataclass(frozen=True)
class Span:
    """As much of Jaeger's as an edge has."""

    span_id: str
    parent_id: str
    service: str
    name: str
    pod: str
    microseconds: int


def spans_of(trace: dict[str, Any]) -> list[Span]:
    """Of one trace in Jaeger's JSON."""
    found = []
    for span in trace["spans"]:
        process = trace["processes"][span["processID"]]
        tags = {tag["key"]: tag["value"] for tag in process["tags"]}
        # A consumer's span has its cause as parent and as link, and Jaeger's JSON shows the latter alone.
        parents = [each["spanID"] for each in span["references"] if each["traceID"] == span["traceID"]]
        parent = parents[0] if parents else ""
        pod = str(tags.get("k8s.pod.name", ""))
        found.append(Span(span["spanID"], parent, process["serviceName"], span["operationName"], pod, span["duration"]))
    return found


async def test_a_webhooks_trace_runs_to_the_reply(site: Site, fleet: Fleet) -> None:
    bot = await fleet.hire()
    ada = (await fleet.telegram.add_user("Ada"))["id"]
    update = await fleet.telegram.write(bot.bot_id, ada, "/start")
    query = {
        "service": "dm",
        "limit": 5,
        "lookback": "1h",
        "tags": json.dumps({"muster.job_id": f"tg:{bot.bot_id}:{update}"}),
    }

    async def whole() -> list[Span]:
        async with fleet.http.get(f"{site.url('jaeger')}/api/traces?{urlencode(query)}") as response:
            traces = (await response.json())["data"] or []
        spans = spans_of(traces[0]) if traces else []
        return spans if spans and not edges.missing(spans, edges.ANSWERED) else []  # type: ignore[arg-type]  # as much of it

    spans = await patiently(whole, within=60, what="the trace with its edges is in Jaeger")
    by_id = {span.span_id: span for span in spans}
    told = {span.span_id: f"{span.service} {span.name}" for span in spans}
    figures = [f"{told.get(span.parent_id, '')} -> {told[span.span_id]}" for span in spans]
    record("trace", {"spans": len(spans), "services": sorted({s.service for s in spans}), "edges": figures})
    assert {span.service for span in spans} == {"ingress", "dm"}
    assert all(span.pod.startswith(f"muster-{span.service}-") for span in spans), "each names its pod"
    assert [span.name for span in spans if span.parent_id not in by_id] == [edges.WEBHOOK]
