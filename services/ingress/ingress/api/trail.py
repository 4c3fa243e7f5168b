"""GET /api/audit: who changed what, from where."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from common.errors import AppError
from common.store import audit
from common.store.audit import Filter, Recorded
from fastapi import APIRouter, Depends, Query, Security

from ingress.api.fields import Answer, Moment, Text
from ingress.api.pages import Asked, Page
from ingress.auth import Caller, authorized
from ingress.deps import Tx
from ingress.rules import shapes

router = APIRouter(prefix="/api/audit", tags=["audit"])
Kind: TypeAlias = Literal["bot", "broadcast", "group", "key", "media", "schedule", "webhook"]


class AuditAnswer(Answer):
    """One change."""

    audit_id: int
    at: datetime
    actor: str
    action: str
    object: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    ip: str | None
    trace_id: str | None


def _filter(
    key_id: Annotated[
        str | None, Query(pattern=shapes.KEY, description="By this key, or another of its rotation.")
    ] = None,
    actor: Annotated[
        Text | None, Query(max_length=200, examples=["cli:ops"], description="By exactly this one.")
    ] = None,
    action: Annotated[
        Text | None, Query(max_length=100, examples=["broadcast.pause"], description="Of this sort.")
    ] = None,
    kind: Annotated[Kind | None, Query(examples=["broadcast"], description="Of what was changed.")] = None,
    id: Annotated[  # noqa: A002 (the parameter's name)
        str | None,
        Query(pattern=shapes.OBJECT, examples=["12"], description="Of what was changed; needs `kind`."),
    ] = None,
    since: Annotated[Moment | None, Query(description="From then on.")] = None,
    until: Annotated[Moment | None, Query(description="Before then.")] = None,
) -> Filter:
    if id is not None and kind is None:
        raise AppError("kind_missing", 422, "an id alone names nothing: give its kind as well")
    return Filter(key_id, actor, action, kind, id, since, until)


@router.get("", operation_id="list_audit")
async def list_audit(
    caller: Annotated[Caller, Security(authorized, scopes=["audit:read"])],
    tx: Tx,
    asked: Asked,
    wanted: Annotated[Filter, Depends(_filter)],
) -> Page[AuditAnswer]:
    """List changes, the newest first: all, or those that every given filter fits."""
    rows = await audit.page(
        tx, within=caller.bot_ids, after=asked.number(0) or None, limit=asked.limit + 1, wanted=wanted
    )
    return asked.page(rows, _shown, lambda row: row.audit_id)


def _shown(row: Recorded) -> AuditAnswer:
    e = row.entry
    return AuditAnswer(
        audit_id=row.audit_id,
        at=row.at,
        actor=e.actor,
        action=e.action,
        object=e.object,
        before=e.before,
        after=e.after,
        ip=e.ip,
        trace_id=e.trace_id,
    )
