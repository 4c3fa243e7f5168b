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
    async with OutboxWriter(this) as writer:
        for nth in range(this.trials):
            await this.breathe(0.5, 1.5)
            if nth % 2 == 0:
                await _killed(this)
            elif nth % 4 == 1:
                await _asleep_at_rest(this, writer)
            else:
                await _asleep(this, *await leading(this), writer)
    await this.rig.stop("tgms-2")


async def _killed(this: Round) -> None:
    name, epoch = await leading(this)
    began = time.monotonic()

    async def next_one() -> None:
        await _epoch_after(this, epoch)
        _note_takeover(this, time.monotonic() - began)

    await this.disturb(name, lambda: this.rig.kill(name), next_one, may_double=0)
    await this.rig.start(name)


async def _asleep_at_rest(this: Round, writer: OutboxWriter) -> None:
    """Nothing is to be relayed when it falls asleep, so that whatever it counts later was done under the old epoch."""
    name, epoch = await leading(this)
    await writer.pause()
    before = await _relayed(this, name)
    await _asleep(this, name, epoch, writer)
    relayed = await _relayed(this, name) - before
    this.figures["relayed_by_old_epoch"] = this.figures.get("relayed_by_old_epoch", 0) + relayed
    this.demand(relayed == 0, f"{name} relayed {relayed:.0f} rows after its lease had passed on")


async def _asleep(this: Round, name: str, epoch: int, writer: OutboxWriter) -> None:
    """In the middle of its work, unless the writer rests; there is work when it wakes."""
    began = time.monotonic()

    async def next_one() -> None:
        await _epoch_after(this, epoch)
        _note_takeover(this, time.monotonic() - began)

    async def sleep() -> None:
        this.rig.signal(name, signal.SIGSTOP)
        writer.resume()

    await this.disturb(f"{name} asleep", sleep, next_one, may_double=0)
    await asyncio.sleep(max(0.0, ASLEEP - (time.monotonic() - began)))
    this.rig.signal(name, signal.SIGCONT)
    await asyncio.sleep(AWAKE)
    holder, _ = await leading(this)
    this.demand(holder != name, f"{name} leads again after its lease had passed on")


def _note_takeover(this: Round, seconds: float) -> None:
    this.figures["slowest_takeover_s"] = max(this.figures.get("slowest_takeover_s", 0.0), seconds)
    this.demand(seconds <= TAKEOVER, f"the next leader took over only after {seconds:.1f} s")


async def leading(this: Round) -> tuple[str, int]:
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
