"""An upgrade with a migration and its rollback, while people write and a broadcast is sent: nobody notices."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stack import images

from .crowd import Crowd
from .fleet import Fleet
from .marks import marks
from .record import record
from .site import Site

pytestmark = marks(1200)
BOTS, GROUPS = 20, 150
NEXT = Path(__file__).with_name("next")


@pytest.fixture(scope="session")
def next_tag(site: Site) -> str:
    """Of the brain's image with one more migration, built and loaded as the others were."""
    commands, tag = images.Commands.of(os.environ), f"{site.wish.tag}-next"
    words = {
        "image": f"muster-tgms:{tag}",
        "name": "muster-tgms",
        "tag": tag,
        "file": str(NEXT / "Dockerfile"),
        "context": str(NEXT),
        "options": f"--build-arg BASE=muster-tgms:{site.wish.tag}",
    }
    images.run(commands.build, words)
    images.run(commands.load, words)
    return tag


def pending(site: Site) -> list[str]:
    """Migrations that the brain's image has and the database lacks."""
    found: list[str] = json.loads(site.verb("migrate", "--dry-run"))["pending"]
    return found


async def test_upgrade_and_rollback_under_load(site: Site, fleet: Fleet, next_tag: str) -> None:
    await fleet.telegram.set_faults(latency="100-200", rules=[])
    await fleet.grow(BOTS, GROUPS)
    crowd = await Crowd.gather(fleet)
    upgraded = site.muster(components__tgms__image__tag=next_tag, podAnnotations__release="next")
    async with crowd:
        up = await _changed(fleet, lambda: site.helm(*upgraded))
        assert pending(site) == []
        assert next_tag in _image(site)
        back = await _changed(fleet, lambda: site.helm("rollback", "muster", "--wait", "--timeout", "300s"))
        assert next_tag not in _image(site)
        await asyncio.sleep(3)
    await crowd.at_rest(within=120)
    await fleet.ended(within=300)
    verdict, statuses = await crowd.judged()
    ledger = await fleet.judged()
    figures = {name: count for name, count in asdict(verdict).items() if isinstance(count, int)}
    record(
        "upgrade",
        {
            "upgrade_s": up,
            "rollback_s": back,
            "webhook_statuses": statuses,
            "failed_at": [datetime.fromtimestamp(t.at, UTC).isoformat() for t in crowd.tries if t.status != 200],
            "updates": figures,
            "violations": verdict.violations,
            "ledger": ledger.counts,
        },
    )
    assert verdict.violations == []
    assert set(statuses) == {200}, "a request at the mirror failed"
    assert ledger.violations == []
    assert ledger.counts["sent"] == 2 * BOTS * GROUPS


async def _changed(fleet: Fleet, change: Callable[[], str]) -> float:
    """Seconds that it took, with a broadcast on its way."""
    await fleet.broadcast()
    await asyncio.sleep(3)
    began = time.monotonic()
    await asyncio.to_thread(change)
    return round(time.monotonic() - began, 1)


def _image(site: Site) -> str:
    found = site.cluster.apps.read_namespaced_deployment("muster-tgms", site.cluster.namespace)
    return str(found.spec.template.spec.containers[0].image)
