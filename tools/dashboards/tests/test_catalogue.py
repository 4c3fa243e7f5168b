"""docs/observability.md lists every metric with its labels and what it means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from common.telemetry import metrics
from prometheus_client.metrics import MetricWrapperBase

PAGE = Path(__file__).parents[3] / "docs" / "observability.md"
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
