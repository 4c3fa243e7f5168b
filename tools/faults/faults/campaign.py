"""Broadcasts without a pause while something is broken: asked for by the API, and judged when the last has ended."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import aiohttp
from common.errors import StoreUnavailable
from common.ids import BotId, ChatId
from common.key_changes import Actor, Wish, make
from common.store import groups

from faults import evidence
from faults.attribution import numbered
from faults.cast import introduce
from faults.history import Disturbance
from faults.recalls import Said
from faults.rig import until
from faults.round import Round
from faults.sendings import Arrival, Audit, Sendings, audit, resumed

GROUPS = 120  # of each bot: at 20 a minute each they take what the bot may send
LOW = 60  # open deliveries of a bot, below which its next broadcast is asked for
ENDING = 240.0  # seconds until the last delivery must have ended
RESTING = 90.0  # seconds until the last slot must be free: one that nobody gives back is taken back after 60
_AGAIN = 0.3  # seconds until a request that was not taken is made again, under the same Idempotency-Key
_LOOK = 0.2  # seconds between looks at how much is open
_AWAY = (aiohttp.ClientError, TimeoutError, StoreUnavailable, OSError)


class Campaign:
    """Bots of its own with their groups, each sent to over and over, every time by a broadcast of its own."""

    def __init__(self, this: Round, *, bots: int, groups: int = GROUPS) -> None:
        self._this = this
        self._counts = (bots, groups)
        self._groups: dict[int, dict[int, int]] = {}  # by bot: group ids and their chats
        self._targets: dict[int, frozenset[int]] = {}
        self._numbers: dict[int, int] = {}  # broadcast ids
        self._stop = asyncio.Event()
        self._asking: list[asyncio.Task[None]] = []
        self._key = ""
        self.asked = Counter[int]()  # deliveries, by bot
        self.doubtful: set[int] = set()  # deliveries that may end unknown
        self.waits: dict[int, float] = {}  # the retry_after of each bot's 429s
        self.recalled: list[int] = []  # broadcast ids
        self.found = Sendings({}, [], [])

    @property
    def bots(self) -> list[int]:
        """In the order in which they were hired."""
        return list(self._groups)

    async def __aenter__(self) -> Self:
        this, (bots, count) = self._this, self._counts
        async with this.pool.transaction("api key") as tx:
            wish = Wish("faults", ["*"], per_second=1000, burst=1000)
            self._key = (await make(tx, wish, Actor("cli:faults"), env="test"))[0].text
        for _ in range(bots):
            bot = await introduce(this.cast, this.telegram, this.pool)
            chats = await this.telegram.add_groups(bot.bot_id, count)
            async with this.pool.transaction("groups") as tx:
                self._groups[bot.bot_id] = {
                    await groups.register(tx, BotId(bot.bot_id), ChatId(chat), title="Group", kind="supergroup"): chat
                    for chat in chats
                }
        self._asking = [asyncio.create_task(self._keep_sending(bot)) for bot in self._groups]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        await asyncio.gather(*self._asking)
        if error is None:
            await self._end()

    def asked_for(self, count: int) -> Callable[[], Awaitable[bool]]:
        """Whether so many deliveries are."""

        async def enough() -> bool:
            return self.asked.total() >= count

        return enough

    async def under_way(self, count: int = 1) -> None:
        """Waits until so many of each bot's messages are at Telegram."""

        async def sent() -> bool:
            return all([len(await self._this.telegram.arrivals(bot, None)) >= count for bot in self.bots])

        await until(sent, 60, "broadcasts are being sent")

    async def arrivals(self) -> list[Arrival]:
        """So far."""
        found = [await self._this.telegram.arrivals(bot, self.waits.get(bot)) for bot in self.bots]
        return [each for some in found for each in some]

    async def resumption(self, made: Disturbance, within: float) -> None:
        """Waits until sends go on after it."""

        async def seen() -> bool:
            return resumed(await self.arrivals(), made.back) is not None

        await _in_time(self._this, seen, within, f"sends go on after {made.target} was back")
        seconds = resumed(await self.arrivals(), made.back)
        self._this.figures["resumed_s"] = max(self._this.figures.get("resumed_s", 0.0), seconds or 0.0)

    async def recall(self) -> None:
        """The newest broadcast that is done and stands yet, once there is one; until some of it is deleted."""
        chosen = 0

        async def found() -> bool:
            nonlocal chosen
            ended = await evidence.ended_broadcasts(self._this.pool, self.bots)
            chosen = max(ended & self._numbers.keys() - set(self.recalled), default=0)
            return chosen > 0

        await until(found, 60, "a broadcast is done")
        status, answer = await self._post(
            f"/api/broadcasts/{chosen}:recall", None, {"Authorization": f"Bearer {self._key}"}
        )
        if status != 202:
            raise RuntimeError(f"the API answered {status}: {answer}")
        self.recalled.append(chosen)
        before = len(await self.deletions())

        async def begun() -> bool:
            return len(await self.deletions()) > before

        await until(begun, 30, "its messages are being deleted")

    async def deletions(self) -> list[Said]:
        """So far."""
        return [each for bot in self.bots for each in await self._this.telegram.deletions(bot)]

    async def _keep_sending(self, bot: int) -> None:
        while not self._stop.is_set():
            try:
                if (await evidence.open_deliveries(self._this.pool, [bot]))[bot] < LOW:
                    await self._ask(bot)
            except _AWAY:
                pass  # what is broken is to be broken
            await asyncio.sleep(_LOOK)

    async def _ask(self, bot: int) -> None:
        """Until it is taken: Idempotency-Key makes one broadcast of all tries."""
        number = self._this.cast.numbers.next()
        body = {
            "message": {"type": "text", "text": f"{numbered(number)} to {{{{title}}}}"},
            "targets": {"group_ids": list(self._groups[bot])},
        }
        headers = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": numbered(number)}
        self._targets[number] = frozenset(self._groups[bot].values())
        self.asked[bot] += len(self._groups[bot])
        while True:
            status, answer = await self._post("/api/send_messages", body, headers)
            if status == 202:
                self._numbers[int(answer["broadcast_id"])] = number
                return
            if status not in {0, 409, 503}:
                raise RuntimeError(f"the API answered {status}: {answer}")
            await asyncio.sleep(_AGAIN)

    async def _post(self, url: str, body: dict[str, Any] | None, headers: dict[str, str]) -> tuple[int, Any]:
        rig = self._this.rig
        try:
            timeout = aiohttp.ClientTimeout(total=20)
            async with rig.http.post(
                rig.url("ingress-1") + url, json=body, headers=headers, timeout=timeout
            ) as response:
                return response.status, await response.json()
        except _AWAY:
            return 0, None

    async def _end(self) -> None:
        await _in_time(self._this, self._ended, ENDING, "every delivery has ended")
        await _in_time(self._this, self._unsaid, ENDING, "every recall has ended")
        await _in_time(self._this, self._free, RESTING, "every slot and turn is free")
        rows = await evidence.ledger(self._this.pool, self._numbers)
        held = await evidence.holds(self._this.pool, self.bots)
        self.found = Sendings(self._targets, rows, await self.arrivals(), frozenset(self.doubtful), held)
        _tell(self._this, audit(self.found))

    async def _ended(self) -> bool:
        return not (await evidence.open_deliveries(self._this.pool, self.bots)).total()

    async def _unsaid(self) -> bool:
        return not await evidence.open_recalls(self._this.pool, self.recalled)

    async def _free(self) -> bool:
        return await evidence.holds(self._this.pool, self.bots) == 0


async def _in_time(this: Round, condition: Callable[[], Awaitable[bool]], seconds: float, what: str) -> None:
    """What does not come in time is left to the checker."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if await condition():
                return
        except StoreUnavailable:
            pass
        await asyncio.sleep(_LOOK)
    this.broken.append(f"not within {seconds:.0f} s: {what}")


def _tell(this: Round, judged: Audit) -> None:
    for name, count in judged.counts.items():
        this.figures[f"ledger_{name}"] = this.figures.get(f"ledger_{name}", 0) + count
    this.broken += judged.violations
