"""A receiver of traces over OTLP/HTTP that counts: `python -m bench.collector PORT`; GET /spans says what came."""

from __future__ import annotations

import sys
from collections import Counter

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """Takes what a real one takes, as fast as it can be parsed."""

    def __init__(self) -> None:
        self.spans: Counter[str] = Counter()

    async def take(self, request: web.Request) -> web.Response:
        """POST /v1/traces."""
        export = ExportTraceServiceRequest.FromString(await request.read())
        for resource in export.resource_spans:
            names = [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
            self.spans[names[0] if names else "?"] += sum(len(scope.spans) for scope in resource.scope_spans)
        return web.Response(content_type="application/x-protobuf")

    async def show(self, _: web.Request) -> web.Response:
        """Spans by service since the start."""
        return web.json_response(self.spans)


def main(port: int) -> None:
    """Until a signal."""
    collector = Collector()
    app = web.Application(client_max_size=2**26)
    app.add_routes([web.post("/v1/traces", collector.take), web.get("/spans", collector.show)])
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
