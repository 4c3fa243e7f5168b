"""Workers that are told to go: nothing is doubled, nothing is left behind, and the exit is in time."""

from __future__ import annotations

import time

from faults.round import Round

GRACE = 20.0  # seconds, the product's own setting


async def rolling_dm(this: Round) -> None:
    """The next worker starts, then the old one gets SIGTERM, as in a rollout."""
    old, new = "dm-1", "dm-2"
    for _ in range(this.trials):
        await this.rig.start(new)
        await this.breathe(0.2, 1.0)
        await _dismiss(this, old, new)
        old, new = new, old
    if old != "dm-1":
        await this.rig.start("dm-1")
        await _dismiss(this, old, "dm-1")


async def _dismiss(this: Round, old: str, new: str) -> None:
    began, codes = time.monotonic(), {}

    async def go() -> None:
        codes.update(await this.rig.stop(old))

    await this.disturb(old, go, lambda: this.rig.answers(new), may_double=0)
    took = time.monotonic() - began
    this.figures["slowest_exit_s"] = max(this.figures.get("slowest_exit_s", 0.0), took)
    this.demand(codes[old] == 0, f"{old} ended with exit code {codes[old]}")
    this.demand(took < GRACE, f"{old} took {took:.1f} s to go")
