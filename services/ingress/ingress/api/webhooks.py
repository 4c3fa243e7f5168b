"""Webhooks out: addresses that are told what happens to broadcasts, deliveries and groups."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, TypeAlias

from common import addresses
from common.errors import AppError
from common.store import audit, events, pool, webhook_messages, webhooks
from common.store.webhook_messages import MessageView, State
from common.store.webhooks import Webhook
from fastapi import APIRouter, Depends, Path, Query, Response, Security

from ingress import sealing
from ingress.api.fields import BIGINT
from ingress.api.listening import (
    MadeWebhook,
    NewWebhook,
    Replay,
    Replayed,
    SecretRotation,
    Told,
    WebhookAnswer,
    WebhookChanges,
    WebhookDelivery,
)
from ingress.api.pages import Asked, Page
from ingress.auth import Caller, authorized
from ingress.backend import Backend
from ingress.deps import Tx, backend_of
from ingress.once import Once, once

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])
Reader: TypeAlias = Annotated[Caller, Security(authorized, scopes=["webhooks:read"])]
Writer: TypeAlias = Annotated[Caller, Security(authorized, scopes=["webhooks:write"])]
Idempotent: TypeAlias = Annotated[Once, Depends(once)]
WebhookId: TypeAlias = Annotated[int, Path(ge=1, le=BIGINT, examples=[1])]
Keys: TypeAlias = Annotated[Backend, Depends(backend_of)]
_PATIENCE = 3.0  # seconds for a name
_OWN, _ALL = 10, 100  # webhooks of one key's owner, and of everybody: each may have requests under way


@router.get("", operation_id="list_webhooks")
async def list_webhooks(caller: Reader, tx: Tx, asked: Asked) -> Page[WebhookAnswer]:
    """List webhooks by id."""
    rows = await webhooks.page(tx, within=caller.bot_ids, after=asked.number(0), limit=asked.limit + 1)
    return asked.page(rows, _shown, lambda row: row.webhook_id)


@router.post("", status_code=201, operation_id="make_webhook")
async def make_webhook(caller: Writer, backend: Keys, body: NewWebhook) -> MadeWebhook:
    """Register an address. The answer is the only place where its secret is; so nothing is kept under an
    Idempotency-Key here.
    """
    bot_ids = _within(caller, body.bot_ids)
    await _check_host(backend, body.url)
    owner = f"key:{caller.owner}"
    async with backend.pool.transaction("make_webhook") as tx:
        own, everybody = await webhooks.count(tx, owner)
        if own >= _OWN or everybody >= _ALL:
            raise AppError("too_many_webhooks", 409, f"there may be {_OWN} webhooks of one key, and {_ALL} in all")
        webhook_id = await webhooks.new_id(tx)
        secret, sealed = sealing.new_secret(backend.settings.webhook_keys.get_secret_value(), webhook_id)
        row = await webhooks.add(
            tx, webhook_id, body.url, sealed,
            kinds=sorted(set(body.kinds)), bot_ids=bot_ids, enabled=body.enabled, created_by=owner,
        )  # fmt: skip
        await _record(tx, caller, "webhook.create", row, before=None, after=_facts(row))
    return MadeWebhook(secret=secret, **asdict(row))


@router.get("/{webhook_id}/deliveries", operation_id="list_webhook_deliveries")
async def list_webhook_deliveries(
    caller: Reader,
    tx: Tx,
    asked: Asked,
    webhook_id: WebhookId,
    state: Annotated[State | None, Query(description="In this state.")] = None,
) -> Page[WebhookDelivery]:
    """List the requests to a webhook of the last 7 days, the newest first."""
    _found(await webhooks.get(tx, webhook_id, caller.bot_ids))
    rows = await webhook_messages.page(
        tx, webhook_id, state=state, before_id=asked.number(BIGINT), limit=asked.limit + 1
    )
    return asked.page(rows, _delivery, lambda row: row.message_id)


@router.post("/{webhook_id}:rotate_secret", status_code=201, operation_id="rotate_webhook_secret")
async def rotate_webhook_secret(
    caller: Writer, tx: Tx, backend: Keys, webhook_id: WebhookId, body: SecretRotation
) -> MadeWebhook:
    """Make a new secret, which is only in this answer. The one so far signs as well for a while, or with
    `overlap_seconds` 0 no more, nor does one from before it.
    """
    row = _found(await webhooks.lock(tx, webhook_id, caller.bot_ids))
    if row.old_until is not None and body.overlap_seconds > 0:
        raise AppError("already_rotating", 409, "two secrets are live already", until=row.old_until.isoformat())
    secret, sealed = sealing.new_secret(backend.settings.webhook_keys.get_secret_value(), webhook_id)
    saved = await webhooks.rotate(tx, webhook_id, sealed, timedelta(seconds=body.overlap_seconds))
    await _record(tx, caller, "webhook.rotate_secret", saved, before=None, after={"old_until": saved.old_until})
    return MadeWebhook(secret=secret, **asdict(saved))


@router.post("/{webhook_id}:test", status_code=202, response_model=Told, operation_id="test_webhook")
async def test_webhook(caller: Writer, one: Idempotent, webhook_id: WebhookId) -> Response:
    """Send an event `webhook.test` to it; its list of deliveries shows what became of it."""

    async def effect(tx: pool.Tx) -> Told:
        row = _enabled(await webhooks.lock(tx, webhook_id, caller.bot_ids))
        event_id = await events.test(tx, webhook_id, row.bot_ids)
        await _record(tx, caller, "webhook.test", row, before=None, after={"event_id": event_id})
        return Told(event_id=f"evt_{event_id}")

    return await one.run(caller, effect, status=202)


@router.post("/{webhook_id}:replay", status_code=202, response_model=Replayed, operation_id="replay_webhook")
async def replay_webhook(caller: Writer, one: Idempotent, webhook_id: WebhookId, body: Replay) -> Response:
    """Tell events of the last 7 days once more, under the ids that they had: all since a moment, all after one of
    them, or one.
    """

    async def effect(tx: pool.Tx) -> Replayed:
        row = _enabled(await webhooks.lock(tx, webhook_id, caller.bot_ids))
        moment = body.since or await webhook_messages.moment(tx, webhook_id, body.number)
        if moment is None:
            raise AppError("event_not_found", 422, "there is no such event that this webhook listens to")
        if body.event_id is not None:
            count, more = await webhook_messages.replay_one(tx, webhook_id, body.number), None
        else:
            count, more = await webhook_messages.replay_since(tx, webhook_id, moment, after=body.number)
        asked = body.model_dump(mode="json", exclude_none=True)
        await _record(tx, caller, "webhook.replay", row, before=None, after=asked | {"events": count})
        return Replayed(events=count, more_after=f"evt_{more}" if more else None)

    return await one.run(caller, effect, body=body, status=202)


@router.get("/{webhook_id}", operation_id="get_webhook")
async def get_webhook(caller: Reader, tx: Tx, webhook_id: WebhookId) -> WebhookAnswer:
    """Show a webhook."""
    return _shown(_found(await webhooks.get(tx, webhook_id, caller.bot_ids)))


@router.patch("/{webhook_id}", response_model=WebhookAnswer, operation_id="change_webhook")
async def change_webhook(
    caller: Writer, one: Idempotent, backend: Keys, webhook_id: WebhookId, body: WebhookChanges
) -> Response:
    """Change a webhook. Enabled again, it also gets what was kept for it while Muster had it disabled."""
    again = await one.before(caller, body=body)
    if again is not None:
        return again
    async with backend.pool.transaction("get_webhook") as tx:  # nobody's host is looked up for who may not change it
        _found(await webhooks.get(tx, webhook_id, caller.bot_ids))
    if body.url is not None:
        await _check_host(backend, body.url)

    async def effect(tx: pool.Tx) -> WebhookAnswer:
        row = _found(await webhooks.lock(tx, webhook_id, caller.bot_ids))
        saved = await webhooks.save(
            tx,
            webhook_id,
            url=row.url if body.url is None else body.url,
            kinds=row.kinds if body.kinds is None else sorted(set(body.kinds)),
            enabled=body.enabled,
        )
        await _record(tx, caller, "webhook.change", saved, before=_facts(row), after=_facts(saved))
        return _shown(saved)

    return await one.run(caller, effect, body=body)


@router.delete("/{webhook_id}", response_model=WebhookAnswer, operation_id="remove_webhook")
async def remove_webhook(caller: Writer, one: Idempotent, webhook_id: WebhookId) -> Response:
    """Remove a webhook: what waits for it is not told any more; a request that is under way ends."""

    async def effect(tx: pool.Tx) -> WebhookAnswer:
        row = _found(await webhooks.lock(tx, webhook_id, caller.bot_ids))
        await webhooks.remove(tx, webhook_id)
        await _record(tx, caller, "webhook.remove", row, before=_facts(row), after=None)
        return _shown(row)

    return await one.run(caller, effect)


async def _check_host(backend: Backend, url: str) -> None:
    """Now; and once more at each request, for names are given other addresses.

    One answer, whatever is wrong: which names lead inside is nobody's business.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            await addresses.resolve_public(addresses.host_of(url), backend.names)
    except (OSError, ValueError):  # a TimeoutError is an OSError
        place = {"in": "body", "at": "url", "what": "must have a host that is found now, at public addresses alone"}
        raise AppError("invalid_request", 422, "the request is not valid", errors=[place]) from None


