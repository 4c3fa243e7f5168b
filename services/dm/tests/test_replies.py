"""What becomes of a reply when Telegram does not simply take it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from common.errors import HandBack, Reject, RetryLater
from common.store import bots
from common.telegram.client import BotApi

from .conftest import Join
from .driver import BOT_ID, TOKEN, Did, User

OLD_TOKEN = f"{BOT_ID}:" + "B" * 35


async def trouble(user: User, kind: str, **rule: Any) -> None:
    """Orders a fault for sendMessage."""
    await user.sim.admin("PUT", "faults", rules=[{"kind": kind, "method": "sendMessage", **rule}])


def messages(done: list[Did]) -> list[str]:
    return [did.status for did in done if did.method == "sendMessage"]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between attempts in place take no time; what is longer is still the broker's."""
    monkeypatch.setattr("dm.speaker._BACKOFF", (0.001, 0.001, 0.001, 5.0))


@pytest.fixture
def tireless(monkeypatch: pytest.MonkeyPatch) -> None:
    """All attempts are made in place."""
    monkeypatch.setattr("dm.speaker._BACKOFF", (0.001,))


async def test_a_flood_gives_the_job_back_and_uses_up_no_attempt(ada: User) -> None:
    await trouble(ada, "http_429", times=1, retry_after=30)
    with pytest.raises(RetryLater) as caught:
        await ada.writes("/help")
    assert (caught.value.delay, caught.value.counts) == (timedelta(seconds=30), False)
    assert (await ada.row("replies"))["state"] == "sending"


@pytest.mark.parametrize("kind", ["http_429", "http_429_html"])
async def test_no_call_is_made_before_a_floods_time_is_over(ada: User, kind: str) -> None:
    """A short one is waited for in place: sent round the ladder, the job would be overtaken by the user's next."""
    await trouble(ada, kind, times=1, retry_after=1)
    started = asyncio.get_running_loop().time()
    assert messages(await ada.writes("/help")) == ["error", "ok"]
    assert asyncio.get_running_loop().time() - started > 0.9
    reply = await ada.row("replies")
    assert (reply["state"], reply["attempts"]) == ("sent", 1)


async def test_a_chat_that_stays_flooded_gives_its_place_to_others(ada: User) -> None:
    await trouble(ada, "http_429", retry_after=3)
    with pytest.raises(RetryLater, match="flood"):
        await ada.writes("/help")
    assert messages(await ada.seen()) == ["error", "error"]
    assert (await ada.row("replies"))["state"] == "sending"


async def test_a_worker_that_stops_begins_no_call(ada: User) -> None:
    ada.voice._speaker._stop.set()
    job = ada.job(await ada.posts("/help"))
    with pytest.raises(HandBack):
        await ada.brings(job)
    ada.voice._speaker._stop.clear()
    assert messages(await ada.brings(job)) == ["ok"]
    assert (await ada.row("replies"))["attempts"] == 1


@pytest.mark.parametrize("message_id", [2**70, "7", None])
async def test_an_answer_that_no_row_can_hold_makes_no_second_reply(
    ada: User, monkeypatch: pytest.MonkeyPatch, message_id: Any
) -> None:
    """It was said; a job that fails now comes again."""
    real = BotApi.call

    async def call(self: BotApi, bot: Any, method: str, params: Any = None) -> Any:
        result = await real(self, bot, method, params)
        return {"message_id": message_id} if method == "sendMessage" else result

    monkeypatch.setattr(BotApi, "call", call)
    assert messages(await ada.writes("/help")) == ["ok"]
    reply = await ada.row("replies")
    assert (reply["state"], reply["message_id"]) == ("sent", None)


