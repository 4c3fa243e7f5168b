"""Facts about the whole fleet, read from the database by the one process that leads: all of one moment, or none."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Values: TypeAlias = Mapping[tuple[str, ...], float]
FRESH: Final = 60.0  # seconds after the next look is due: the same for ever would hide that nobody looks any more


@dataclass(frozen=True, slots=True)
class Fact:
    """A gauge of a snapshot: as any other instrument, a name with its unit, a sentence, and bounded labels."""

    name: str
    documentation: str
    labels: tuple[str, ...] = ()


class Snapshot(Collector):
    """A plain gauge would keep its last value in a process that leads no longer, and tell 0 in one that never did."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.facts = tuple(facts)
        self._told: Mapping[Fact, Values] = {}
        self._until = 0.0

    def tell(self, told: Mapping[Fact, Values], *, pause: float = 0.0) -> None:
        """In place of what was told before; `pause`: seconds until somebody looks again."""
        self._told, self._until = told, time.monotonic() + pause + FRESH

    def forget(self) -> None:
        """Somebody else tells from here on."""
        self._told = {}

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Every fact without values: what the registry asks for when it takes this in."""
        return (_family(fact, {}) for fact in self.facts)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What was told, while it is fresh."""
        told = self._told if time.monotonic() < self._until else {}
        return (_family(fact, told[fact]) for fact in self.facts if fact in told)


def _family(fact: Fact, values: Values) -> GaugeMetricFamily:
    family = GaugeMetricFamily(fact.name, fact.documentation, labels=fact.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
