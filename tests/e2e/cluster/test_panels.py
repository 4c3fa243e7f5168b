"""Every query of every dashboard, asked of the cluster's own Prometheus after something of everything has happened."""

from __future__ import annotations

import asyncio

from dashboards.check import Window, check, questions

from .crowd import Crowd
from .fleet import Fleet, patiently
from .marks import marks
from .record import record
from .site import Site

pytestmark = marks(600)


async def test_every_panel_is_answered(site: Site, fleet: Fleet) -> None:
    await fleet.telegram.set_faults(latency="50-100", rules=[])
    await fleet.grow(3, 50)
    crowd = await Crowd.gather(fleet)
    async with crowd:
        for _ in range(3):  # a rate needs a number that was there and has grown
            await fleet.telegram.add_groups(crowd.bots[0], 3)  # of which the brain hears by the mirror
            await fleet.broadcast()
            await fleet.ended(within=120)
            for path in ("/api/groups", "/api/broadcasts", "/api/bots"):
                await fleet.ask("GET", path)
            async with fleet.http.post(site.url("ingress") + "/api/webhooks/telegram", data=b"{") as response:
                assert response.status == 401
            await asyncio.sleep(5)
    silent: list[str] = []

    async def answered() -> bool:
        found = await asyncio.to_thread(check, site.url("prometheus"), Window(600, "2m"))
        silent[:] = [f"{each.dashboard} · {each.panel}: {each.why}: {each.expr}" for each in found]
        return not silent

    try:
        await patiently(answered, within=90, every=5, what="every panel is answered")
    except AssertionError:
        raise AssertionError("\n".join(silent)) from None
    finally:
        asked = len(list(questions()))
        record("panels", {"asked": asked, "answered": asked - len(silent), "silent": silent})