def _within(caller: Caller, bot_ids: list[int] | None) -> list[int] | None:
    if bot_ids is None:
        return caller.bot_ids
    if not all(map(caller.reaches, bot_ids)):
        raise AppError("beyond_bots", 403, "the key is limited to some bots, and so is what it makes")
    return sorted(set(bot_ids))


async def _record(
    tx: pool.Tx,
    caller: Caller,
    action: str,
    row: Webhook,
    *,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    thing = f"webhook:{row.webhook_id}"
    await audit.record(tx, caller.entry(action, thing, before=before, after=after, bot_ids=row.bot_ids))


def _facts(row: Webhook) -> dict[str, Any]:
    """For the audit trail: of its address only the host, for a path may be a password."""
    return {
        "host": addresses.host_of(row.url),
        "kinds": row.kinds,
        "enabled": row.enabled,
        "disabled_reason": row.disabled_reason,
    }


def _shown(row: Webhook) -> WebhookAnswer:
    return WebhookAnswer(**asdict(row))


def _delivery(row: MessageView) -> WebhookDelivery:
    return WebhookDelivery(
        delivery_id=row.message_id,
        kind=row.kind,
        event_ids=[f"evt_{event_id}" for event_id in row.event_ids],
        state=row.state,
        attempts=row.attempts,
        status=row.status,
        reason=row.reason,
        created_at=row.created_at,
        next_at=row.due_at if row.state == "pending" else None,
        settled_at=row.settled_at,
    )


def _enabled(row: Webhook | None) -> Webhook:
    if not _found(row).enabled:
        raise AppError("wrong_state", 409, "this can't be done with the webhook: it is disabled", state="disabled")
    return _found(row)


def _found(row: Webhook | None) -> Webhook:
    if row is None:
        raise AppError("webhook_not_found", 404, "there is no such webhook")
    return row
