"""GET /api/audit: who changed what, from where."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from common.store import audit
from common.store.audit import Recorded
from fastapi import APIRouter, Security

from ingress.api.fields import BIGINT, Answer
from ingress.api.pages import Asked, Page
from ingress.auth import Caller, authorized
from ingress.deps import Tx

router = APIRouter(prefix="/api/audit", tags=["audit"])


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


@router.get("", operation_id="list_audit")
async def list_audit(
    caller: Annotated[Caller, Security(authorized, scopes=["audit:read"])], tx: Tx, asked: Asked
) -> Page[AuditAnswer]:
    """List changes, the newest first."""
    rows = await audit.page(tx, within=caller.bot_ids, before_id=asked.number(BIGINT), limit=asked.limit + 1)
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
