"""Broadcasts: how far they are, and everything an operator does with one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from common.errors import AppError
from common.store import audit, broadcast_views, broadcasts, pool, revisions, steering
from common.store.broadcast_views import DeliveryView, Tally
from common.store.broadcasts import Broadcast, State
from common.store.revisions import Kind
from common.store.steering import Standing
from fastapi import APIRouter, Depends, Path, Query, Response, Security
from pydantic import Field

from ingress.api import estimates
from ingress.api.content import messages_each
from ingress.api.estimates import Ends
from ingress.api.fields import BIGINT, Answer, Id, Moment, Request
from ingress.api.messages import asked_for
from ingress.api.pages import Asked, Page
from ingress.api.revisions import RevisionAnswer, shown
from ingress.auth import Caller, authorized
from ingress.deps import Tx
from ingress.once import Once, once
from ingress.rules import steps

router = APIRouter(prefix="/api/broadcasts", tags=["broadcasts"])
Reader: TypeAlias = Annotated[Caller, Security(authorized, scopes=["broadcasts:read"])]
Writer: TypeAlias = Annotated[Caller, Security(authorized, scopes=["broadcasts:write"])]
Idempotent: TypeAlias = Annotated[Once, Depends(once)]
BroadcastId: TypeAlias = Annotated[int, Path(ge=1, le=BIGINT, examples=[1])]
DeliveryState: TypeAlias = Literal["pending", "slotted", "sending", "sent", "failed", "unknown", "cancelled", "expired"]


class BroadcastAnswer(Answer):
    """`total` grows while it is planned."""

    broadcast_id: int
    state: State
    priority: int
    on_unknown: str
    send_at: datetime
    expires_at: datetime | None
    pause_reason: str | None
    planned: bool
    total: int
    created_by: str
    created_at: datetime
    finished_at: datetime | None


class ListedBroadcast(BroadcastAnswer):
    """As lists show it."""

    revised: Annotated[Kind | None, Field(description="What was done last to its messages that were sent.")]
    excerpt: Annotated[str, Field(description="The Bot API's method, and the first 60 characters of text or caption.")]


class Progress(BroadcastAnswer, Ends):
    """With its deliveries by state."""

    message: Annotated[dict[str, Any], Field(description="The Bot API call that each group gets.")]
    targets: Annotated[dict[str, Any], Field(description="Whom it is for, as it was asked for.")]
    deliveries: Annotated[dict[str, int], Field(description="How many are in each state.")]
    rate: Annotated[float, Field(description="Sent a second, over the last ten seconds, or since the first.")]
    revisions: Annotated[list[RevisionAnswer], Field(description="Its recalls and edits, the newest first.")]


class DeliveryAnswer(Answer):
    """One group's message; `link` opens it for members of the group."""

    delivery_id: int
    group_id: int
    bot_id: int
    title: str
    state: DeliveryState
    attempts: int
    message_id: Annotated[int | None, Field(description="The first of `message_ids`.")]
    message_ids: Annotated[list[int], Field(description="Of all its parts, or of an album's items, as far as known.")]
    parts: Annotated[int, Field(description="Messages that it takes; 1 until the first of several was sent.")]
    parts_done: Annotated[int, Field(description="Those that are sent: they are not sent again.")]
    link: str | None
    error: Annotated[str | None, Field(description="Why it is not sent, or what else is to be said of it.")]
    settled_at: datetime | None


class Steered(Answer):
    """The state after it, and how many deliveries were changed."""

    broadcast_id: int
    state: State
    deliveries: int
    more: Annotated[bool, Field(description="There are more than one request takes: ask again.")]


class Resolved(Steered):
    """With the bound that makes further requests part of the same word."""

    settled_before: Annotated[
        datetime, Field(description="What ended later was left alone. Where there are more, ask again with it.")
    ]


class RetryFailed(Request):
    """How far back an operator's word reaches."""

    settled_before: Annotated[
        Moment | None, Field(description="Only what had ended by then, as the first answer named it; now without.")
    ] = None

    def bound(self, now: Standing) -> datetime:
        """Never ahead: what ends later nobody has seen."""
        return min(self.settled_before or now.asked_at, now.asked_at)


