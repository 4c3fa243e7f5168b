"""SIGTERM: each service ends as it should, in time, and nothing that was under way is lost or doubled."""

from __future__ import annotations

import signal
import time

import pytest
from common.testing.polling import eventually

from .house import House

pytestmark = pytest.mark.timeout(120)
# uvicorn raises the signal again when it is done, so that whoever started it sees what ended it.
_CODES = {"ingress": -signal.SIGTERM, "tgms": 0, "sender": 0, "dm": 0}


def ended(house: House, *names: str) -> dict[str, tuple[int, float]]:
    """Exit code and seconds of each, told to end at the same moment."""
    children = {name: house.services.children[house.instances[name]] for name in names}
    started = time.monotonic()
    for child in children.values():
        child.popen.send_signal(signal.SIGTERM)
    return {name: (child.popen.wait(25), time.monotonic() - started) for name, child in children.items()}


async def test_idle_services_end_at_once(house: House) -> None:
    found = ended(house, *_CODES)
    assert {name: code for name, (code, _) in found.items()} == _CODES
    assert max(seconds for _, seconds in found.values()) < 5
    assert not any("Traceback" in house.log(name) for name in _CODES)
    (lease,) = await house.rows("SELECT expires_at <= now() AS free FROM leases WHERE name = 'tgms'")
    assert lease["free"], "the next brain has to wait for the lease"


async def test_a_worker_that_stops_in_a_burst_loses_and_doubles_nothing(house: House) -> None:
    users = [house.simulator.user("Ada") for _ in range(30)]
    house.admin("PUT", "faults", rules=[], latency="1500-2500")  # below the client's own limit of 3 s
    for text in ("/start", "/help"):
        for user in users:
            house.writes(user, text)
    await eventually(lambda: house.calls(users[0]), what="the first reply")
    code, seconds = ended(house, "dm")["dm"]
    assert (code, seconds < 20) == (0, True)
    assert sum(len(house.calls(user)) for user in users) < 60, "all was said before the stop: no trial"
    house.admin("PUT", "faults", rules=[], latency="0-20")
    house.services.restart(house.instances["dm"])
    for user in users:
        start, help_ = await house.said(user, 2, within=30)
        assert (start[:5], help_[:7]) == ("Hello", "<b>What")
    assert [len(house.calls(user)) for user in users] == [2] * len(users)
    ids = ",".join(map(str, users))
    open_ones = f"SELECT 1 FROM replies WHERE state <> 'sent' AND chat_id = ANY('{{{ids}}}')"  # noqa: S608 (ints)

    async def all_recorded() -> bool:
        return not await house.rows(open_ones)

    await eventually(all_recorded, what="every reply is recorded as sent")


async def test_a_door_that_closes_in_a_burst_loses_nothing(house: House) -> None:
    users = [house.simulator.user("Ada") for _ in range(30)]
    for user in users:
        house.writes(user, "/start")
    ended(house, "ingress")
    house.services.restart(house.instances["ingress"])
    for user in users:
        assert len(await house.said(user, 1, within=60)) == 1


async def test_the_end_does_not_wait_for_a_collector_that_hangs(house: House) -> None:
    """The exporter's own flush has no limit that it keeps (reliability C3)."""
    with house.deaf_collector() as endpoint:
        brain = house.services.start("tgms", extra={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
        house.services.wait_ready([brain])
        for number in range(1, 11):  # two brains share them
            house.post(b'{"update_id":%d,"chat_member":{}}' % number)
        await eventually(lambda: "muster_jobs_handled_total{" in house.metrics(brain), what="a job and its span")
        started = time.monotonic()
        house.services.stop(brain)
        assert time.monotonic() - started < 5
