"""The shapes that nearly every query has."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.model import Query


def rate(counter: str, by: str = "", match: str = "") -> str:
    """A second, summed over processes."""
    return f"sum{_by(by)}(rate({counter}{_match(match)}[$__rate_interval]))"


def quantile(level: float, histogram: str, by: str = "", match: str = "") -> str:
    """Of a histogram without its suffix."""
    labels = ", ".join(filter(None, ("le", by)))
    buckets = f"sum by ({labels})(rate({histogram}_bucket{_match(match)}[$__rate_interval]))"
    return f"histogram_quantile({level:g}, {buckets})"


def quantiles(histogram: str, match: str = "", levels: Sequence[float] = (0.5, 0.95, 0.99)) -> list[Query]:
    """One line each, named p50, p95 …"""
    return [Query(quantile(level, histogram, match=match), f"p{level * 100:g}") for level in levels]


def or_zero(expr: str) -> str:
    """For what is only there once it has happened."""
    return f"{expr} or vector(0)"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""


def _match(match: str) -> str:
    return f"{{{match}}}" if match else ""
