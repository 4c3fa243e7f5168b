"""Says every few seconds that this process lives, so that the brain does not give up what it has begun."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from common import clock
from common.errors import HandBack, StoreUnavailable
from common.store import reaping
from common.store.pool import Pool
from common.telemetry.redact import describe

INTERVAL = 2.0  # seconds; the reaper waits for several of them
KNOWN = 3.0  # seconds that a beat may be old where something is begun
_PATIENCE = 1.0  # seconds until the next one: a connection that hangs does not hold another's beat up
_SOON = 0.2  # seconds between attempts, and looks
_log = logging.getLogger(__name__)


class Life:
    """This process, named by `owner` in what it begins: whether the brain knows of it, and whether it is to go on."""

    def __init__(self, owner: str, stop: asyncio.Event) -> None:
        self.owner = owner
        self._stop = stop
        self.begun = asyncio.Event()  # with the first beat
        self._told = float("-inf")

    def told(self, at: float) -> None:
        """By a beat that was begun then, by `clock.uptime`."""
        self._told = max(self._told, at)
        self.begun.set()

    async def goes_on(self) -> None:
        """Waits for a beat that is young enough: an intent of an owner who seems dead would be in doubt at once.

        HandBack from the stop on: a call that is begun then may outlast the time that is left.
        """
        while not self.ends and clock.uptime() - self._told > KNOWN:  # noqa: ASYNC110 (a beat grows old by itself)
            await asyncio.sleep(_SOON)
        if self.ends:
            raise HandBack

    @property
    def ends(self) -> bool:
        """It is told to go."""
        return self._stop.is_set()


async def beat(pool: Pool, life: Life) -> None:
    """Once."""
    asked = clock.uptime()
    async with pool.transaction("beat") as tx:
        await reaping.beat(tx, life.owner)
    life.told(asked)


async def run(stop: asyncio.Event, pool: Pool, life: Life) -> None:
    """Until the stop; what can't be written is tried again soon. A beat that takes long may still come, and counts."""
    well = True
    while not stop.is_set():
        asked, beating = clock.uptime(), asyncio.create_task(beat(pool, life))
        try:
            await asyncio.wait_for(asyncio.shield(beating), _PATIENCE)
            well = True
        except (StoreUnavailable, TimeoutError) as error:
            if well:
                _log.warning("no heartbeat", extra={"error": describe(error)})
            well = False
        with contextlib.suppress(TimeoutError):
            spare = INTERVAL - (clock.uptime() - asked) if well else _SOON  # a beat is as old as its question
            await asyncio.wait_for(stop.wait(), max(_SOON, spare))
