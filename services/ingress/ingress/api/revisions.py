"""Recalls and edits: what is done to a broadcast's messages after they were sent."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from common.clock import utc_now
from common.errors import AppError
from common.store import audit, backlog, broadcast_views, broadcasts, pool, revision_items, revisions, steering
from common.store.broadcasts import State
from common.store.revision_items import ItemView
from common.store.revisions import Kind, Revision
from common.store.steering import Standing
from fastapi import APIRouter, Depends, Path, Query, Response, Security
from pydantic import Field

from ingress.api import blanks, edits
from ingress.api.edits import Edit, EditAll
from ingress.api.fields import BIGINT, Answer
from ingress.api.pages import Asked, Page
from ingress.auth import Caller, authorized
from ingress.deps import Tx
from ingress.once import Once, once
from ingress.rules import eta, steps

router = APIRouter(prefix="/api/broadcasts", tags=["broadcasts"])
Reader: TypeAlias = Annotated[Caller, Security(authorized, scopes=["broadcasts:read"])]
Writer: TypeAlias = Annotated[Caller, Security(authorized, scopes=["broadcasts:write"])]
Idempotent: TypeAlias = Annotated[Once, Depends(once)]
Number: TypeAlias = Annotated[int, Path(ge=1, le=BIGINT, examples=[1])]
ItemState: TypeAlias = Literal["pending", "slotted", "sending", "done", "failed", "not_recallable", "cancelled"]


class RevisionAnswer(Answer):
    """A recall or an edit. `superseded`: a later one took its place; `stopped`: Telegram refuses the new content."""

    revision_id: int
    kind: Kind
    state: Literal["running", "superseded", "stopped", "done"]
    reason: str | None
    total: Annotated[int, Field(description="Messages that it is about; grows while it is planned.")]
    messages: Annotated[dict[str, int], Field(description="How many are in each state.")]
    eta_seconds: Annotated[int | None, Field(description="Until the last one is done; null once it runs no more.")]
    created_by: str
    created_at: datetime
    finished_at: datetime | None


class Revised(Answer):
    """What will happen to messages that were sent."""

    broadcast_id: int
    state: Annotated[State, Field(description="The broadcast's.")]
    revision_id: int
    kind: Kind
    sent: Annotated[int, Field(description="Messages that were sent until now.")]
    not_recallable: Annotated[int, Field(description="Those that are older than 48 hours: Telegram keeps them.")]
    eta_seconds: Annotated[int, Field(description="Until the last one is done, if nothing more urgent comes.")]


class RevisedDelivery(Answer):
    """One group's message; `error` says why it is not done."""

    delivery_id: int
    group_id: int
    bot_id: int
    title: str
    state: ItemState
    attempts: int
    error: str | None
    settled_at: datetime | None


@router.post("/{broadcast_id}:recall", status_code=202, response_model=Revised, operation_id="recall_broadcast")
async def recall(caller: Writer, one: Idempotent, broadcast_id: Number) -> Response:
    """Delete what was sent, as far as Telegram allows: within 48 hours. What is unsent of a paused one is cancelled."""

    async def effect(tx: pool.Tx) -> Revised:
        now = await _locked(tx, broadcast_id, caller, "recall")
        found = await revisions.recall_of(tx, broadcast_id)
        if found is not None:
            return await _revised(tx, now.state, broadcast_id, found.revision_id, "recall", found.priority)
        cancelled = await broadcasts.cancel(tx, broadcast_id)
        revision_id = await revisions.create(
            tx,
            broadcast_id,
            "recall",
            priority=revisions.RECALL_PRIORITY,
            content=None,
            created_by=f"key:{caller.owner}",
        )
        state: State = "cancelled" if cancelled else now.state
        answer = await _revised(tx, state, broadcast_id, revision_id, "recall", revisions.RECALL_PRIORITY)
        await _record(tx, caller, now, answer)
        return answer

    return await one.run(caller, effect, status=202)


