"""kill -9 at random, one process or server after the other."""

from __future__ import annotations

from faults.round import Round


async def ingress(this: Round) -> None:
    """A request that was cut off got no 2xx: Telegram brings it again."""
    for _ in range(this.trials):
        await this.breathe(0.2, 1.0)
        await this.crash("ingress-1", may_double=0)


async def dm(this: Round) -> None:
    """A reply may be doubled only where its send was in flight."""
    for _ in range(this.trials):
        await this.breathe(0.4, 2.0)
        await this.crash("dm-1")


async def broker(this: Round) -> None:
    """What was confirmed is still there; what was not goes to the outbox."""
    for _ in range(this.trials):
        await this.breathe(1.0, 4.0)
        await this.crash_server("rabbitmq")


async def postgres(this: Round) -> None:
    """What was committed is still there; a worker keeps its jobs until it answers."""
    for _ in range(this.trials):
        await this.breathe(1.0, 4.0)
        await this.crash_server("postgres")
