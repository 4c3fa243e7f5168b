"""The catalogue's own rules."""

from __future__ import annotations

from common.telemetry import metrics
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

INSTRUMENTS = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]


def test_every_name_is_ours_and_has_its_unit() -> None:
    for each in INSTRUMENTS:
        assert each._name.startswith("muster_"), each._name
        assert not each._name.endswith("_total"), f"{each._name}: the library adds it"
        assert isinstance(each, Counter | Gauge | Histogram)
        if isinstance(each, Histogram):
            assert each._name.endswith("_seconds"), each._name
        assert each._documentation.endswith(".")


def test_nothing_that_grows_without_bound_is_a_label() -> None:
    forbidden = {"bot_id", "chat_id", "user_id", "update_id", "job_id", "url", "reason", "text", "trace_id"}
    assert not {label for each in INSTRUMENTS for label in each._labelnames} & forbidden
