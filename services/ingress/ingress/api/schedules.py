"""Schedules: a message that goes out again and again, by a cron expression in a time zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Annotated, Any, TypeAlias

from common.clock import utc_now
from common.cron import Cron
from common.errors import AppError
from common.store import audience, audit, broadcasts, pool, schedules
from common.store.schedules import Plan, Run, Schedule
from fastapi import APIRouter, Depends, Path, Response, Security

from ingress.api import blanks, content, media
from ingress.api.fields import BIGINT
from ingress.api.messages import asked_for
from ingress.api.pages import Asked, Page
from ingress.api.recurrence import Dates, NewSchedule, PlacedSchedule, RunAnswer, ScheduleAnswer, ScheduleChanges, When
from ingress.auth import Caller, authorized
from ingress.deps import Tx
from ingress.once import Once, once
from ingress.rules import markup

router = APIRouter(prefix="/api", tags=["schedules"])
Reader: TypeAlias = Annotated[Caller, Security(authorized, scopes=["schedules:read"])]
Writer: TypeAlias = Annotated[Caller, Security(authorized, scopes=["schedules:write"])]
Idempotent: TypeAlias = Annotated[Once, Depends(once)]
ScheduleId: TypeAlias = Annotated[int, Path(ge=1, le=BIGINT, examples=[1])]
_SHOWN = 5  # dates ahead


@router.get("/schedules", operation_id="list_schedules")
async def list_schedules(caller: Reader, tx: Tx, asked: Asked) -> Page[ScheduleAnswer]:
    """List schedules by id."""
    rows = await schedules.page(tx, within=caller.bot_ids, after=asked.number(0), limit=asked.limit + 1)
    return asked.page(rows, _shown, lambda row: row.schedule_id)


@router.post("/schedules", status_code=201, response_model=PlacedSchedule, operation_id="make_schedule")
async def make_schedule(caller: Writer, one: Idempotent, body: NewSchedule) -> Response:
    """Make a schedule. What it sends needs no further permission: `schedules:write` is a right to send."""

    async def effect(tx: pool.Tx) -> PlacedSchedule:
        plan = _dated(body.plan(caller.bot_ids), await schedules.now(tx))
        if plan.enabled and plan.next_at is None:
            raise AppError("never", 422, "nothing comes before ends_at")
        await media.check(tx, body.message, caller)
        await _fillable(tx, plan)
        row = await schedules.add(tx, plan, f"key:{caller.owner}")
        await _record(tx, caller, "schedule.create", row, before=None, after=_facts(row.plan))
        return await _placed(tx, row)

    return await one.run(caller, effect, body=body, status=201)


@router.post("/schedules:preview", operation_id="preview_schedule")
async def preview_schedule(caller: Reader, tx: Tx, body: When) -> Dates:  # noqa: ARG001 (asks for the scope)
    """Show the next dates of an expression; nothing is written."""
    cron = Cron(body.cron, body.timezone)
    return Dates(next_dates=_dates(cron, await schedules.now(tx), body.ends_at))


@router.get("/schedules/{schedule_id}/runs", operation_id="list_schedule_runs")
async def list_schedule_runs(caller: Reader, tx: Tx, asked: Asked, schedule_id: ScheduleId) -> Page[RunAnswer]:
    """List what became of a schedule's occurrences, the newest first."""
    _found(await schedules.get(tx, schedule_id, caller.bot_ids))
    before = _moment(asked.number(0))
    rows = await schedules.runs(tx, schedule_id, before=before, limit=asked.limit + 1)
    return asked.page(rows, _run, lambda row: int(row.due_at.timestamp()))


@router.get("/schedules/{schedule_id}", operation_id="get_schedule")
async def get_schedule(caller: Reader, tx: Tx, schedule_id: ScheduleId) -> ScheduleAnswer:
    """Show a schedule with its next dates."""
    return _shown(_found(await schedules.get(tx, schedule_id, caller.bot_ids)))


@router.patch("/schedules/{schedule_id}", response_model=PlacedSchedule, operation_id="change_schedule")
async def change_schedule(caller: Writer, one: Idempotent, schedule_id: ScheduleId, body: ScheduleChanges) -> Response:
    """Change a schedule. Enabled again, it goes on with the next date to come."""

    async def effect(tx: pool.Tx) -> PlacedSchedule:
        row = _found(await schedules.lock(tx, schedule_id, caller.bot_ids))
        if body.message is not None:
            await media.check(tx, body.message, caller)
        plan = await _moved(tx, row, body.onto(row.plan)) if body.moves else body.onto(row.plan)
        if body.moves and plan.next_at is not None:  # nobody kept the file of one that was over
            await media.hold(tx, content.files_of(plan.content), utc_now() + timedelta(days=1))
        if body.message is not None or body.targets is not None:
            await _fillable(tx, plan)
        saved = await schedules.save(tx, schedule_id, plan)
        await _record(tx, caller, "schedule.change", saved, before=_facts(row.plan), after=_facts(saved.plan))
        return await _placed(tx, saved)

    return await one.run(caller, effect, body=body)


