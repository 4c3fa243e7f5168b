"""No job kind falls on the floor: what is not built yet or can not be read becomes a dead letter that says so."""

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
    "process_chat_member": "not built yet: group membership",
    "process_bot_membership": "a membership without a usable group or date",
    "process_service_message": "not built yet: group membership",
    "process_migration": "a migration without two usable chats or a date",
    "record_activity": "not built yet: activity",
    "process_group_command": "not built yet: group commands",
}


def make(kind: type[Any]) -> Any:
    return kind(bot_id=BotId(1), update_id=UpdateId(1), update={"update_id": 1})


async def test_each_kind_becomes_a_dead_letter_with_its_reason(
    db: Database, broker: Broker, publisher: Publisher
) -> None:
    queue = await broker.queue(TGMS_QUEUE)
    for kind in _KINDS:
        await publisher.publish(queue, make(kind), job_id=JobId(kind.__name__))

    async def letters() -> list[dead_letters.DeadLetter]:
        async with db.transaction() as tx:
            found = await dead_letters.unresolved(tx, 100)
        return found if len(found) == len(_KINDS) else []

    async with consuming(broker.url, queue, Updates(db.pool), JobStore(db.pool), Limits(grace=5)):
        found = await eventually(letters)
    assert {letter.kind: letter.reason for letter in found} == _REASONS
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


def test_every_kind_has_its_reason() -> None:
    assert {kind.model_fields["kind"].default for kind in _KINDS} == set(_REASONS)


async def test_what_is_no_job_at_all_is_a_mistake(db: Database) -> None:
    with pytest.raises(AssertionError):
        await Updates(db.pool)(object())
