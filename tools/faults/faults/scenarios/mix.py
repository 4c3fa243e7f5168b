"""All of it at random: the seed decides what, when and for how long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from faults.round import Round
from faults.scenarios.outages import freeze


async def nemesis(this: Round) -> None:
    """One disturbance after the other, with a breath between."""
    ways = _ways(this)
    for _ in range(this.trials):
        await this.breathe(0.5, 3.0)
        await this.rng.choice(ways)()


def _ways(this: Round) -> list[Callable[[], Awaitable[object]]]:
    short = this.rng.uniform(1.0, 4.0)
    return [
        lambda: this.crash("ingress-1", may_double=0),
        lambda: this.crash("dm-1"),
        lambda: this.crash("tgms-1", may_double=0),
        lambda: this.crash("sender-1", may_double=0),
        lambda: this.crash_server("rabbitmq"),
        lambda: this.crash_server("postgres"),
        lambda: this.take_away("rabbitmq", short),
        lambda: this.take_away("postgres", short),
        lambda: freeze(this, this.rng.uniform(1.0, 8.0)),
    ]
