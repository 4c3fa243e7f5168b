"""Says what an update's transaction decided: each reply once, but for those in flight at a kill."""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import timedelta
from typing import Any

from common.errors import Reject, RetryLater, StoreUnavailable
from common.ids import UserId
from common.records import Reply
from common.registry import BotRegistry
from common.store import dialogues, replies
from common.store.pool import Pool
from common.telegram.client import BotAccess, BotApi
from common.telegram.errors import (
    Flood,
    NotSent,
    SentDeleted,
    Stale,
    TelegramError,
    TokenRevoked,
    Transient,
    Unknown,
    UserGone,
)
from common.telemetry import metrics
from common.telemetry.redact import describe

# Seconds after the first, second … attempt that Telegram did not take; the last one again and again.
_BACKOFF = (0.5, 1.0, 2.0, 5.0, 30.0, 120.0, 600.0)
_IN_PLACE = 2.0  # seconds up to which the job waits here, which keeps the order of one user's replies
_SETTLE_AGAIN = 0.5  # seconds
_MAX_TRANSIENT = 8  # attempts answered 5xx (telegram.md, table E)
_log = logging.getLogger(__name__)


class Speaker:
    """A repeated answer is harmless and a missing one is not: what is ambiguous is said once more, then recorded."""

    def __init__(self, pool: Pool, api: BotApi, registry: BotRegistry) -> None:
        self._pool = pool
        self._api = api
        self._registry = registry
        self.owner = uuid.uuid4().hex  # whose claims on replies are this process's

    async def say(self, pending: list[Reply]) -> None:
        """In order.

        RetryLater leaves the rest for the job's next attempt; Reject tells operators of a reply that is ours to mend.
        """
        refused: str | None = None
        for reply in pending:
            try:
                refused = await self._say(await self._registry.access(reply.bot_id), reply) or refused
            except RetryLater:
                async with self._pool.transaction("release replies") as tx:
                    await replies.release(tx, reply.bot_id, reply.update_id)
                raise
        if refused:
            raise Reject(f"Telegram refused a reply: {refused}")

    async def _say(self, access: BotAccess, reply: Reply) -> str | None:
        """The refusal, if there was one that is our mistake."""
        resent = False
        while True:
            try:
                result = await self._api.call(access, reply.method, reply.params)
            except (NotSent, Transient) as trouble:
                if isinstance(trouble, Transient) and reply.attempts >= _MAX_TRANSIENT:
                    await self._unknown(reply)
                    return None
                reply = await self._later(reply, trouble)
            except Unknown:
                if resent:
                    await self._unknown(reply)
                    return None
                resent, reply = True, await self._count(reply)
            except TelegramError as error:
                return await self._answered(reply, error)
            else:
                await self._settle(reply, "sent", message_id=_message_id(result))
                return None

    async def _later(self, reply: Reply, trouble: TelegramError) -> Reply:
        pause = _BACKOFF[min(reply.attempts, len(_BACKOFF)) - 1]
        if pause > _IN_PLACE:
            raise RetryLater(timedelta(seconds=pause), f"Telegram: {trouble.outcome}", counts=False)
        await asyncio.sleep(pause)
        return await self._count(reply)

    async def _count(self, reply: Reply) -> Reply:
        async with self._pool.transaction("reply again") as tx:
            return await replies.again(tx, reply)

    async def _answered(self, reply: Reply, error: TelegramError) -> str | None:
        """What Telegram said clearly."""
        match error:
            case Flood(retry_after=seconds):
                raise RetryLater(timedelta(seconds=seconds), "flood", counts=False)
            case TokenRevoked():
                await self._registry.revoked(reply.bot_id)
                raise Reject(f"the bot's token was revoked: {error}")
            case SentDeleted():
                await self._settle(reply, "sent", reason=error.outcome)
                return None
        await self._settle(reply, "failed", reason=error.outcome)
        if isinstance(error, UserGone):
            async with self._pool.transaction("user gone") as tx:
                await dialogues.set_status(tx, reply.bot_id, UserId(reply.chat_id), "blocked")
        return None if isinstance(error, UserGone | Stale) else str(error)

    async def _unknown(self, reply: Reply) -> None:
        _log.error("reply ends unknown", extra={"bot_id": reply.bot_id, "update_id": reply.update_id})
        await self._settle(reply, "unknown", reason="no readable answer")

    async def _settle(
        self, reply: Reply, state: str, *, message_id: int | None = None, reason: str | None = None
    ) -> None:
        """Until it is written: handled again, a reply that was said would be said twice."""
        metrics.REPLIES.labels(state).inc()
        while True:
            try:
                async with self._pool.transaction("settle reply") as tx:
                    await replies.settle(tx, reply, state, message_id=message_id, reason=reason)
            except StoreUnavailable as error:
                _log.warning("a reply's outcome waits", extra={"bot_id": reply.bot_id, "error": describe(error)})
                await asyncio.sleep(_SETTLE_AGAIN)
            else:
                return


def _message_id(result: Any) -> int | None:
    return result.get("message_id") if isinstance(result, dict) else None