class ResolveUnknown(RetryFailed):
    """What became of sends whose end nobody knows: they were `sent`, or are to be sent again."""

    outcome: Literal["sent", "resend"]
    delivery_ids: Annotated[
        list[Id] | None, Field(min_length=1, max_length=10_000, description="Only these; all without.")
    ] = None


@router.get("", operation_id="list_broadcasts")
async def list_broadcasts(
    caller: Reader, tx: Tx, asked: Asked, state: Annotated[State | None, Query(description="In this state.")] = None
) -> Page[ListedBroadcast]:
    """List broadcasts, the newest first."""
    rows = await broadcast_views.page(
        tx, within=caller.bot_ids, state=state, before_id=asked.number(BIGINT), limit=asked.limit + 1
    )
    return asked.page(rows, lambda row: ListedBroadcast(**asdict(row)), lambda row: row.broadcast_id)


@router.get("/{broadcast_id}", operation_id="get_broadcast")
async def get_broadcast(caller: Reader, tx: Tx, broadcast_id: BroadcastId) -> Progress:
    """Show a broadcast with its progress."""
    await _visible(tx, broadcast_id, caller)
    found = await broadcasts.get(tx, broadcast_id)
    if found is None:
        raise _none()
    content = await broadcasts.content(tx, broadcast_id)
    each = messages_each(content)
    tally = await broadcast_views.tally(tx, broadcast_id, each)
    ends = await _ends(tx, found, tally, each, album=content["method"] == "sendMediaGroup")
    return Progress(
        **asdict(found),
        **ends.model_dump(),
        message=content,
        targets=asked_for(await broadcasts.targets(tx, broadcast_id)),
        deliveries=tally.by_state,
        rate=tally.rate,
        revisions=[await shown(tx, revision) for revision in await revisions.of(tx, broadcast_id)],
    )


@router.get("/{broadcast_id}/deliveries", operation_id="list_deliveries")
async def list_deliveries(
    caller: Reader,
    tx: Tx,
    asked: Asked,
    broadcast_id: BroadcastId,
    state: Annotated[DeliveryState | None, Query(description="In this state.")] = None,
) -> Page[DeliveryAnswer]:
    """List a broadcast's deliveries by group."""
    await _visible(tx, broadcast_id, caller)
    rows = await broadcast_views.deliveries(
        tx, broadcast_id, state=state, after_group=asked.number(0), limit=asked.limit + 1
    )
    return asked.page(rows, _delivery, lambda row: row.group_id)


@router.post("/{broadcast_id}:pause", response_model=Steered, operation_id="pause_broadcast")
async def pause(caller: Writer, one: Idempotent, broadcast_id: BroadcastId) -> Response:
    """Pause a broadcast: what is at Telegram already ends, nothing else begins."""

    async def act(tx: pool.Tx, now: Standing) -> int:
        _expect(now, "pause")
        await broadcasts.pause(tx, now.broadcast_id, "paused by an operator")
        return 0

    return await one.run(caller, _steering(broadcast_id, caller, "pause", act))


@router.post("/{broadcast_id}:resume", response_model=Steered, operation_id="resume_broadcast")
async def resume(caller: Writer, one: Idempotent, broadcast_id: BroadcastId) -> Response:
    """Resume a paused broadcast."""

    async def act(tx: pool.Tx, now: Standing) -> int:
        _expect(now, "resume")
        await broadcasts.resume(tx, now.broadcast_id)
        return 0

    return await one.run(caller, _steering(broadcast_id, caller, "resume", act))


@router.post("/{broadcast_id}:cancel", response_model=Steered, operation_id="cancel_broadcast")
async def cancel(caller: Writer, one: Idempotent, broadcast_id: BroadcastId) -> Response:
    """Cancel a broadcast for good: no send begins any more."""

    async def act(tx: pool.Tx, now: Standing) -> int:
        _expect(now, "cancel")
        await broadcasts.cancel(tx, now.broadcast_id)
        return 0

    return await one.run(caller, _steering(broadcast_id, caller, "cancel", act))


