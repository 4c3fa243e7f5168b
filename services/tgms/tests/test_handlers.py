"""No job kind falls on the floor: what somebody waits for, or nobody can read, is a dead letter; the rest is marked."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from common import jobs
from common.bus.consumer import Limits
from common.bus.publisher import Publisher
from common.ids import BotId, JobId, UpdateId
from common.queues import TGMS_QUEUE
from common.runtime import JobStore
from common.store import dead_letters
from common.testing.consuming import consuming
from common.testing.polling import eventually
from common.testing.postgres import Database
from common.testing.rabbitmq import Broker
from tgms.handlers import Updates

_KINDS: list[type[Any]] = list(get_args(get_args(jobs.TgmsJob)[0]))
_REASONS = {
    "process_join_request": "not built yet: join requests",
    "process_bot_membership": "a membership without a usable group or date",
    "process_migration": "a migration without two usable chats or a date",
}
_SEEN = {"process_chat_member", "process_service_message", "record_activity", "process_group_command"}


def name(kind: type[Any]) -> str:
    found: str = kind.model_fields["kind"].default
    return found


async def test_each_kind_is_marked_or_becomes_a_dead_letter_with_its_reason(
    db: Database, broker: Broker, publisher: Publisher
) -> None:
    queue = await broker.queue(TGMS_QUEUE)
    for number, kind in enumerate(_KINDS, 1):
        job = kind(bot_id=BotId(1), update_id=UpdateId(number), update={"update_id": number})
        await publisher.publish(queue, job, job_id=JobId(kind.__name__))

    async def ended() -> tuple[list[dead_letters.DeadLetter], set[str]] | None:
        async with db.transaction() as tx:
            found = await dead_letters.unresolved(tx, 100)
            marks = {row["update_id"] for row in await tx.fetch("SELECT update_id FROM inbox")}
        seen = {name(kind) for number, kind in enumerate(_KINDS, 1) if number in marks}
        return (found, seen) if len(found) + len(seen) == len(_KINDS) else None

    async with consuming(broker.url, queue, Updates(db.pool), JobStore(db.pool), Limits(grace=5)):
        found, seen = await eventually(ended)
    assert {letter.kind: letter.reason for letter in found} == _REASONS
    assert seen == _SEEN
    assert {letter.cause for letter in found} == {"rejected"}
    assert {letter.attempt for letter in found} == {1}
    assert await broker.depth(queue.name) == 0


async def test_a_kind_of_tomorrow_is_a_dead_letter_too(db: Database, broker: Broker) -> None:
    queue = await broker.queue(TGMS_QUEUE)
    await broker.put(queue.name, b'{"kind":"process_telepathy","bot_id":1,"update_id":1,"update":{"text":"canary"}}')

    async def letter() -> list[dead_letters.DeadLetter]:
        async with db.transaction() as tx:
            return await dead_letters.unresolved(tx, 100)

    async with consuming(broker.url, queue, Updates(db.pool), JobStore(db.pool), Limits(grace=5)):
        (found,) = await eventually(letter)
    assert found.reason == "not a job of this queue (body: union_tag_invalid)"


def test_every_kind_has_its_end() -> None:
    assert {name(kind) for kind in _KINDS} == {*_REASONS, *_SEEN}


async def test_what_is_no_job_at_all_is_a_mistake(db: Database) -> None:
    with pytest.raises(AssertionError):
        await Updates(db.pool)(object())
