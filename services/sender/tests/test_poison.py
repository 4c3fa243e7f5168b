"""Answers that can't be written down: they harm nobody else, and nothing stays `sending`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from common.ids import BotId
from common.records import REVISION_ATTEMPTS
from common.telegram import errors
from common.telegram.client import BotApi
from common.testing.polling import eventually
from pydantic_core import to_json

from .conftest import Direct, Fleet
from .test_broadcast import bot_ids
from .test_revisions import ended, revise, sent
from .test_told import rows

pytestmark = pytest.mark.timeout(60)
HUGE = 10**20
DAY = 86_400


def refusing(description: str, **parameters: int) -> dict[str, Any]:
    return {"ok": False, "error_code": 400, "description": description, "parameters": parameters}


def answered(monkeypatch: pytest.MonkeyPatch, chat_id: int, answer: dict[str, Any]) -> None:
    """In that chat."""
    real = BotApi.call

    async def call(self: BotApi, bot: Any, method: str, params: Any = None, **options: Any) -> Any:
        if params["chat_id"] != chat_id:
            return await real(self, bot, method, params, **options)
        found = errors.outcome(answer.get("error_code", 200), to_json(answer), None)
        if isinstance(found, errors.TelegramError):
            raise found
        return found

    monkeypatch.setattr(BotApi, "call", call)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refusing("can't parse entities: \0 in it"), ("failed", "400 can't parse entities:  in it")),
        (refusing("moved", migrate_to_chat_id=-HUGE), ("failed", "refused: 400 moved")),
        (refusing("moved", migrate_to_chat_id=7), ("failed", "refused: 400 moved")),
        ({"ok": True, "result": {"message_id": HUGE}}, ("sent", None)),
        (refusing("", retry_after=HUGE) | {"error_code": 429}, ("pending", "flood")),
    ],
    ids=["nul", "far chat", "no group", "far message", "for ever"],
)
async def test_an_absurd_answer_is_read_as_far_as_it_makes_sense(
    fleet: Fleet, brain: Direct, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], expected: tuple[str, str]
) -> None:
    [group_id] = await fleet.grow(1, BotId((await bot_ids(fleet))[0]))
    answered(monkeypatch, fleet.groups[group_id], answer)
    broadcast_id = await fleet.broadcast([group_id])

    async def settled() -> tuple[str, str] | None:
        [row] = await fleet.rows(broadcast_id)
        return (row["state"], row["reason"]) if row["reason"] or row["state"] == "sent" else None

    assert await eventually(settled) == expected
    async with fleet.db.transaction() as tx:
        left = await tx.fetchval("SELECT extract(epoch FROM max(flood_until) - now()) FROM bots")
    assert left is None or DAY - 60 < left <= DAY


async def test_what_the_database_refuses_is_unknown_and_its_batch_is_written(
    fleet: Fleet, brain: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "MOST_ID", HUGE)
    ids = await fleet.grow(5, BotId((await bot_ids(fleet))[0]))
    answered(monkeypatch, fleet.groups[ids[0]], {"ok": True, "result": {"message_id": HUGE}})
    broadcast_id = await fleet.broadcast(ids)
    await eventually(lambda: fleet.ended(broadcast_id), within=20)
    first, *others = await fleet.rows(broadcast_id)
    assert (first["state"], first["reason"]) == ("unknown", "Telegram's answer could not be written")
    assert {row["state"] for row in others} == {"sent"}
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM bot_slots WHERE held_by IS NOT NULL") == 0


async def test_an_edit_whose_end_the_database_refuses_has_failed(
    fleet: Fleet, brain: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "MOST_ID", HUGE)
    [group_id] = await fleet.grow(1, BotId((await bot_ids(fleet))[0]))
    broadcast_id = await sent(fleet, [group_id])
    answered(monkeypatch, fleet.groups[group_id], refusing("moved", migrate_to_chat_id=-HUGE))
    content = {"method": "editMessageText", "params": {"text": "new"}}
    assert (await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "edit", content))).items == {"failed": 1}
    [item] = await rows(fleet, "revision_items")
    assert item["reason"] == "Telegram's answer could not be written"


def surprising(monkeypatch: pytest.MonkeyPatch, chat_id: int) -> None:
    """Calls for that chat end with an error that no code foresees."""
    real = BotApi.call

    async def call(self: BotApi, bot: Any, method: str, params: Any = None, **options: Any) -> Any:
        if params["chat_id"] == chat_id:
            raise LookupError(method)
        return await real(self, bot, method, params, **options)

    monkeypatch.setattr(BotApi, "call", call)


@pytest.mark.parametrize("on_unknown", ["report", "resend_once"])
async def test_an_error_of_our_own_is_an_end_too(
    fleet: Fleet, brain: Direct, monkeypatch: pytest.MonkeyPatch, on_unknown: str
) -> None:
    ids = await fleet.grow(3, BotId((await bot_ids(fleet))[0]))
    surprising(monkeypatch, fleet.groups[ids[0]])
    broadcast_id = await fleet.broadcast(ids, on_unknown=on_unknown)
    await eventually(lambda: fleet.ended(broadcast_id), within=20)
    first, *others = await fleet.rows(broadcast_id)
    assert (first["state"], first["attempts"]) == ("unknown", 2 if on_unknown == "resend_once" else 1)
    assert {row["state"] for row in others} == {"sent"}
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM bot_slots WHERE held_by IS NOT NULL") == 0


async def test_an_edit_that_fails_by_itself_is_tried_a_few_times(
    fleet: Fleet, brain: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    [group_id] = await fleet.grow(1, BotId((await bot_ids(fleet))[0]))
    broadcast_id = await sent(fleet, [group_id])
    surprising(monkeypatch, fleet.groups[group_id])
    monkeypatch.setattr("sender.rules.revising.backoff", lambda _: timedelta(seconds=0.1))
    content = {"method": "editMessageText", "params": {"text": "new"}}
    assert (await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "edit", content))).items == {"failed": 1}
    [item] = await rows(fleet, "revision_items")
    assert (item["attempts"], item["reason"]) == (REVISION_ATTEMPTS, "unknown")
