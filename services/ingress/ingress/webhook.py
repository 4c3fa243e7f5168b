"""POST /api/webhooks/telegram: the secret names the bot, the update becomes a job, 2xx comes only after it is durable.

A plain ASGI callable: the framework's routing, models and middleware would cost more than the publish
(docs/performance.md).
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace

from common.bus import tracing
from common.envelope import Envelope
from common.errors import BrokerUnavailable, ConfigurationError, StoreUnavailable, Unroutable
from common.ids import BotId, update_job_id
from common.store import outbox, quarantine
from common.telemetry import metrics
from common.telemetry.redact import describe
from common.telemetry.spans import CurrentSpan
from opentelemetry import trace
from opentelemetry.context import Context
from pydantic_core import from_json
from starlette.types import Receive, Scope, Send

from ingress import traffic
from ingress.backend import Backend
from ingress.body import BodyTooLarge, BodyTooSlow, ClientGone, read_body
from ingress.routing import Ignored, Route, Unreadable, route

PATH = "/api/webhooks/telegram"
MAX_BODY = 1024 * 1024  # bytes; Telegram's largest update is half of that (W7)
_SECRET_HEADER = b"x-telegram-bot-api-secret-token"
_BROKER_REST = 1.0  # seconds after a failure in which jobs go straight to the outbox: each would wait for the time box
_log = logging.getLogger(__name__)
_tracer = trace.get_tracer("muster.ingress")
_UPDATES = {
    outcome: metrics.UPDATES.labels(outcome) for outcome in ("published", "outbox", "ignored", "quarantined", "refused")
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and nothing else: a body with a `method` field would be executed by Telegram (W9)."""

    status: int
    retry_after: int | None = None


_DONE = Answer(200)
_COME_BACK = Answer(503, retry_after=5)  # Telegram retries for 24 hours


class Webhook:
    """One URL for every bot."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._broker_rests_until = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application for this one path."""
        # Under an empty context: strangers' trace headers are not believed.
        started = time.perf_counter()
        with CurrentSpan(_tracer, f"POST {PATH}", trace.SpanKind.SERVER, parent=Context()) as span:
            try:
                answer = await self._answer(scope, receive)
            except ClientGone:
                return
            except ConfigurationError as error:
                _log.error("webhook can't work: %s", error)
                answer = _COME_BACK
            if span.is_recording():
                span.set_attributes(
                    {"http.request.method": "POST", "http.route": PATH, "http.response.status_code": answer.status}
                )
            await _reply(send, answer, span)
        traffic.count(scope["method"], PATH, answer.status, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] != "POST":
            return Answer(405)
        bot_id = self._backend.secrets.bot(_header(scope, _SECRET_HEADER))
        if bot_id is None:
            return Answer(401)
        slots = self._backend.slots
        if slots.locked():
            return _COME_BACK
        async with slots:
            try:
                body = await read_body(scope, receive, limit=MAX_BODY)
            except BodyTooLarge:
                return Answer(413)
            except BodyTooSlow:
                return Answer(408)
            return await self._take(bot_id, body)

    async def _take(self, bot_id: BotId, body: bytes) -> Answer:
        try:
            update: object = from_json(body, allow_inf_nan=False)
        except (ValueError, RecursionError):
            return await self._quarantine(bot_id, body, "not JSON")
        match route(update):
            case Unreadable(reason=reason):
                return await self._quarantine(bot_id, body, reason)
            case Ignored(reason=reason):
                _log.debug("update ignored", extra={"bot_id": bot_id, "reason": reason})
                _UPDATES["ignored"].inc()
                return _DONE
            case Route() as found:
                return await self._hand_on(bot_id, found, body)

    async def _hand_on(self, bot_id: BotId, found: Route, body: bytes) -> Answer:
        message = Envelope(found.queue, _job(bot_id, found, body), found.kind, update_job_id(bot_id, found.update_id))
        if time.monotonic() >= self._broker_rests_until:
            try:
                await self._backend.publisher.send(message, span=trace.get_current_span())
            except (BrokerUnavailable, Unroutable) as error:
                self._broker_rests_until = time.monotonic() + _BROKER_REST
                _log.warning("broker away, job goes to the outbox", extra={"bot_id": bot_id, "error": describe(error)})
            else:
                _UPDATES["published"].inc()
                return _DONE
        return await self._keep(message, found, bot_id)

    async def _keep(self, message: Envelope, found: Route, bot_id: BotId) -> Answer:
        order = None if found.user_id is None else (f"{bot_id}:{found.user_id}", found.update_id)
        traced = replace(message, traceparent=tracing.traceparent(trace.get_current_span()))
        try:
            async with self._backend.pool.transaction("outbox") as tx:
                await outbox.add(tx, traced, order=order)
        except StoreUnavailable as error:
            _log.error("neither broker nor database", extra={"bot_id": bot_id, "error": describe(error)})
            _UPDATES["refused"].inc()
            return _COME_BACK
        _UPDATES["outbox"].inc()
        return _DONE

    async def _quarantine(self, bot_id: BotId, body: bytes, reason: str) -> Answer:
        _log.warning("update kept in quarantine", extra={"bot_id": bot_id, "reason": reason, "bytes": len(body)})
        try:
            async with self._backend.pool.transaction("quarantine") as tx:
                await quarantine.keep(tx, bot_id, body, reason)
        except StoreUnavailable:
            _UPDATES["refused"].inc()
            return _COME_BACK
        _UPDATES["quarantined"].inc()
        return _DONE


def _job(bot_id: BotId, found: Route, body: bytes) -> bytes:
    """The job around the update's own bytes: nothing is lost or changed by a second encoding."""
    user = b"" if found.user_id is None else b'"user_id":%d,' % found.user_id
    return b'{"kind":"%s","bot_id":%d,"update_id":%d,"received_ms":%d,%s"update":%s}' % (
        found.kind.encode(),
        bot_id,
        found.update_id,
        time.time() * 1000,
        user,
        body,
    )


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


async def _reply(send: Send, answer: Answer, span: trace.Span) -> None:
    headers = [(b"content-length", b"0")]
    context = span.get_span_context()
    if context.is_valid:
        headers.append((b"x-trace-id", f"{context.trace_id:032x}".encode()))
    if answer.retry_after is not None:
        headers.append((b"retry-after", str(answer.retry_after).encode()))
    if answer.status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
