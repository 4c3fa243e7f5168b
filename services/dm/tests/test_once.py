"""An update's effects happen once, wherever the worker dies; replies may be doubled only for a send in flight."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from common.errors import RetryLater, StoreUnavailable
from common.ids import update_job_id
from common.jobs import ProcessPrivateMessage
from common.store import outbox, replies
from common.testing.builders import make_envelope
from dm.handlers import PrivateUpdates

from .driver import BOT_ID, User

NewVoice = Callable[[], PrivateUpdates]


class Killed(BaseException):
    """As a SIGKILL: no handler of errors sees it."""


async def dies(*_: Any, **__: Any) -> None:
    raise Killed


def copy_of(job: ProcessPrivateMessage) -> ProcessPrivateMessage:
    """The same job in another message, as after a late confirm."""
    return job.model_copy(update={"message_id": uuid.uuid4().hex})


async def dying(user: User, job: ProcessPrivateMessage) -> None:
    with pytest.raises(Killed):
        await user.brings(job)


@pytest.fixture
async def feedback(ada: User) -> ProcessPrivateMessage:
    """The job whose effect is a row: the last step of /feedback."""
    await ada.writes("/feedback")
    return ada.job(await ada.posts("an idea"))


async def thanks(user: User) -> list[str]:
    return [d.text for d in await user.seen() if d.text == user.said("feedback_thanks")]


async def test_a_redelivered_update_changes_nothing(ada: User, feedback: ProcessPrivateMessage) -> None:
    for _ in range(5):
        await ada.brings(feedback)
    assert len(await ada.rows("feedback")) == 1
    assert len(await thanks(ada)) == 1


async def test_killed_before_the_commit_nothing_happened(
    ada: User, feedback: ProcessPrivateMessage, monkeypatch: pytest.MonkeyPatch, new_voice: NewVoice
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(replies, "add", dies)
        await dying(ada, feedback)
    assert await ada.rows("feedback") == []
    assert (await ada.row())["state"] == "Feedback:topic"
    ada.voice = new_voice()
    await ada.brings(feedback)
    assert len(await ada.rows("feedback")) == 1
    assert len(await thanks(ada)) == 1


async def test_killed_between_commit_and_send_the_reply_is_said_by_the_next(
    ada: User, feedback: ProcessPrivateMessage, monkeypatch: pytest.MonkeyPatch, new_voice: NewVoice
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ada.voice._speaker._api, "call", dies)
        await dying(ada, feedback)
    assert len(await ada.rows("feedback")) == 1
    assert await thanks(ada) == []
    ada.voice = new_voice()
    await ada.claims_end()
    await ada.brings(feedback)
    assert len(await ada.rows("feedback")) == 1
    assert len(await thanks(ada)) == 1
    assert (await ada.rows("replies"))[-1]["attempts"] == 1


async def test_killed_between_send_and_record_the_reply_is_said_twice_and_no_more(
    ada: User, feedback: ProcessPrivateMessage, monkeypatch: pytest.MonkeyPatch, new_voice: NewVoice
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(replies, "settle", dies)
        await dying(ada, feedback)
    ada.voice = new_voice()
    await ada.claims_end()
    for _ in range(3):
        await ada.brings(feedback)
    assert len(await ada.rows("feedback")) == 1
    assert len(await thanks(ada)) == 2


async def test_only_what_was_left_unsaid_is_said_again(
    ada: User, monkeypatch: pytest.MonkeyPatch, new_voice: NewVoice
) -> None:
    await ada.writes("/language")
    answer = await ada.sim.admin(
        "POST", "callbacks", bot_id=BOT_ID, user_id=ada.user_id, message_id=await ada.last_message(), data="language:de"
    )
    job, call = ada.job(answer["update_id"]), ada.voice._speaker._api.call

    async def dies_at_the_second(access: Any, method: str, params: Any) -> Any:
        return await (dies() if method == "editMessageText" else call(access, method, params))

    monkeypatch.setattr(ada.voice._speaker._api, "call", dies_at_the_second)
    await dying(ada, job)
    ada.voice = new_voice()
    await ada.claims_end()
    assert [d.method for d in await ada.brings(job)] == ["editMessageText"]


async def test_three_workers_with_the_same_update_do_and_say_it_once(
    ada: User, feedback: ProcessPrivateMessage, new_voice: NewVoice
) -> None:
    ends = await asyncio.gather(*(new_voice()(copy_of(feedback)) for _ in range(3)), return_exceptions=True)
    assert all(end is None or isinstance(end, RetryLater) for end in ends)
    assert len(await ada.rows("feedback")) == 1
    assert len(await thanks(ada)) == 1


async def test_what_another_copy_may_be_saying_is_left_to_it_and_its_own_message_goes_on_at_once(
    ada: User, feedback: ProcessPrivateMessage, monkeypatch: pytest.MonkeyPatch, new_voice: NewVoice
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ada.voice._speaker._api, "call", dies)
        await dying(ada, feedback)
    ada.voice = new_voice()
    with pytest.raises(RetryLater, match="another process"):
        await ada.brings(copy_of(feedback))
    assert await thanks(ada) == []
    assert len(await ada.brings(feedback)) == 1


async def test_a_reply_whose_record_fails_is_not_said_again(
    ada: User, feedback: ProcessPrivateMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL away just after the send: the outcome waits in the process."""
    real, failures = replies.settle, iter([True, True])

    async def fails_twice(*arguments: Any, **named: Any) -> None:
        if next(failures, False):
            raise StoreUnavailable
        await real(*arguments, **named)

    monkeypatch.setattr(replies, "settle", fails_twice)
    await ada.brings(feedback)
    assert len(await thanks(ada)) == 1
    assert (await ada.rows("replies"))[-1]["state"] == "sent"


async def test_a_later_update_steps_back_behind_one_that_is_still_on_its_way(ada: User) -> None:
    first, second = ada.job(await ada.posts("/feedback")), ada.job(await ada.posts("an idea"))
    async with ada.db.transaction() as tx:
        await outbox.add(tx, make_envelope(job_id=update_job_id(BOT_ID, first.update_id)), order=first.order)
    assert await ada.brings(second) == []
    async with ada.db.transaction() as tx:
        assert [r["order_seq"] for r in await tx.fetch("SELECT order_seq FROM outbox ORDER BY 1")] == [
            first.update_id,
            second.update_id,
        ]
    await ada.brings(first)
    (reply,) = await ada.brings(second)
    assert reply.text == ada.said("feedback_thanks")
    async with ada.db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM outbox") == 0


async def test_one_update_of_two_bots_is_two_updates(ada: User, feedback: ProcessPrivateMessage) -> None:
    """update_id counts per bot (W10)."""
    async with ada.db.transaction() as tx:
        await tx.execute("INSERT INTO inbox (bot_id, update_id) VALUES (1, $1)", feedback.update_id)
    await ada.brings(feedback)
    assert len(await ada.rows("feedback")) == 1