@router.delete("/schedules/{schedule_id}", response_model=ScheduleAnswer, operation_id="remove_schedule")
async def remove_schedule(caller: Writer, one: Idempotent, schedule_id: ScheduleId) -> Response:
    """Remove a schedule with the record of its occurrences; its broadcasts stay and go on."""

    async def effect(tx: pool.Tx) -> ScheduleAnswer:
        row = _found(await schedules.lock(tx, schedule_id, caller.bot_ids))
        await schedules.remove(tx, schedule_id)
        await _record(tx, caller, "schedule.remove", row, before=_facts(row.plan), after=None)
        return _shown(replace(row, plan=replace(row.plan, enabled=False, next_at=None)))  # nothing comes of it now

    return await one.run(caller, effect)


def _dated(plan: Plan, now: datetime) -> Plan:
    """With the first date that is still to come."""
    try:
        cron = Cron(plan.cron, plan.timezone)
    except ValueError as error:
        place = {"in": "body", "at": "cron", "what": str(error)}
        raise AppError("invalid_request", 422, "the request is not valid", errors=[place]) from None
    dates = _dates(cron, now, plan.ends_at) if plan.enabled else []
    return replace(plan, next_at=dates[0].astimezone(UTC) if dates else None)


async def _moved(tx: pool.Tx, row: Schedule, plan: Plan) -> Plan:
    """An occurrence that is due and not yet dealt with stays the next one; where it is none any more, that is noted."""
    now = await schedules.now(tx)
    was, due, dated = row.plan, row.plan.next_at, _dated(plan, now)
    if due is None or due > now:
        return dated
    same = (plan.cron, plan.timezone) == (was.cron, was.timezone)
    if same and plan.enabled and (plan.ends_at is None or due <= plan.ends_at):
        return replace(plan, next_at=due)
    await schedules.skip(tx, row.schedule_id, [due], "the schedule was changed before it ran")
    return dated


async def _fillable(tx: pool.Tx, plan: Plan) -> None:
    """Not where it reaches nobody yet: groups are chosen anew each time."""
    if markup.variables(plan.content["params"]):
        await blanks.check(tx, plan.content, plan.targets, (await broadcasts.count(tx, plan.targets)).reached)


def _dates(cron: Cron, after: datetime, ends_at: datetime | None, most: int = _SHOWN) -> list[datetime]:
    found = takewhile(lambda at: ends_at is None or at <= ends_at, cron.after(after))
    return [at.astimezone(cron.zone) for at in islice(found, most)]


async def _placed(tx: pool.Tx, row: Schedule) -> PlacedSchedule:
    to = row.plan.targets
    unknown = await audience.unknown_tags(tx, to) if to.tags or to.exclude_tags else []
    reached = (await broadcasts.count(tx, to)).reached
    return PlacedSchedule(**_shown(row).model_dump(), accepted=reached, unknown_tags=unknown)


def _shown(row: Schedule) -> ScheduleAnswer:
    plan = row.plan
    return ScheduleAnswer(
        schedule_id=row.schedule_id,
        name=plan.name,
        cron=plan.cron,
        timezone=plan.timezone,
        enabled=plan.enabled,
        ends_at=plan.ends_at,
        next_dates=_ahead(plan),
        message=plan.content,
        targets=asked_for(plan.targets),
        priority=plan.priority,
        ttl_seconds=None if plan.ttl is None else round(plan.ttl.total_seconds()),
        on_unknown=plan.on_unknown,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _ahead(plan: Plan) -> list[datetime]:
    """What the row says comes next, and what follows; none where these time zones know the row's no more."""
    if plan.next_at is None:
        return []
    try:
        cron = Cron(plan.cron, plan.timezone)
    except ValueError:
        return []
    return [plan.next_at.astimezone(cron.zone), *_dates(cron, plan.next_at, plan.ends_at, _SHOWN - 1)]


def _facts(plan: Plan) -> dict[str, Any]:
    """For the audit trail, which holds no messages."""
    return {
        "name": plan.name,
        "cron": plan.cron,
        "timezone": plan.timezone,
        "enabled": plan.enabled,
        "ends_at": plan.ends_at,
        "targets": {name: value for name, value in asked_for(plan.targets).items() if value},
        "priority": plan.priority,
        "ttl_seconds": None if plan.ttl is None else plan.ttl.total_seconds(),
        "on_unknown": plan.on_unknown,
        "method": plan.content["method"],
    }


async def _record(
    tx: pool.Tx,
    caller: Caller,
    action: str,
    row: Schedule,
    *,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    thing = f"schedule:{row.schedule_id}"
    await audit.record(tx, caller.entry(action, thing, before=before, after=after, bot_ids=row.plan.targets.bot_ids))


def _moment(seconds: int) -> datetime | None:
    """The first page's is None."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, OSError, ValueError):
        raise AppError("invalid_cursor", 422, "this cursor was not given by this list") from None


def _run(row: Run) -> RunAnswer:
    return RunAnswer(due_at=row.due_at, broadcast_id=row.broadcast_id, skipped=row.reason, ran_at=row.ran_at)


def _found(row: Schedule | None) -> Schedule:
    if row is None:
        raise AppError("schedule_not_found", 404, "there is no such schedule")
    return row
