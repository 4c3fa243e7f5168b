"""docs/observability.md lists every metric with its labels and what it means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from common.telemetry import metrics
from dashboards import ALL
from prometheus_client.metrics import MetricWrapperBase

from .promql import catalogue

PAGE = Path(__file__).parents[3] / "docs" / "observability.md"
RULES = PAGE.parents[1] / "charts" / "muster" / "rules"
HEAD = "## Catalogue\n\n"


def rows() -> Iterator[str]:
    yield "| metric | kind | labels | |"
    yield "|---|---|---|---|"
    for each in vars(metrics).values():
        if isinstance(each, MetricWrapperBase):
            name = f"{each._name}_total" if each._type == "counter" else each._name
            yield row(name, each._type, each._labelnames, each._documentation)
    for fact in metrics.FLEET.facts:
        yield row(fact.name, "leader's gauge", fact.labels, fact.documentation)


def row(name: str, kind: str, labels: tuple[str, ...], documentation: str) -> str:
    return f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {documentation} |"


def test_the_catalogue_in_the_docs_is_fresh() -> None:
    wanted = "\n".join(rows()) + "\n"
    assert PAGE.read_text("utf-8").partition(HEAD)[2] == wanted, f"it should end with:\n{wanted}"


def test_every_metric_is_looked_at() -> None:
    asked = " ".join(query.expr for dashboard in ALL for panel in dashboard.panels() for query in panel.queries)
    asked += "".join(file.read_text("utf-8") for file in RULES.glob("*.yaml"))
    bare = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in catalogue()}
    assert {name for name in bare if name not in asked} == set(), "a panel or an alert, or it need not be counted"
