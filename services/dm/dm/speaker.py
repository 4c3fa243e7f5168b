"""Says what an update's transaction decided: each reply once, but for those in flight at a kill."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

from common.congestion import Refusal
from common.errors import HandBack, Reject, RetryLater, StoreUnavailable
from common.ids import UserId
from common.records import Reply, Turn
from common.registry import BotRegistry
from common.store import congestion, dialogues, replies
from common.store.pool import Pool
from common.telegram.client import BotAccess, BotApi
from common.telegram.errors import (
    Flood,
    Held,
    NotSent,
    SentDeleted,
    Stale,
    TelegramError,
    TokenRevoked,
    Transient,
    Unknown,
    UserGone,
    message_ids,
)
from common.telegram.limits import counts
from common.telemetry import metrics
from common.telemetry.redact import describe

from dm.turns import Turns

# Seconds after the first, second … attempt that Telegram did not take; the last one again and again.
_BACKOFF = (0.5, 1.0, 2.0, 5.0, 30.0, 120.0, 600.0)
_IN_PLACE = 2.0  # seconds up to which the job waits here, which keeps the order of one user's replies
_SHORT_FLOOD = 5.0  # seconds for one reply; the same for what Telegram asks for
_NEW_TOKEN = timedelta(seconds=1)
_SETTLE_AGAIN = 0.5  # seconds
_MAX_TRANSIENT = 8  # attempts answered 5xx (telegram.md, table E)
_REPLIES = {state: metrics.REPLIES.labels(state) for state in ("sent", "failed", "unknown")}
_log = logging.getLogger(__name__)


class Speaker:
    """A repeated answer is harmless and a missing one is not: what is ambiguous is said once more, then recorded."""

    def __init__(self, pool: Pool, api: BotApi, registry: BotRegistry, turns: Turns, stop: asyncio.Event) -> None:
        self._pool = pool
        self._api = api
        self._registry = registry
        self._turns = turns
        self._stop = stop

    async def say(self, pending: list[Reply], turns: list[Turn]) -> None:
        """In order; `turns` are those that were free when the replies were decided.

        RetryLater and HandBack leave the rest for the job's next attempt; Reject tells operators of a reply that did
        not get through.
        """
        refused: str | None = None
        for reply in pending:
            turn = None
            try:
                turn = await self._turn(reply, turns)
                refused = await self._say(await self._registry.access(reply.bot_id), reply, turn) or refused
            except (RetryLater, HandBack):
                async with self._pool.transaction("release replies") as tx:
                    await replies.release(tx, reply.bot_id, reply.update_id)
                    for held in (turn, *turns):
                        await self._turns.give_back(tx, held)
                raise
        if refused:
            raise Reject(f"a reply did not get through: {refused}")

    async def _turn(self, reply: Reply, turns: list[Turn]) -> Turn | None:
        if not counts(reply.method):
            return None
        return turns.pop(0) if turns else await self._turns.next(reply.bot_id, f"{reply.update_id}:{reply.seq}")

    async def _say(self, access: BotAccess, reply: Reply, turn: Turn | None) -> str | None:
        """Why it did not get through, where operators should know. `attempts` counts what may have been said."""
        missed, waited = 0, 0.0
        while True:
            if self._stop.is_set():
                raise HandBack  # a call that is begun now may outlast the time that is left
            try:
                result = await self._call(access, reply, turn)
            except Flood as flood:
                await self._tell(reply, flood)
                waited += flood.retry_after
                if waited > _SHORT_FLOOD:
                    raise RetryLater(timedelta(seconds=flood.retry_after), flood.outcome, counts=False) from None
                # The pacer remembers it: the next call waits there.
            except NotSent as trouble:
                missed += 1
                await _pause(missed, trouble)
            except Unknown as trouble:
                if reply.attempts >= (_MAX_TRANSIENT if isinstance(trouble, Transient) else 2):
                    return await self._unknown(reply, turn, trouble)
                reply = await self._once_more(reply, trouble)
            except TelegramError as error:
                return await self._answered(access, reply, turn, error)
            else:
                await self._settle(reply, turn, "sent", message_id=next(iter(message_ids(result)), None))
                return None

    async def _tell(self, reply: Reply, flood: Flood) -> None:
        """All processes that send for this bot; where it can't be told now, this one obeys it all the same."""
        if isinstance(flood, Held):
            return
        chat_id = reply.params.get("chat_id")
        chat, wait = chat_id if isinstance(chat_id, int) else None, timedelta(seconds=flood.retry_after)
        with suppress(StoreUnavailable):
            async with self._pool.transaction("flood") as tx:
                await congestion.note(tx, [Refusal(reply.bot_id, chat, wait)])

    async def _call(self, access: BotAccess, reply: Reply, turn: Turn | None) -> Any:
        if turn is not None:
            await self._turns.wait(turn)
        begun = time.monotonic()
        result = await self._api.call(access, reply.method, reply.params)
        self._turns.answered(time.monotonic() - begun)
        return result

    async def _once_more(self, reply: Reply, trouble: Unknown) -> Reply:
        async with self._pool.transaction("reply again") as tx:
            counted = await replies.again(tx, reply)
        if isinstance(trouble, Transient):
            await _pause(reply.attempts, trouble)
        return counted

    async def _answered(self, access: BotAccess, reply: Reply, turn: Turn | None, error: TelegramError) -> str | None:
        """What Telegram said clearly."""
        match error:
            case TokenRevoked():
                if not await self._registry.revoked(access):
                    raise RetryLater(_NEW_TOKEN, "the bot has another token by now", counts=False)
                raise Reject(f"the bot's token was revoked: {error}")
            case SentDeleted():
                await self._settle(reply, turn, "sent", reason=error.outcome)
                return None
        await self._settle(reply, turn, "failed", reason=error.outcome)
        if isinstance(error, UserGone):
            async with self._pool.transaction("user gone") as tx:
                await dialogues.set_status(tx, reply.bot_id, UserId(reply.chat_id), "blocked")
        return None if isinstance(error, UserGone | Stale) else str(error)

    async def _unknown(self, reply: Reply, turn: Turn | None, trouble: Unknown) -> str | None:
        """Most likely it was not said where Telegram answered 5xx each time: operators should know."""
        _log.error("reply ends unknown", extra={"bot_id": reply.bot_id, "update_id": reply.update_id})
        await self._settle(reply, turn, "unknown", reason=trouble.outcome)
        return str(trouble) if isinstance(trouble, Transient) else None

    async def _settle(
        self,
        reply: Reply,
        turn: Turn | None,
        state: str,
        *,
        message_id: int | None = None,
        reason: str | None = None,
    ) -> None:
        """Until it is written: handled again, a reply that was said would be said twice."""
        _REPLIES[state].inc()
        while True:
            try:
                async with self._pool.transaction("settle reply") as tx:
                    await replies.settle(tx, reply, state, message_id=message_id, reason=reason)
                    await self._turns.give_back(tx, turn)
            except StoreUnavailable as error:
                _log.warning("a reply's outcome waits", extra={"bot_id": reply.bot_id, "error": describe(error)})
                await asyncio.sleep(_SETTLE_AGAIN)
            else:
                return


async def _pause(failures: int, trouble: TelegramError) -> None:
    """Waits here for as long as order is worth it; RetryLater beyond."""
    pause = _BACKOFF[min(failures, len(_BACKOFF)) - 1]
    if pause > _IN_PLACE:
        raise RetryLater(timedelta(seconds=pause), f"Telegram: {trouble.outcome}", counts=False)
    await asyncio.sleep(pause)