@router.post("/{broadcast_id}:edit_all", status_code=202, response_model=Revised, operation_id="edit_broadcast")
async def edit_all(caller: Writer, one: Idempotent, broadcast_id: Number, body: EditAll) -> Response:
    """Give every sent message another text, caption or buttons; what is sent later has them too."""

    async def effect(tx: pool.Tx) -> Revised:
        now = await _locked(tx, broadcast_id, caller, "edit_all")
        current = await broadcasts.content(tx, broadcast_id)
        call = edits.call(body.edit, current)
        await _possible(tx, broadcast_id, body.edit, current)
        await blanks.check_edit(tx, call, broadcast_id)
        revision_id = await revisions.create(
            tx,
            broadcast_id,
            "edit",
            priority=now.priority,
            content=call,
            created_by=f"key:{caller.owner}",
        )
        await revisions.change_content(tx, broadcast_id, edits.applied(body.edit, current))
        answer = await _revised(tx, now.state, broadcast_id, revision_id, "edit", now.priority)
        await _record(tx, caller, now, answer)
        return answer

    return await one.run(caller, effect, body=body, status=202)


@router.get("/{broadcast_id}/revisions/{revision_id}/deliveries", operation_id="list_revision_deliveries")
async def list_revision_deliveries(
    caller: Reader,
    tx: Tx,
    asked: Asked,
    broadcast_id: Number,
    revision_id: Number,
    state: Annotated[ItemState | None, Query(description="In this state.")] = None,
) -> Page[RevisedDelivery]:
    """List by group what became of each message in a recall or an edit."""
    if not await broadcast_views.visible(tx, broadcast_id, caller.bot_ids):
        raise _none()
    rows = await revision_items.page(
        tx, broadcast_id, revision_id, state=state, after_group=asked.number(0), limit=asked.limit + 1
    )
    if rows is None:
        raise AppError("revision_not_found", 404, "the broadcast has no such revision")
    return asked.page(rows, _item, lambda row: row.group_id)


async def shown(tx: pool.Tx, revision: Revision) -> RevisionAnswer:
    """As a broadcast's progress has it."""
    fields = {
        name: value for name, value in asdict(revision).items() if name not in {"broadcast_id", "items", "priority"}
    }
    runs = revision.state == "running" and revision.finished_at is None
    left = await _eta(tx, revision.revision_id, revision.priority) if runs else None
    return RevisionAnswer(**fields, messages=revision.items, eta_seconds=left)


async def _eta(tx: pool.Tx, revision_id: int, priority: int) -> int:
    waiting, now = await backlog.of_revision(tx, revision_id), utc_now()
    ahead = await backlog.ahead(tx, waiting.by_bot, priority, revision_id=revision_id)
    return eta.seconds(waiting.by_bot, ahead, waiting.rates, begins=now, now=now)


async def _locked(tx: pool.Tx, broadcast_id: int, caller: Caller, verb: str) -> Standing:
    """So that it is not resumed meanwhile."""
    now = await steering.lock(tx, broadcast_id, caller.bot_ids)
    if now is None:
        raise _none()
    why = steps.why_not(verb, now.state, recalled=now.recalled)
    if why is not None:
        detail = f"the broadcast {why}"
        raise AppError("wrong_state", 409, detail, state=now.state, possible_in=steps.POSSIBLE_IN[verb])
    return now


async def _possible(tx: pool.Tx, broadcast_id: int, edit: Edit, current: dict[str, Any]) -> None:
    why_not = edits.refusal(edit, current)
    if why_not is None and edit.type == "text" and await revisions.in_parts(tx, broadcast_id):
        why_not = (
            "every group has the text in several messages, and an edit replaces only one: recall it, and send anew"
        )
    if why_not is not None:
        raise AppError("edit_mismatch", 422, why_not)


async def _revised(
    tx: pool.Tx, state: State, broadcast_id: int, revision_id: int, kind: Kind, priority: int
) -> Revised:
    reach = await revisions.reach(tx, broadcast_id)
    return Revised(
        broadcast_id=broadcast_id,
        state=state,
        revision_id=revision_id,
        kind=kind,
        sent=reach.sent,
        not_recallable=reach.too_old if kind == "recall" else 0,
        eta_seconds=await _eta(tx, revision_id, priority),
    )


async def _record(tx: pool.Tx, caller: Caller, before: Standing, answer: Revised) -> None:
    after: dict[str, Any] = {"state": answer.state, "revision_id": answer.revision_id, "sent": answer.sent}
    entry = caller.entry(
        f"broadcast.{answer.kind}",
        f"broadcast:{answer.broadcast_id}",
        before={"state": before.state},
        after=after,
        bot_ids=before.bot_ids,
    )
    await audit.record(tx, entry)


def _item(row: ItemView) -> RevisedDelivery:
    fields = {name: value for name, value in asdict(row).items() if name != "reason"}
    return RevisedDelivery(**fields, error=row.reason)


def _none() -> AppError:
    return AppError("broadcast_not_found", 404, "there is no such broadcast")
