"""Two brains, one lease: the leader is killed, or sleeps and wakes, while the outbox has to be relayed."""

from __future__ import annotations

import asyncio
import signal
import time

from faults import evidence
from faults.outbox_writer import OutboxWriter
from faults.rig import until
from faults.round import Round

LEASE = "tgms"
TTL = 5.0  # seconds, the product's own setting
TAKEOVER = TTL + 2.0  # seconds (F26)
ASLEEP = TTL + 5.0  # seconds (F25)
AWAKE = 2.0  # seconds in which an old leader shows whether it still acts


async def leader(this: Round) -> None:
    """In turn: kill -9 of the leader, and SIGSTOP for longer than its lease, then SIGCONT."""
    await this.rig.start("tgms-2")
    async with OutboxWriter(this):
        for nth in range(this.trials):
            await this.breathe(0.5, 1.5)
            await (_killed if nth % 2 == 0 else _asleep)(this)
    await this.rig.stop("tgms-2")


async def _killed(this: Round) -> None:
    name, epoch = await _leader(this)
    began = time.monotonic()

    async def next_one() -> None:
        await _epoch_after(this, epoch)
        _note_takeover(this, time.monotonic() - began)

    await this.disturb(name, lambda: this.rig.kill(name), next_one, may_double=0)
    await this.rig.start(name)


async def _asleep(this: Round) -> None:
    name, epoch = await _leader(this)
    began = time.monotonic()

    async def next_one() -> None:
        await _epoch_after(this, epoch)
        _note_takeover(this, time.monotonic() - began)

    async def sleep() -> None:
        this.rig.signal(name, signal.SIGSTOP)

    before = await _relayed(this, name)
    await this.disturb(f"{name} asleep", sleep, next_one, may_double=0)
    await asyncio.sleep(max(0.0, ASLEEP - (time.monotonic() - began)))
    this.rig.signal(name, signal.SIGCONT)
    await asyncio.sleep(AWAKE)
    after = await _relayed(this, name)
    holder, _ = await _leader(this)
    this.figures["relayed_by_old_epoch"] = this.figures.get("relayed_by_old_epoch", 0) + (after - before)
    this.demand(holder != name, f"{name} leads again after its lease had passed on")
    this.demand(after == before, f"{name} relayed {after - before:.0f} rows after its lease had passed on")


def _note_takeover(this: Round, seconds: float) -> None:
    this.figures["slowest_takeover_s"] = max(this.figures.get("slowest_takeover_s", 0.0), seconds)
    this.demand(seconds <= TAKEOVER, f"the next leader took over only after {seconds:.1f} s")


async def _leader(this: Round) -> tuple[str, int]:
    """The process that holds the lease, and its epoch."""
    found: list[tuple[str, int]] = []

    async def known() -> bool:
        lease = await evidence.lease(this.pool, LEASE)
        names = [name for name in this.rig.names("tgms") if lease and f":{this.rig.pid(name)}:" in lease[0]]
        if lease and names:
            found.append((names[0], lease[1]))
        return bool(found)

    await until(known, TAKEOVER + 5, "one of the processes holds the lease")
    return found[0]


async def _epoch_after(this: Round, epoch: int) -> None:
    async def passed_on() -> bool:
        lease = await evidence.lease(this.pool, LEASE)
        return lease is not None and lease[1] > epoch

    await until(passed_on, 30, "the lease has passed on")


async def _relayed(this: Round, name: str) -> float:
    return sum(await this.rig.metric(name, "muster_outbox_relayed_total"))
