"""Pods deleted and the node's agent restarted in mid-broadcast: the ledger stays what the simulator saw."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable

import pytest
from faults import evidence
from faults.sendings import longest_gap, resumed

from .fleet import Fleet, back, patiently
from .marks import marks
from .record import record
from .site import Site

pytestmark = marks(900)
BOTS, GROUPS = 20, 150
UNDER_WAY = 300  # messages at Telegram before something is broken
SLOW = "200-400"  # milliseconds of an answer
IN_ONE = 20  # sends in flight in one sender: MUSTER_CONCURRENCY of values-e2e.yaml
DYING = 3.0  # seconds in which a killed pod's processes may still write their intents
Break = Callable[[Site, Fleet], Awaitable[str]]


async def sender_killed(site: Site, fleet: Fleet) -> str:
    """What it had in hand may end unknown, and nothing else."""
    pod = site.cluster.ready("sender")[0]
    site.cluster.delete(pod, grace=0)
    deadline = time.monotonic() + DYING
    while time.monotonic() < deadline:
        fleet.doubtful |= await evidence.intents_in(fleet.pool, pod)
        await asyncio.sleep(0.1)
    return "sender"


async def sender_dismissed(site: Site, _: Fleet) -> str:
    site.cluster.delete(site.cluster.ready("sender")[0])
    return "sender"


async def brain_killed(site: Site, _: Fleet) -> str:
    site.cluster.delete(site.cluster.ready("tgms")[0], grace=0)
    return "tgms"


async def broker_deleted(site: Site, _: Fleet) -> str:
    site.cluster.delete(site.cluster.ready("rabbitmq")[0])
    return "rabbitmq"


async def database_deleted(site: Site, _: Fleet) -> str:
    site.cluster.delete(site.cluster.ready("postgres")[0])
    return "postgres"


async def node_agent_restarted(site: Site, _: Fleet) -> str:
    words = site.wish.restart_node_agent
    if not words:
        pytest.skip("E2E_RESTART_NODE_AGENT names no command that restarts the node's agent")
    await asyncio.to_thread(subprocess.run, words, check=True, capture_output=True)
    return ""


@pytest.mark.parametrize(
    "breaks",
    [sender_killed, sender_dismissed, brain_killed, broker_deleted, database_deleted, node_agent_restarted],
    ids=lambda each: each.__name__,
)
async def test_the_ledger_is_what_telegram_saw(site: Site, fleet: Fleet, breaks: Break) -> None:
    await fleet.telegram.set_faults(latency=SLOW, rules=[])
    await fleet.grow(BOTS, GROUPS)
    await fleet.broadcast()

    async def under_way() -> bool:
        return await fleet.delivered() >= UNDER_WAY

    await patiently(under_way, within=90, what="the broadcast is under way")
    sent_before, at = await fleet.delivered(), time.time()
    part = await breaks(site, fleet)
    if part:
        await patiently(lambda: back(site, part, at), within=120, what=f"{part} is back")
    returned = time.time()
    await fleet.ended(within=400)
    judged, arrivals = await fleet.judged(), await fleet.arrivals()
    figures = {
        "sent_before": sent_before,
        "back_s": round(returned - at, 1),
        "sent_when_back": sum(each.at <= returned for each in arrivals),
        "next_send_after_back_s": round(resumed(arrivals, returned) or 0.0, 1),
        "longest_silence_s": round(longest_gap(arrivals, at, returned + 5), 1),
        "intents_at_the_kill": len(fleet.doubtful),
        "ledger": judged.counts,
    }
    record(f"fault_{breaks.__name__}", figures)
    assert judged.violations == []
    assert sent_before < BOTS * GROUPS, "the broadcast was over before anything was broken: this shows nothing"
    assert judged.counts["unknown"] <= (IN_ONE if breaks is sender_killed else 0)
    assert judged.counts["sent"] + judged.counts["unknown"] == BOTS * GROUPS
