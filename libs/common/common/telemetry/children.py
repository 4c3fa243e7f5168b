"""An instrument's child for some labels, remembered: the library's own look-up takes a lock and makes strings."""

from __future__ import annotations

from functools import cache
from typing import TypeVar

from prometheus_client.metrics import MetricWrapperBase

InstrumentT = TypeVar("InstrumentT", bound=MetricWrapperBase)


@cache
def _child(instrument: MetricWrapperBase, labels: tuple[str, ...]) -> MetricWrapperBase:
    return instrument.labels(*labels)


def child(instrument: InstrumentT, *labels: str) -> InstrumentT:
    """For what happens to each job; kept as long as the instrument keeps it, which is for ever."""
    return _child(instrument, labels)  # type: ignore[return-value]  # `cache` knows no type variables
