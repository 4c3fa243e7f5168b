"""The catalogue's own rules."""

from __future__ import annotations

from common.telemetry import metrics
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

INSTRUMENTS = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
FACTS = metrics.FLEET.facts
NAMES = [each._name for each in INSTRUMENTS] + [fact.name for fact in FACTS]


def test_every_name_is_ours_or_the_conventions_own_and_has_its_unit() -> None:
    for each in INSTRUMENTS:
        assert each._name.startswith(("muster_", "http_server_")), each._name
        assert not each._name.endswith("_total"), f"{each._name}: the library adds it"
        assert isinstance(each, Counter | Gauge | Histogram)
        if isinstance(each, Histogram):
            assert each._name.endswith("_seconds"), each._name
        assert each._documentation.endswith(".")
    for fact in FACTS:
        assert fact.name.startswith("muster_")
        assert not fact.name.endswith("_total")
        assert fact.documentation.endswith(".")


def test_every_name_is_there_once() -> None:
    assert len(NAMES) == len(set(NAMES)) > 40


def test_nothing_that_grows_without_bound_is_a_label() -> None:
    forbidden = {"chat_id", "user_id", "update_id", "job_id", "group_id", "url", "reason", "text", "trace_id"}
    labels = {label for each in INSTRUMENTS for label in each._labelnames} | {x for fact in FACTS for x in fact.labels}
    assert not labels & forbidden
    # One process tells of bots, and only what is theirs: elsewhere each would multiply with every other label.
    assert {fact.labels for fact in FACTS if "bot_id" in fact.labels} == {("bot_id",)}
    assert not any("bot_id" in each._labelnames for each in INSTRUMENTS)