async def test_a_revoked_old_token_costs_no_job(ada: User) -> None:
    """Its bot has another one by now; this process has not noticed yet."""
    await ada.writes("/help")
    registry, vault = ada.voice._registry, ada.voice._registry._vault
    sealed, key = vault.seal(BOT_ID, OLD_TOKEN)
    async with ada.db.transaction() as tx:
        current = await bots.get(tx, BOT_ID)
        assert current is not None
        await bots.save(tx, replace(current, token=sealed, token_key=key))
    registry._known.clear()
    await registry.access(BOT_ID)
    async with ada.db.transaction() as tx:
        await bots.save(tx, current)
    job = ada.job(await ada.posts("/help"))
    with pytest.raises(RetryLater, match="another token"):
        await ada.brings(job)
    assert messages(await ada.brings(job)) == ["ok"]


@pytest.mark.usefixtures("hurried")
async def test_what_telegram_did_not_take_uses_up_no_attempt(ada: User) -> None:
    """Else the first 5xx after a long absence would end a reply that was never said."""
    good, ada.voice._speaker._api._base_url = ada.voice._speaker._api._base_url, "http://127.0.0.1:1"
    job = ada.job(await ada.posts("/help"))
    for _ in range(9):
        with pytest.raises(RetryLater):
            await ada.brings(job)
    ada.voice._speaker._api._base_url = good
    await trouble(ada, "http_500", times=2)
    assert messages(await ada.brings(job)) == ["error", "error", "ok"]
    assert (await ada.row("replies"))["state"] == "sent"


async def test_one_users_flood_is_not_anothers(ada: User, join: Join) -> None:
    bob = await join(first_name="Bob")
    await trouble(ada, "http_429", chat_id=ada.user_id, retry_after=30)
    with pytest.raises(RetryLater):
        await ada.writes("/help")
    assert messages(await bob.writes("/help")) == ["ok"]


@pytest.mark.usefixtures("hurried")
async def test_what_telegram_never_got_waits_for_as_long_as_it_takes(ada: User) -> None:
    good, ada.voice._speaker._api._base_url = ada.voice._speaker._api._base_url, "http://127.0.0.1:1"
    job = ada.job(await ada.posts("/help"))
    for _ in range(3):
        with pytest.raises(RetryLater, match="not_sent") as caught:
            await ada.brings(job)
        assert (caught.value.delay, caught.value.counts) == (timedelta(seconds=5), False)
    ada.voice._speaker._api._base_url = good
    assert messages(await ada.brings(job)) == ["ok"]
    assert (await ada.row("replies"))["state"] == "sent"


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("kind", ["http_500", "restart_500", "http_502_html"])
async def test_a_server_error_is_tried_again_in_place(ada: User, kind: str) -> None:
    await trouble(ada, kind, times=2)
    assert messages(await ada.writes("/help")) == ["error", "error", "ok"]
    reply = await ada.row("replies")
    assert (reply["state"], reply["attempts"]) == ("sent", 3)


@pytest.mark.usefixtures("tireless")
async def test_a_server_error_is_tried_eight_times(ada: User) -> None:
    await trouble(ada, "http_500")
    job = ada.job(await ada.posts("/help"))
    with pytest.raises(Reject, match="did not get through: 500"):
        await ada.brings(job)
    assert messages(await ada.seen())[-8:] == ["error"] * 8
    assert (await ada.row("replies"))["state"] == "unknown"


@pytest.mark.parametrize("kind", ["cut", "garbage"])
async def test_what_is_ambiguous_is_said_once_more(ada: User, kind: str) -> None:
    await trouble(ada, kind, times=1)
    assert messages(await ada.writes("/help")) == ["ok", "ok"]
    assert (await ada.row("replies"))["state"] == "sent"


@pytest.mark.parametrize("kind", ["cut", "garbage"])
async def test_what_stays_ambiguous_ends_unknown(ada: User, kind: str) -> None:
    await trouble(ada, kind)
    assert messages(await ada.writes("/help")) == ["ok", "ok"]
    assert (await ada.row("replies"))["state"] == "unknown"


async def test_no_answer_in_time_is_ambiguous(ada: User) -> None:
    await trouble(ada, "timeout_after", times=1)
    assert messages(await ada.writes("/help")) == ["ok", "ok"]


