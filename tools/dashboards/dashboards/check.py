"""`python -m dashboards.check URL`: asks a Prometheus every question of every panel, and says which get no answer.

An answer is at least one finite number in the window, for each query of the panel. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dashboards import ALL

_TIMEOUT: Final = 30  # seconds for one query
_POINTS: Final = 60


@dataclass(frozen=True)
class Window:
    """What to look at: the last so many seconds, and what stands for Grafana's `$__rate_interval`."""

    seconds: float = 900
    rate_interval: str = "5m"


@dataclass(frozen=True)
class Silence:
    """A query without an answer, and why: `no data`, `not finite`, or Prometheus's own words."""

    dashboard: str
    panel: str
    expr: str
    why: str


class PrometheusError(Exception):
    """It can't be reached."""


def check(url: str, window: Window = Window(), *, without: Sequence[str] = ()) -> list[Silence]:
    """Every query that got no answer; queries of metrics whose names begin with one of `without` are left out."""
    return [
        Silence(dashboard, panel, expr, why)
        for dashboard, panel, expr in questions(without)
        if (why := silence(url, expr, window)) is not None
    ]


def questions(without: Sequence[str] = ()) -> Iterator[tuple[str, str, str]]:
    """(dashboard, panel, PromQL)."""
    for dashboard in ALL:
        for panel in dashboard.panels():
            for query in panel.queries:
                if not any(prefix in query.expr for prefix in without):
                    yield dashboard.title, panel.title, query.expr


def silence(url: str, expr: str, window: Window) -> str | None:
    """None where it was answered."""
    now = time.time()
    answer = _ask(
        url,
        {
            "query": expr.replace("$__rate_interval", window.rate_interval),
            "start": f"{now - window.seconds:.3f}",
            "end": f"{now:.3f}",
            "step": f"{max(1.0, window.seconds / _POINTS):.3f}",
        },
    )
    if answer.get("status") != "success":
        return str(answer.get("error", "no answer"))
    values = [float(value) for series in answer["data"]["result"] for _, value in series["values"]]
    if not values:
        return "no data"
    return None if any(map(math.isfinite, values)) else "not finite"


def _ask(url: str, parameters: dict[str, str]) -> dict[str, Any]:
    address = f"{url.rstrip('/')}/api/v1/query_range"
    if not address.startswith(("http://", "https://")):
        raise PrometheusError(f"{url} is no http address")
    request = urllib.request.Request(address, urllib.parse.urlencode(parameters).encode())  # noqa: S310 (checked)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT) as response:
            found: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        try:
            found = json.load(error)  # Prometheus says in its body what it can't parse
        except ValueError:
            raise PrometheusError(f"{url} answers {error.code}") from None
    except (OSError, ValueError) as error:
        raise PrometheusError(f"no Prometheus at {url}: {error}") from None
    return found


def main() -> int:
    """As a script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="of a Prometheus, for instance http://127.0.0.1:9090")
    parser.add_argument("--seconds", type=float, default=900, help="how far to look back (900)")
    parser.add_argument("--rate-interval", default="5m", help="in place of $__rate_interval (5m)")
    parser.add_argument("--without", nargs="*", default=[], metavar="PREFIX", help="metrics that are not there: keda_")
    arguments = parser.parse_args()
    try:
        found = check(
            arguments.url, Window(arguments.seconds, arguments.rate_interval), without=tuple(arguments.without)
        )
    except PrometheusError as error:
        print(error, file=sys.stderr)
        return 2
    for each in found:
        print(f"{each.dashboard} · {each.panel}: {each.why}\n    {each.expr}")
    asked = len(list(questions(arguments.without)))
    print(f"{asked - len(found)} of {asked} queries answered")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
