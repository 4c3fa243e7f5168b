"""From nothing in one command; Helm's own test passes; the first direct message is answered."""

from __future__ import annotations

import json
import time

from common.testing.polling import eventually

from .fleet import Fleet
from .marks import marks
from .record import record
from .site import Site

pytestmark = marks()
ANSWER = "Hello Ada!"


def test_helms_own_test_passes(site: Site) -> None:
    site.timed("helm test", "test", "muster", "--timeout", "120s", "--logs")
    record("install", site.seconds)


def test_the_operators_verbs_work_in_the_brains_pod(site: Site) -> None:
    migrated = json.loads(site.verb("migrate", "--dry-run"))
    assert migrated["pending"] == []
    assert site.verb("key", "new", "--name", "e2e", "--scope", "*").strip()


async def test_the_first_message_is_answered(site: Site, fleet: Fleet) -> None:
    bot = await fleet.hire()
    ada = (await fleet.telegram.add_user("Ada"))["id"]
    begun = time.time()
    await fleet.telegram.write(bot.bot_id, ada, "/start")

    async def said() -> list[str]:
        return [send.text for send in await fleet.telegram.sends(bot.bot_id) if send.user_id == ada]

    assert (await eventually(said, within=30, what="a reply"))[0].startswith(ANSWER)
    [reply] = [send for send in await fleet.telegram.sends(bot.bot_id) if send.user_id == ada]
    record("first_message", {"milliseconds": round(1000 * (reply.at - begun))})