@router.post("/{broadcast_id}:retry_failed", response_model=Resolved, operation_id="retry_failed")
async def retry_failed(
    caller: Writer, one: Idempotent, broadcast_id: BroadcastId, body: RetryFailed | None = None
) -> Response:
    """Send again what failed, to groups that can be sent to."""
    asked = body or RetryFailed()

    async def act(tx: pool.Tx, now: Standing) -> int:
        _expect(now, "retry_failed")
        return await steering.again(tx, now.broadcast_id, "failed", before=asked.bound(now))

    return await one.run(caller, _steering(broadcast_id, caller, "retry_failed", act, asked.bound), body=body)


@router.post("/{broadcast_id}:resolve_unknown", response_model=Resolved, operation_id="resolve_unknown")
async def resolve_unknown(caller: Writer, one: Idempotent, broadcast_id: BroadcastId, body: ResolveUnknown) -> Response:
    """Say what became of sends whose end nobody knows."""

    async def act(tx: pool.Tx, now: Standing) -> int:
        if body.outcome == "sent":
            return await steering.mark_sent(tx, now.broadcast_id, body.delivery_ids, body.bound(now))
        _expect(now, "resolve_unknown")
        return await steering.again(tx, now.broadcast_id, "unknown", body.delivery_ids, body.bound(now))

    return await one.run(caller, _steering(broadcast_id, caller, "resolve_unknown", act, body.bound), body=body)


def _steering(
    broadcast_id: int,
    caller: Caller,
    action: str,
    act: Callable[[pool.Tx, Standing], Awaitable[int]],
    bound: Callable[[Standing], datetime] | None = None,
) -> Callable[[pool.Tx], Awaitable[Steered]]:
    """Under the row's lock, with an audit row."""

    async def effect(tx: pool.Tx) -> Steered:
        now = await steering.lock(tx, broadcast_id, caller.bot_ids)
        if now is None:
            raise _none()
        changed = await act(tx, now)
        after = await broadcasts.get(tx, broadcast_id)
        state = after.state if after else now.state
        entry = caller.entry(
            f"broadcast.{action}",
            f"broadcast:{broadcast_id}",
            before={"state": now.state},
            after={"state": state, "deliveries": changed},
            bot_ids=now.bot_ids,
        )
        await audit.record(tx, entry)
        done = Steered(broadcast_id=broadcast_id, state=state, deliveries=changed, more=changed == steering.MOST)
        return done if bound is None else Resolved(**done.model_dump(), settled_before=bound(now))

    return effect


def _expect(now: Standing, verb: str) -> None:
    why = steps.why_not(verb, now.state, expired=now.expired, recalled=now.recalled)
    if why is not None:
        detail = f"this can't be done with the broadcast: it {why}"
        raise AppError("wrong_state", 409, detail, state=now.state, possible_in=steps.POSSIBLE_IN[verb])


async def _visible(tx: pool.Tx, broadcast_id: int, caller: Caller) -> None:
    if not await broadcast_views.visible(tx, broadcast_id, caller.bot_ids):
        raise _none()


def _none() -> AppError:
    return AppError("broadcast_not_found", 404, "there is no such broadcast")


async def _ends(tx: pool.Tx, found: Broadcast, tally: Tally, each: int, *, album: bool) -> Ends:
    if found.state not in {"scheduled", "planning", "running"}:
        return Ends(held_by_reason=tally.held.by_reason)
    return await estimates.ends(
        tx,
        tally.waiting,
        tally.held,
        found.priority,
        begins=found.send_at,
        each=each,
        deep=1 if album else tally.deep,
        broadcast_id=found.broadcast_id,
    )


def _delivery(row: DeliveryView) -> DeliveryAnswer:
    fields = {name: value for name, value in asdict(row).items() if name not in {"chat_id", "reason"}}
    return DeliveryAnswer(**fields, error=row.reason, link=_link(row))


def _link(row: DeliveryView) -> str | None:
    """Supergroups only: their chat ids are -10^12 less the number that links use (Bot API)."""
    internal = -row.chat_id - 10**12
    return f"https://t.me/c/{internal}/{row.message_id}" if internal > 0 and row.message_id else None
