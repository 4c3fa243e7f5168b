"""The results of a webhook bench: what each contender did in each round, and how they compare."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.contenders import BARE, MUSTER, TITLES
from bench.load import Shot

FIGURES = ("per_second", "p50_ms", "p99_ms", "cpu_us")


@dataclass(frozen=True)
class Result:
    """One contender's shot at one concurrency."""

    shot: Shot
    cpu: float  # seconds
    queued: int
    diverted: int = 0  # into the outbox

    @property
    def kept(self) -> int:
        """Messages that are safe, wherever."""
        return self.queued + self.diverted

    @property
    def per_second(self) -> float:
        """Good answers."""
        return self.shot.good / self.shot.seconds

    @property
    def p50_ms(self) -> float:
        """The median request."""
        return 1000 * self.shot.p50

    @property
    def p99_ms(self) -> float:
        """One of a hundred is slower."""
        return 1000 * self.shot.p99

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU a request."""
        return 1e6 * self.cpu / max(1, self.shot.answered)

    @property
    def lost(self) -> int:
        """Good answers whose message is nowhere."""
        return max(0, self.shot.good - self.kept)

    def again(self, connections: int) -> int:
        """Kept a second time, for a confirm was late: beyond those whose requests were cut off unanswered."""
        return max(0, self.kept - min(self.shot.written, self.shot.good + connections))


@dataclass
class Match:
    """All results so far, by contender and concurrency, one a round."""

    results: dict[tuple[str, int], list[Result]] = field(default_factory=dict)

    def add(self, name: str, connections: int, result: Result) -> None:
        """Of the running round."""
        self.results.setdefault((name, connections), []).append(result)

    def values(self, name: str, connections: int, figure: str) -> list[float]:
        """Of one of FIGURES, one a round."""
        return [getattr(result, figure) for result in self.results[name, connections]]

    def median(self, name: str, connections: int, figure: str) -> float:
        """Over the rounds."""
        return statistics.median(self.values(name, connections, figure))

    def ratio(self, peer: str, connections: int, figure: str = "per_second") -> float | None:
        """Muster's figure by the peer's: the median of the rounds' own ratios; None where one of them is not here."""
        if not {(MUSTER, connections), (peer, connections)} <= self.results.keys():
            return None
        pairs = zip(self.values(MUSTER, connections, figure), self.values(peer, connections, figure), strict=True)
        return round(statistics.median(ours / theirs for ours, theirs in pairs), 2)

    def again(self, name: str) -> int:
        """Messages that one contender kept twice."""
        return sum(r.again(c) for (who, c), results in self.results.items() for r in results if who == name)

    def wrong(self) -> Iterable[str]:
        """Where a message is missing, or an answer was none or no 2xx."""
        for (name, connections), results in self.results.items():
            for result in results:
                shot = result.shot
                lost = name != BARE and result.lost > 0
                if lost or shot.refused or shot.broken or not shot.good:
                    yield (
                        f"{TITLES[name]} at {connections}: {shot.good} good answers, {result.kept} kept, "
                        f"{shot.refused} refused, {shot.broken} broken"
                    )