async def test_an_answer_with_fields_of_tomorrow_is_an_answer(ada: User) -> None:
    await trouble(ada, "unknown_fields")
    assert messages(await ada.writes("/help")) == ["ok"]
    reply = await ada.row("replies")
    assert reply["state"] == "sent"
    assert reply["message_id"] == await ada.last_message()


async def test_a_user_who_blocked_the_bot_is_remembered_and_is_nobodys_mistake(ada: User) -> None:
    await ada.writes("/start")
    update_id = await ada.posts("/help")
    await ada.sim.admin("POST", "block", bot_id=BOT_ID, user_id=ada.user_id)
    assert messages(await ada.brings(ada.job(update_id))) == ["error"]
    assert (await ada.row())["status"] == "blocked"
    reply = (await ada.rows("replies"))[-1]
    assert (reply["state"], reply["reason"]) == ("failed", "user_gone")


async def test_a_deactivated_user_is_nobodys_mistake(ada: User) -> None:
    await trouble(ada, "error", error_code=403, description="Forbidden: user is deactivated")
    assert messages(await ada.writes("/help")) == ["error"]
    assert (await ada.row())["status"] == "blocked"


async def test_a_revoked_token_stops_the_bot(ada: User) -> None:
    await trouble(ada, "error", error_code=401, description="Unauthorized")
    with pytest.raises(Reject, match="token was revoked") as caught:
        await ada.writes("/help")
    assert TOKEN not in str(caught.value)
    async with ada.db.transaction() as tx:
        bot = await bots.get(tx, BOT_ID)
    assert bot is not None
    assert bot.state == "revoked"
    seen = len(await ada.seen())
    with pytest.raises(Reject, match="revoked"):
        await ada.writes("/help")
    assert len(await ada.seen()) == seen


async def test_a_method_that_the_server_does_not_know_is_not_a_revoked_token(ada: User) -> None:
    await trouble(ada, "error", error_code=404, description="Not Found: method not found")
    with pytest.raises(Reject, match="did not get through: 404"):
        await ada.writes("/help")
    await ada.sim.admin("DELETE", "faults")
    assert messages(await ada.writes("/help")) == ["ok"]


async def test_a_refused_content_is_ours_to_mend(ada: User) -> None:
    await trouble(ada, "error", error_code=400, description="Bad Request: can't parse entities: unexpected end tag")
    with pytest.raises(Reject, match="a reply did not get through: 400 Bad Request: can't parse"):
        await ada.writes("/help")
    reply = await ada.row("replies")
    assert (reply["state"], reply["reason"]) == ("failed", "content")


async def test_one_refused_reply_does_not_silence_the_next(ada: User) -> None:
    await ada.writes("/language")
    rule = {"kind": "error", "method": "answerCallbackQuery", "error_code": 400, "description": "Bad Request: nonsense"}
    await ada.sim.admin("PUT", "faults", rules=[rule])
    with pytest.raises(Reject, match="nonsense"):
        await ada.presses("language:de")
    assert [(d.method, d.status) for d in (await ada.seen())[-2:]] == [
        ("answerCallbackQuery", "error"),
        ("editMessageText", "ok"),
    ]


async def test_a_press_that_is_answered_too_late_is_nobodys_mistake(ada: User) -> None:
    await ada.writes("/language")
    description = "Bad Request: query is too old and response timeout expired or query ID is invalid"
    rule = {"kind": "error", "method": "answerCallbackQuery", "error_code": 400, "description": description}
    await ada.sim.admin("PUT", "faults", rules=[rule])
    await ada.presses("language:de")
    assert [r["state"] for r in await ada.rows("replies")] == ["sent", "failed", "sent"]


async def test_a_bot_that_is_not_registered_is_for_operators(ada: User) -> None:
    async with ada.db.transaction() as tx:
        await tx.execute("DELETE FROM bots")
    with pytest.raises(Reject, match="not registered"):
        await ada.writes("/help")
