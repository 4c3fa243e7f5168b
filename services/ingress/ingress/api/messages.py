"""POST /api/send_messages: one message for many groups becomes a broadcast."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from common.bus import tracing
from common.bus.publisher import envelope
from common.clock import utc_now
from common.errors import AppError
from common.ids import JobId
from common.jobs import PlanBroadcast
from common.queues import GROUP_MESSAGE_QUEUE
from common.store import audience, audit, broadcasts, outbox
from common.store.backlog import Waiting
from common.store.broadcasts import Targets
from common.store.pool import Tx
from fastapi import APIRouter, Depends, Query, Response, Security
from opentelemetry import trace
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from ingress.api import blanks, estimates, media
from ingress.api.content import Message, messages_each
from ingress.api.estimates import Ends
from ingress.api.fields import Id, Moment, Request, Tag
from ingress.auth import Caller, authorized
from ingress.backend import Backend
from ingress.deps import backend_of
from ingress.once import Once, once

router = APIRouter(prefix="/api", tags=["broadcasts"])
_AHEAD = timedelta(days=366)  # how far a broadcast may be scheduled
LONGEST_TTL = 30 * 86400  # seconds


def _soon(send_at: datetime) -> datetime:
    if send_at > utc_now() + _AHEAD:
        raise ValueError("is more than a year ahead")
    return send_at


_Ids = Annotated[list[Id], Field(max_length=10_000, default_factory=list)]
_Tags = Annotated[list[Tag], Field(max_length=100, default_factory=list)]


class Recipients(Request):
    """All groups, or those named by id or tag, less the excluded; only groups that the key may see."""

    all: bool = False
    group_ids: _Ids
    tags: _Tags
    exclude_group_ids: _Ids
    exclude_tags: _Tags

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.all == bool(self.group_ids or self.tags):
            raise ValueError("give either all, or group_ids and tags")
        return self

    def within(self, bot_ids: list[int] | None) -> Targets:
        """As the plan reads them."""
        return Targets(self.all, self.group_ids, self.tags, self.exclude_group_ids, self.exclude_tags, bot_ids)


def asked_for(targets: Targets) -> dict[str, Any]:
    """As clients write it; its bots are the key's, which is not shown."""
    return {
        "all": targets.all_groups,
        "group_ids": targets.group_ids,
        "tags": targets.tags,
        "exclude_group_ids": targets.exclude_ids,
        "exclude_tags": targets.exclude_tags,
    }


