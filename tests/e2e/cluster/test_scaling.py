"""KEDA and the sender: none while nothing is queued, as many as a broadcast needs, none again, and awake in seconds."""

from __future__ import annotations

import asyncio
import time

from .fleet import Fleet, patiently
from .marks import marks
from .picture import draw
from .record import record
from .site import Site, figures_folder
from .timeline import Timeline, save

pytestmark = marks(900)
BOTS, GROUPS = 20, 200
SLOW = "200-400"  # milliseconds of an answer: one sender with 20 at once can't use up what 20 bots may send
MOST = 4  # maxReplicas of values-e2e.yaml
SCALED = {"group": "keda.sh", "version": "v1alpha1", "plural": "scaledobjects", "name": "muster-sender"}
PAUSED = "autoscaling.keda.sh/paused-replicas"


async def pods(site: Site, count: int, *, within: float) -> None:
    """Until the Deployment wants and has so many."""

    async def reached() -> bool:
        return await asyncio.to_thread(site.cluster.replicas, "sender") == (count, count)

    await patiently(reached, within=within, what=f"{count} sender pods")


async def test_from_none_to_many_to_none_and_awake_again(site: Site, fleet: Fleet) -> None:
    await fleet.telegram.set_faults(latency=SLOW, rules=[])
    await fleet.grow(BOTS, GROUPS)
    await pods(site, 0, within=180)
    await asyncio.sleep(10)
    assert site.cluster.replicas("sender") == (0, 0), "nothing is queued, so nobody is wanted"
    async with Timeline(fleet) as line:
        await fleet.broadcast()
        await fleet.ended(within=300)
        ended = time.time() - line.began
        await pods(site, 0, within=240)
        empty = time.time() - line.began
        await asyncio.sleep(5)
        asked = time.time()
        await fleet.broadcast(limit=1)
        await fleet.ended(within=60)
        await asyncio.sleep(2)
    moments, arrivals = await line.moments(), await fleet.arrivals()
    judged = await fleet.judged()
    woken = arrivals[-1].at
    save(moments, figures_folder() / "scaling.csv")
    marked = [(0.0, "broadcast"), (ended, "ended"), (empty, "no pod"), (asked - line.began, "one message")]
    (figures_folder() / "scaling.svg").write_text(draw(moments, marked))
    record(
        "scaling",
        {
            "bots": BOTS,
            "groups": BOTS * GROUPS,
            "first_message_s": round(arrivals[0].at - line.began, 1),
            "last_message_s": round(arrivals[-2].at - line.began, 1),
            "ended_s": round(ended, 1),
            "most_pods": max(each.wanted for each in moments),
            "most_ready": max(each.ready for each in moments),
            "most_sends_a_second": max(each.sent for each in moments),
            "best_share_of_the_ceiling": round(max(each.share for each in moments), 2),
            "back_to_none_s": round(empty, 1),
            "woken_by_one_message_s": round(woken - asked, 1),
            "ledger": judged.counts,
        },
    )
    assert judged.violations == []
    assert judged.counts["sent"] == BOTS * GROUPS + 1
    assert max(each.wanted for each in moments) == MOST


async def test_a_pod_that_is_scaled_in_loses_and_doubles_nothing(site: Site, fleet: Fleet) -> None:
    await fleet.telegram.set_faults(latency=SLOW, rules=[])
    await fleet.grow(BOTS, GROUPS)
    where = SCALED | {"namespace": site.cluster.namespace}

    def paused(replicas: str | None) -> None:
        body = {"metadata": {"annotations": {PAUSED: replicas}}}
        site.cluster.custom.patch_namespaced_custom_object(**where, body=body)

    try:
        paused(str(MOST))
        await pods(site, MOST, within=120)
        await fleet.broadcast()
        await patiently(lambda: _at_least(fleet, 200), within=60, what="the broadcast is under way")
        at = await fleet.delivered()
        began = time.monotonic()
        paused("1")
        await patiently(lambda: _living(site, 1), within=120, what="three senders are gone")
        gone, left = time.monotonic() - began, BOTS * GROUPS - await fleet.delivered()
    finally:
        paused(None)
    await fleet.ended(within=300)
    judged = await fleet.judged()
    figures = {"sent_before": at, "gone_s": round(gone, 1), "left_when_gone": left, "ledger": judged.counts}
    record("scaled_in", figures)
    assert judged.violations == []
    assert left > 0, "the broadcast was over before the pods were gone: this shows nothing"
    assert judged.counts["sent"] == BOTS * GROUPS


async def _at_least(fleet: Fleet, count: int) -> bool:
    return await fleet.delivered() >= count


async def _living(site: Site, count: int) -> bool:
    found = await asyncio.to_thread(
        site.cluster.core.list_namespaced_pod,
        site.cluster.namespace,
        label_selector="app.kubernetes.io/component=sender",
    )
    return len(found.items) == count
