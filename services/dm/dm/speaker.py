"""Says what an update's transaction decided: each reply once, but for those in flight at a kill."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

from common.errors import Reject, RetryLater
from common.ids import UserId
from common.records import Reply
from common.registry import BotRegistry
from common.store import dialogues, replies
from common.store.pool import Pool
from common.telegram.client import BotAccess, BotApi
from common.telegram.errors import Flood, NotSent, Stale, TelegramError, TokenRevoked, Unknown, UserGone
from common.telemetry import metrics

_PATIENCE = (0.5, 1.0, 2.0)  # seconds between attempts in place, which keep the order of one user's replies
_LATER = timedelta(seconds=5)
_log = logging.getLogger(__name__)


class Speaker:
    """A repeated answer is harmless and a missing one is not: an ambiguous send is said again, five times at most."""

    def __init__(self, pool: Pool, api: BotApi, registry: BotRegistry) -> None:
        self._pool = pool
        self._api = api
        self._registry = registry

    async def say(self, pending: list[Reply]) -> None:
        """In order. RetryLater leaves the rest for the job's next attempt; Reject tells operators of a reply that is
        ours to mend.
        """
        refused: str | None = None
        for reply in pending:
            refused = await self._say(await self._registry.access(reply.bot_id), reply) or refused
        if refused:
            raise Reject(f"Telegram refused a reply: {refused}")

    async def _say(self, access: BotAccess, reply: Reply) -> str | None:
        """The refusal, if there was one that is our mistake."""
        for pause in (*_PATIENCE, None):
            try:
                result = await self._api.call(access, reply.method, reply.params)
            except Flood as flood:
                raise RetryLater(timedelta(seconds=flood.retry_after), "flood", counts=False) from None
            except (NotSent, Unknown) as trouble:
                if pause is None:
                    raise RetryLater(_LATER, f"Telegram: {trouble.outcome}") from None
                await asyncio.sleep(pause)
                if isinstance(trouble, Unknown) and not await self._count(reply):
                    return None
            except TokenRevoked as error:
                await self._registry.revoked(reply.bot_id)
                raise Reject(f"the bot's token was revoked: {error}") from None
            except TelegramError as error:
                return await self._failed(reply, error)
            else:
                await self._settle(reply, "sent", message_id=_message_id(result))
                return None
        return None

    async def _failed(self, reply: Reply, error: TelegramError) -> str | None:
        await self._settle(reply, "failed", reason=error.outcome)
        if isinstance(error, UserGone):
            async with self._pool.transaction("user gone") as tx:
                await dialogues.set_status(tx, reply.bot_id, UserId(reply.chat_id), "blocked")
        return None if isinstance(error, UserGone | Stale) else str(error)

    async def _count(self, reply: Reply) -> bool:
        async with self._pool.transaction("reply again") as tx:
            allowed = await replies.again(tx, reply)
        if not allowed:
            metrics.REPLIES.labels("unknown").inc()
            _log.error("reply ends unknown", extra={"bot_id": reply.bot_id, "update_id": reply.update_id})
        return allowed

    async def _settle(
        self, reply: Reply, state: str, *, message_id: int | None = None, reason: str | None = None
    ) -> None:
        metrics.REPLIES.labels(state).inc()
        async with self._pool.transaction("settle reply") as tx:
            await replies.settle(tx, reply, state, message_id=message_id, reason=reason)


def _message_id(result: Any) -> int | None:
    return result.get("message_id") if isinstance(result, dict) else None