class SendMessages(Request):
    """A message and whom it is for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "message": {"type": "text", "text": "<b>{{title}}</b>: we meet at noon.", "parse_mode": "HTML"},
                    "targets": {"tags": ["berlin"], "exclude_group_ids": [7]},
                    "priority": 5,
                    "ttl_seconds": 3600,
                }
            ]
        }
    )

    message: Message
    targets: Recipients
    priority: Annotated[int, Field(ge=0, le=9, description="9 goes first.")] = 5
    send_at: Annotated[
        Annotated[Moment, AfterValidator(_soon)] | None, Field(description="Not before; now without, or if past.")
    ] = None
    ttl_seconds: Annotated[int | None, Field(ge=1, le=LONGEST_TTL, description="What is unsent then expires.")] = None
    on_unknown: Annotated[
        Literal["report", "resend_once"], Field(description="What follows a send that nobody knows the end of.")
    ] = "report"


class Accepted(Ends):
    """What will happen; `broadcast_id` is null for a dry run."""

    broadcast_id: int | None
    accepted: int
    skipped: int
    skipped_by_reason: dict[str, int]
    messages_each: Annotated[
        int,
        Field(
            description="Messages that a group gets: an album's items; about the parts of a long text, without values."
        ),
    ]
    without_value: Annotated[
        dict[str, int],
        Field(description="By variable of the message: how many of the accepted groups get nothing in its place."),
    ]
    unknown_tags: Annotated[list[str], Field(description="Chosen or excluded tags that no group has.")]


@router.post("/send_messages", status_code=202, response_model=Accepted, operation_id="send_messages")
async def send_messages(
    body: SendMessages,
    caller: Annotated[Caller, Security(authorized, scopes=["messages:write"])],
    backend: Annotated[Backend, Depends(backend_of)],
    one: Annotated[Once, Depends(once)],
    dry_run: Annotated[  # noqa: FBT002
        bool, Query(description="Count and estimate only; nothing is written, and the same is refused.")
    ] = False,
) -> Response | Accepted:
    """Send one message to many groups: accepted here, sent as fast as Telegram allows."""
    if dry_run:
        async with backend.pool.transaction("dry run") as tx:
            await media.check(tx, body.message, caller)
            return await _estimate(tx, body, body.targets.within(caller.bot_ids))
    return await one.run(caller, lambda tx: _send(tx, body, caller), body=body, status=202)


async def _send(tx: Tx, body: SendMessages, caller: Caller) -> Accepted:
    files = await media.check(tx, body.message, caller)
    targets = body.targets.within(caller.bot_ids)
    estimate = await _estimate(tx, body, targets)
    broadcast_id = await broadcasts.create(
        tx,
        targets,
        body.message.content(),
        priority=body.priority,
        on_unknown=body.on_unknown,
        send_at=body.send_at,
        ttl=None if body.ttl_seconds is None else timedelta(seconds=body.ttl_seconds),
        created_by=f"key:{caller.owner}",
        traceparent=tracing.traceparent(trace.get_current_span()),
    )
    await media.hold(tx, files, _needed_until(body))
    await _plan(tx, broadcast_id)
    facts = {"accepted": estimate.accepted, "targets": body.targets.model_dump(exclude_defaults=True)}
    entry = caller.entry("broadcast.create", f"broadcast:{broadcast_id}", after=facts, bot_ids=caller.bot_ids)
    await audit.record(tx, entry)
    return estimate.model_copy(update={"broadcast_id": broadcast_id})


def _needed_until(body: SendMessages) -> datetime:
    """With a day for what is paused or retried; what is open beyond it keeps its files too."""
    return max(body.send_at or utc_now(), utc_now()) + timedelta(seconds=body.ttl_seconds or LONGEST_TTL, days=1)


async def _plan(tx: Tx, broadcast_id: int) -> None:
    """The job goes out with the commit; a scheduled one is planned by the brain when its time has come.

    Which one it is the row says: this machine's clock may be ahead of the database's.
    """
    row = await broadcasts.get(tx, broadcast_id)
    if row is not None and row.state == "planning":
        job = PlanBroadcast(broadcast_id=broadcast_id)
        await outbox.add(tx, envelope(GROUP_MESSAGE_QUEUE, job, job_id=JobId(f"plan:{broadcast_id}")))


async def _estimate(tx: Tx, body: SendMessages, targets: Targets) -> Accepted:
    """AppError for what reaches nobody, or has a variable that nobody has."""
    found, content = await audience.of(tx, targets, at=body.send_at), body.message.content()
    unknown_tags = await audience.unknown_tags(tx, targets) if targets.tags or targets.exclude_tags else []
    if found.accepted == 0:
        why = "no group can be sent to"
        raise AppError("no_recipients", 422, why, skipped_by_reason=found.skipped, unknown_tags=unknown_tags)
    blank = await blanks.check(tx, content, targets, found.accepted)
    each = messages_each(content)
    ends = await estimates.ends(
        tx,
        Waiting({bot: n * each for bot, n in found.by_bot.items()}, found.rates),
        found.held,
        body.priority,
        begins=body.send_at or utc_now(),
        each=each,
        deep=1 if body.message.type == "album" else each,
    )
    return Accepted(
        **ends.model_dump(),
        broadcast_id=None,
        accepted=found.accepted,
        skipped=sum(found.skipped.values()),
        skipped_by_reason=found.skipped,
        messages_each=each,
        without_value=blank,
        unknown_tags=unknown_tags,
    )
