"""Remembered children are the instruments' own."""

from __future__ import annotations

from common.telemetry.children import child
from prometheus_client import CollectorRegistry, Counter


def test_a_child_is_the_one_that_the_library_has() -> None:
    counter = Counter("muster_test", "Counts.", ["queue", "outcome"], registry=CollectorRegistry())
    child(counter, "q", "done").inc()
    child(counter, "q", "done").inc()
    child(counter, "q", "failed").inc()
    assert counter.labels("q", "done")._value.get() == 2
    assert child(counter, "q", "failed") is counter.labels("q", "failed")


def test_instruments_of_the_same_labels_are_not_mixed_up() -> None:
    one, other = (Counter(f"muster_{n}", "Counts.", ["queue"], registry=CollectorRegistry()) for n in ("one", "other"))
    assert child(one, "q") is not child(other, "q")
