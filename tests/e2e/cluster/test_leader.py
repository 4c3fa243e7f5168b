"""One brain acts at a time: through an upgrade, a deletion, a kill and a restart of the node's agent."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from faults import evidence

from .fleet import AWAY, Fleet, back, patiently
from .kube import Cluster
from .marks import marks
from .record import record
from .site import Site

pytestmark = marks(900)
BOTS, GROUPS = 20, 150
LEASE = "tgms"


@dataclass
class Logs:
    """Follows every brain's log from its first line: a pod's log goes with it."""

    cluster: Cluster
    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Until the end of the process; each new pod gets a thread of its own."""
        while not self._stop.is_set():
            with suppress(Exception):
                for pod in self.cluster.core.list_namespaced_pod(
                    self.cluster.namespace, label_selector="app.kubernetes.io/component=tgms"
                ).items:
                    name = pod.metadata.name
                    started = any(each.state.running for each in pod.status.container_statuses or [])
                    if name not in self.lines and started:
                        self.lines[name] = []
                        threading.Thread(target=self._follow, args=(name,), daemon=True).start()
            time.sleep(0.3)

    def stop(self) -> None:
        self._stop.set()

    def _follow(self, pod: str) -> None:
        """Asked again where a connection ends while the pod goes on: the node's agent carries it."""
        while not self._stop.is_set():
            with suppress(Exception):
                answer = self.cluster.core.read_namespaced_pod_log(
                    pod, self.cluster.namespace, follow=True, _preload_content=False
                )
                for nth, line in enumerate(_lines(answer)):
                    if nth >= len(self.lines[pod]):
                        self.lines[pod].append(line)
            time.sleep(0.5)


def _lines(answer: Any) -> Iterator[dict[str, Any]]:
    rest = b""
    for chunk in answer.stream(4096):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            with suppress(ValueError):
                yield json.loads(line)


@dataclass(frozen=True)
class Reign:
    """One holder, from its word that it leads to its word that it does not, or to its last."""

    epoch: int
    holder: str
    began: float
    ended: float


def reigns(lines: dict[str, list[dict[str, Any]]]) -> list[Reign]:
    """By epoch."""
    found = []
    for said in lines.values():
        told = [(datetime.fromisoformat(line["time"]).timestamp(), line) for line in said if "time" in line]
        turns = [(at, line) for at, line in told if line.get("message") in {"leader", "not the leader"}]
        last = told[-1][0] if told else 0.0
        for (at, line), after in zip(turns, [*(at for at, _ in turns[1:]), last], strict=True):
            if line["message"] == "leader":
                found.append(Reign(int(line["epoch"]), line["holder"], at, after))
    return sorted(found, key=lambda reign: reign.epoch)


async def test_never_two_that_act(site: Site, fleet: Fleet) -> None:
    await fleet.telegram.set_faults(latency="200-400", rules=[])
    await fleet.grow(BOTS, GROUPS)
    logs = Logs(site.cluster)
    threading.Thread(target=logs.watch, daemon=True).start()
    leases: list[tuple[str, int]] = []
    watching = asyncio.create_task(_watch_lease(fleet, leases))
    done = []
    try:
        for name, act in _acts(site):
            await fleet.broadcast()
            at = time.time()
            await asyncio.to_thread(act)
            if name != "node agent restarted":
                await patiently(lambda at=at: back(site, "tgms", at), within=120, what="a new brain is ready")
            await asyncio.sleep(8)
            done.append(name)
        await fleet.ended(within=400)
    finally:
        watching.cancel()
        logs.stop()
    found, judged = reigns(logs.lines), await fleet.judged()
    overlaps = [(one, two) for one, two in pairwise(found) if two.began < one.ended and one.holder != two.holder]
    figures = {
        "acts": done,
        "epochs": [(reign.epoch, reign.holder.partition(":")[0]) for reign in found],
        "epochs_in_the_lease": sorted({epoch for _, epoch in leases}),
        "brains": len(logs.lines),
        "overlaps": overlaps,
        "gaps_s": [round(two.began - one.ended, 1) for one, two in pairwise(found)],
        "ledger": judged.counts,
    }
    record("leader", figures)
    holders = defaultdict(set)
    for holder, epoch in leases:
        holders[epoch].add(holder)
    assert [epoch for epoch, of in holders.items() if len(of) > 1] == [], "one epoch, two holders"
    assert len({reign.epoch for reign in found}) == len(found), "an epoch was taken twice"
    assert overlaps == []
    assert judged.violations == []


def _acts(site: Site) -> list[tuple[str, Any]]:
    acts: list[tuple[str, Any]] = [
        ("upgrade", lambda: site.helm(*site.muster(podAnnotations__leader=f"at {time.time():.0f}"))),
        ("pod deleted", lambda: site.cluster.delete(site.cluster.ready("tgms")[0])),
        ("pod killed", lambda: site.cluster.delete(site.cluster.ready("tgms")[0], grace=0)),
    ]
    words = site.wish.restart_node_agent
    if words:
        acts.append(("node agent restarted", lambda: subprocess.run(words, check=True, capture_output=True)))
    return acts


async def _watch_lease(fleet: Fleet, seen: list[tuple[str, int]]) -> None:
    while True:
        with suppress(*AWAY):
            found = await evidence.lease(fleet.pool, LEASE)
            if found and (not seen or seen[-1] != found):
                seen.append(found)
        await asyncio.sleep(0.1)
