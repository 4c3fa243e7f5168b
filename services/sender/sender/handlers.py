"""Plans broadcasts and sends deliveries: wait for the slot, write the intent, send, write the outcome, acknowledge."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, assert_never

from common import clock
from common.errors import Reject, StoreUnavailable
from common.jobs import GroupMessageJob, PlanBroadcast, ReviseMessage, SendFinalMessage
from common.records import Begun
from common.registry import BotRegistry
from common.send_window import SendWindow
from common.store import broadcasts, deliveries
from common.store.pool import Pool
from common.telegram.client import BotAccess, BotApi
from common.telegram.errors import NotSent, TelegramError, TokenRevoked, Unknown, WrongFile, message_ids
from common.telemetry import metrics

from sender.journal import FRESH
from sender.ledger import Ended, Ledger
from sender.media import MediaDesk, MediaGone, Supply
from sender.revisions import Revisions
from sender.rules import standing
from sender.rules.head_start import HeadStart
from sender.rules.outcomes import Decision, Progress, decide
from sender.rules.parts import CHANGED, UnsendableError, calls
from sender.rules.sources import with_files

_CHUNK = 10_000  # deliveries planned in one transaction
_MANY = 1000  # from which on what the server knows of its tables' sizes is old
_REMEMBERED = 100  # contents of broadcasts
_LATER = timedelta(seconds=1)  # until a delivery asks again for a file that another sender uploads
_FORGOTTEN_AT_MOST = 3  # attempts after which a refused file is the message's own fault
_log = logging.getLogger(__name__)


class Deliveries:
    """The handler of group_message_queue; a job whose row says something else is stale and dropped."""

    def __init__(
        self,
        pool: Pool,
        api: BotApi,
        registry: BotRegistry,
        window: SendWindow,
        ledger: Ledger,
        desk: MediaDesk,
    ) -> None:
        self._pool = pool
        self._api = api
        self._registry = registry
        self._clock = window.clock
        self._ledger = ledger
        self._desk = desk
        self._window = window
        self._head_start = HeadStart()
        self._contents: dict[int, tuple[int, dict[str, Any]]] = {}  # with its edition
        self._revise = Revisions(pool, api, registry=registry, window=window, life=ledger.life)

    async def __call__(self, job: GroupMessageJob) -> None:
        """By kind."""
        match job:
            case PlanBroadcast():
                await self._plan(job.broadcast_id)
            case SendFinalMessage():
                await self._deliver(job)
            case ReviseMessage():
                await self._revise(job)
            case _ as never:
                assert_never(never)

    async def _plan(self, broadcast_id: int) -> None:
        """In chunks, each remembered in the broadcast's row: killed in between, the next one goes on from there."""
        total = 0
        while True:
            async with self._pool.transaction("plan") as tx:
                targets = await broadcasts.targets_of(tx, broadcast_id)
                if targets is None:
                    break
                made = await deliveries.plan(tx, broadcast_id, targets, limit=_CHUNK)
                if made == 0:
                    await broadcasts.planned(tx, broadcast_id)
            total += made
        if total >= _MANY:
            with suppress(StoreUnavailable):  # it is sent without them, only slower
                async with self._pool.transaction("analyze") as tx:
                    await deliveries.analyze(tx, total)

    async def _deliver(self, job: SendFinalMessage) -> None:
        access = await self._registry.access(job.bot_id)
        broadcast_id = job.broadcast_id or await self._broadcast_of(job)
        content = await self._content(broadcast_id)
        try:
            supply = await self._desk.supply(job.bot_id, broadcast_id, content)
        except MediaGone:
            await self._refuse(job, Decision("failed", "a file has expired", pause=True))
            return
        if supply is None:
            await self._ledger.put_off(job, _LATER)
            return
        try:
            await self._clock.sleep_until(job.slot_at, early=self._head_start.value)
            await self._ledger.life.goes_on()  # not counted: it may take long
            asked = clock.uptime()
            begun = await self._ledger.begin(job)
            self._head_start.add(clock.uptime() - asked)
            if begun is not None:
                content = await self._edition(job, begun)  # an edit changes words, and no files
                ended, result = await self._attempt(job, access, begun, content, supply, before=asked + FRESH)
                await self._ledger.settle(job, ended)
                if result is not None:
                    await self._desk.learn(supply, result)
        finally:
            await self._desk.done(supply)

    async def _attempt(
        self,
        job: SendFinalMessage,
        access: BotAccess,
        begun: Begun,
        content: dict[str, Any],
        supply: Supply,
        *,
        before: float,
    ) -> tuple[Ended, Any]:
        """With Telegram's answer, None where there is none. It raises nothing: while this process lives, nobody else
        would end what it has begun.
        """
        try:
            if begun.outdated:  # it would go on in the middle of another text, or be called sent without a word of it
                return self._ended(job, begun, Decision("failed", CHANGED)), None
            parts = calls(content, begun)
            if begun.parts_done >= len(parts):  # its last one was seen, or a newer version of this program makes fewer
                progress = Progress(begun.parts_done - 1, begun.parts_done)
                return self._ended(job, begun, Decision("sent"), progress=progress), None
            return await self._send(job, access, begun, parts, supply, before=before)
        except UnsendableError as reason:
            return self._ended(job, begun, Decision("failed", str(reason))), None
        except Exception:  # noqa: BLE001 (whatever it is: the intent must not stay)
            _log.exception("a send has failed by itself", extra={"delivery_id": job.delivery_id})
            decision = await self._decide(Unknown(), "", access, begun, supply)
            return self._ended(job, begun, decision), None

    async def _send(
        self,
        job: SendFinalMessage,
        access: BotAccess,
        begun: Begun,
        parts: Sequence[tuple[str, dict[str, Any]]],
        supply: Supply,
        *,
        before: float,
    ) -> tuple[Ended, Any]:
        progress = Progress(begun.parts_done, len(parts))
        method, params = parts[progress.part]
        await self._clock.sleep_until(job.slot_at)
        metrics.SEND_LATENESS_SECONDS.observe(max(0.0, (self._clock.now() - job.slot_at).total_seconds()))
        started, failure, result = time.monotonic(), None, None
        try:
            filled = with_files(method, params, supply.files)
            if supply.uploads:
                result = await self._api.upload(access, method, filled, supply.uploads, before=before)
            else:
                result = await self._api.call(access, method, filled, before=before)
            self._window.answered(time.monotonic() - started)
        except TelegramError as error:
            failure = error
        decision = await self._decide(failure, method, access, begun, supply)
        return self._ended(job, begun, decision, message_ids(result), progress), result

    async def _decide(
        self, error: TelegramError | None, method: str, access: BotAccess, begun: Begun, supply: Supply
    ) -> Decision:
        # What can't be noted now is noted at the next attempt; this one's end must be written in any case.
        if isinstance(error, TokenRevoked):
            with suppress(StoreUnavailable):
                await self._registry.revoked(access)
        if isinstance(error, WrongFile) and supply.known and begun.attempts <= _FORGOTTEN_AT_MOST:
            with suppress(StoreUnavailable):
                await self._desk.forget(supply)
            return Decision("pending", error.outcome)
        if error is not None and standing.asks(error, method):
            error = standing.truth(error, method, await self._place(access, begun))
        once_more = begun.on_unknown == "resend_once" and not begun.doubted
        return decide(error, attempts=begun.attempts, unsent=begun.unsent, once_more=once_more)

    async def _place(self, access: BotAccess, begun: Begun) -> Any | TelegramError:
        """The bot's own in the group: unlike getChat it says of a public group, too, whether the bot is in it.

        Not asked once this process is to go: the time that is left is for one call, and may be over.
        """
        if self._ledger.life.ends:
            return NotSent("this process stops")
        try:
            wanted = {"chat_id": begun.chat_id, "user_id": access.bot_id}
            return await self._api.call(access, "getChatMember", wanted)
        except TelegramError as error:
            return error

    async def _refuse(self, job: SendFinalMessage, decision: Decision) -> None:
        begun = await self._ledger.begin(job)
        if begun is not None:
            await self._ledger.settle(job, self._ended(job, begun, decision))

    def _ended(
        self,
        job: SendFinalMessage,
        begun: Begun,
        decision: Decision,
        message_ids: tuple[int, ...] = (),
        progress: Progress | None = None,
    ) -> Ended:
        progress = progress or Progress(begun.parts_done, max(begun.parts, begun.parts_done + 1))
        return Ended(job, begun, decision, message_ids, self._window.free_at(), progress)

    async def _broadcast_of(self, job: SendFinalMessage) -> int:
        async with self._pool.transaction("broadcast of") as tx:
            found = await deliveries.broadcast_of(tx, job.delivery_id)
        if found is None:
            raise Reject("there is no such delivery")
        return found

    async def _edition(self, job: SendFinalMessage, begun: Begun) -> dict[str, Any]:
        try:
            return await self._content(begun.broadcast_id, begun.edition)
        except Exception:  # nothing was asked of Telegram
            await self._ledger.withdraw(job)
            raise

    async def _content(self, broadcast_id: int, edition: int = 0) -> dict[str, Any]:
        known = self._contents.get(broadcast_id)
        if known is None or known[0] < edition:
            async with self._pool.transaction("content") as tx:
                known = await broadcasts.edition(tx, broadcast_id)
            if len(self._contents) >= _REMEMBERED:
                self._contents.pop(next(iter(self._contents)))
            self._contents[broadcast_id] = known
        return known[1]
