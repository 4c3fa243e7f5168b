"""The pure rules: queue keys (W4), retries (W5), expiry (W6), connections (W3), limits, faults."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from telegram_sim.bounded import BoundedLog
from telegram_sim.clock import Clock
from telegram_sim.connections import Connections
from telegram_sim.errors import AdminError
from telegram_sim.faults import KINDS, FaultBook, FaultRule
from telegram_sim.invites import InviteLink
from telegram_sim.latency import Latency, read_latency
from telegram_sim.limits import Limiter, LimitSettings, Send, send_of
from telegram_sim.queue_keys import is_allowed, lifetime, queue_key
from telegram_sim.retry import RetryState, next_try

BOT = 7
CHAT = {"chat": {"id": -100}, "from": {"id": 5}}
MEMBER = CHAT | {"new_chat_member": {"user": {"id": 9}}}


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        ("message", CHAT, -100),
        ("edited_message", CHAT, -100),
        ("channel_post", CHAT, -100),
        ("callback_query", {"from": {"id": 5}}, 5 + (3 << 33)),
        ("my_chat_member", CHAT, -100 + (5 << 33)),
        ("chat_member", MEMBER, 9 + (6 << 33)),
        ("chat_member", CHAT | {"new_chat_member": {"user": {"id": BOT}}}, -100 + (5 << 33)),
        ("chat_join_request", CHAT, 5 + (6 << 33)),
        ("message_reaction", CHAT, -100 + (8 << 33)),
        ("poll", {"id": "1"}, 0),
        ("message", {"chat": "poison"}, 0),
        ("message", None, 0),
    ],
)
def test_queue_key(kind: str, payload: Any, expected: int) -> None:
    assert queue_key(kind, payload, bot_id=BOT) == expected


def test_a_join_request_and_the_membership_it_leads_to_share_a_queue() -> None:
    asked = queue_key("chat_join_request", {"from": {"id": 9}, "chat": {"id": -1}}, bot_id=BOT)
    assert asked == queue_key("chat_member", MEMBER, bot_id=BOT)


def test_retry_delays_double_up_to_the_cap_and_retry_after_leaves_them_alone() -> None:
    state, waits = RetryState(), []
    for _ in range(9):
        state, wait = next_try(state, 0, cap=90)
        waits.append(wait)
    assert waits == [0, 2, 4, 8, 16, 32, 64, 90, 90]
    state, wait = next_try(RetryState(3, 4), 7, cap=90)
    assert (state, wait) == (RetryState(4, 4), 7)
    assert next_try(state, 10**6, cap=90)[1] == 3600
    assert next_try(RetryState(), 5, cap=90)[1] == 5


def test_lifetimes_and_the_default_of_allowed_updates() -> None:
    assert [lifetime(kind) for kind in ("message", "callback_query", "inline_query")] == [86_400, 150, 30]
    assert is_allowed("message", frozenset())
    assert not is_allowed("chat_member", frozenset())
    assert not is_allowed("message_reaction", frozenset())
    assert is_allowed("chat_member", frozenset({"chat_member"}))
    assert not is_allowed("message", frozenset({"chat_member"}))


def test_connections_open_slowly_without_success_and_ten_in_half_a_second_with_it() -> None:
    clock, slots = Clock(), Connections()
    assert slots.wait(100.0, 40, clock) == 0
    slots.take(100.0)
    assert slots.wait(100.0, 40, clock) == float("inf"), "one connection until something succeeded"
    slots.release(kept=False)
    assert slots.wait(100.5, 40, clock) == 1.5, "a lost one is replaced after two seconds"
    slots.take(102.0)
    slots.release(kept=True)
    slots.succeeded_at = 102.0
    for _ in range(9):
        slots.take(102.1)
    assert slots.wait(102.1, 40, clock) == 0
    slots.take(102.1)
    slots.take(102.1)
    assert slots.wait(102.1, 40, clock) == pytest.approx(0.5)
    assert slots.wait(102.1, 11, clock) == float("inf")


def test_strict_limits_are_sliding_windows() -> None:
    limiter = Limiter(LimitSettings("strict"))
    assert [limiter.admit(Send(1, chat), now=0.9) for chat in range(30)] == [0] * 30
    assert limiter.admit(Send(1, 100), now=1.8) == 1, "a window is not a calendar second"
    assert limiter.admit(Send(2, 100), now=1.8) == 0, "another bot has windows of its own"
    assert limiter.admit(Send(1, 100), now=1.91) == 0
    assert limiter.admit(Send(1, 100), now=2.5) == 1, "one a second and chat"
    assert limiter.admit(Send(1, 100), now=2.92) == 0


def test_windows_in_use_are_not_swept_at_each_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telegram_sim.limits.SWEEP_AT", 100)
    limiter = Limiter(LimitSettings("strict", per_bot=1000))
    sweeps = 0
    for chat in range(1, 400):
        before = limiter.windows
        assert limiter.admit(Send(1, -chat), now=0.0) == 0
        sweeps += limiter.windows is not before
    assert sweeps <= 4, "each time twice as many"
    assert limiter.admit(Send(1, -400), now=100.0) == 0
    for chat in range(401, 900):
        limiter.admit(Send(1, -chat), now=100.0 + chat)
    assert len(limiter.windows) < 900, "idle ones still go"


def test_a_group_takes_twenty_a_minute_and_an_album_counts_each_item() -> None:
    limiter = Limiter(LimitSettings("strict"))
    assert [limiter.admit(Send(1, -5), now=2.0 * n) for n in range(20)] == [0] * 20
    assert limiter.admit(Send(1, -5), now=42.0) == 18
    assert limiter.admit(Send(1, -5), now=60.1) == 0
    assert limiter.admit(Send(1, -6, weight=10), now=60.2) == 0, "an empty window takes an album"
    assert limiter.admit(Send(1, -6, weight=11), now=62.0) > 50


def test_edits_and_deletions_share_a_chats_windows_with_sends() -> None:
    limiter = Limiter(LimitSettings("strict"))
    methods = ["sendMessage", "editMessageText", "deleteMessage", "editMessageReplyMarkup", "deleteMessages"] * 4
    calls = [send_of(method, 1, -5, 1) for method in methods]
    assert [limiter.admit(call, now=2.0 * n) for n, call in enumerate(calls) if call] == [0] * 20
    for method in ("sendMessage", "editMessageText", "deleteMessage"):
        one_more = send_of(method, 1, -5, 1)
        assert one_more is not None
        assert limiter.admit(one_more, now=42.0) == 18
    first, second = Send(1, 5), send_of("editMessageCaption", 1, 5, 1)
    assert second is not None
    assert (limiter.admit(first, now=50.0), limiter.admit(second, now=50.5)) == (0, 1), "one a second and chat"


def test_a_penalty_shuts_the_lane_anew_with_each_429() -> None:
    limiter = Limiter(LimitSettings("penalty"))
    assert limiter.admit(Send(1, 5), now=0.0) == 0
    assert limiter.admit(Send(1, 5), now=0.5) == 3
    assert limiter.admit(Send(1, 5), now=2.0) == 3, "too early again: shut until 5"
    assert limiter.admit(Send(1, 5), now=4.9) == 3
    assert limiter.admit(Send(1, 6), now=4.9) == 0
    assert limiter.admit(Send(1, 5), now=8.0) == 0


def test_what_counts_as_a_send() -> None:
    assert send_of("sendMediaGroup", 1, 5, 3) == Send(1, 5, 3)
    assert send_of("editMessageText", 1, 5, 1) == send_of("deleteMessages", 1, 5, 9) == Send(1, 5)
    assert send_of("editMessageText", 1, None, 1) is None, "an inline message is in no chat of the bot's"
    assert send_of("sendChatAction", 1, 5, 1) is None
    assert send_of("getChat", 1, 5, 1) is None
    assert Send(1, "@name").to_group


def test_limits_that_are_off_count_nothing() -> None:
    limiter = Limiter(LimitSettings("off"))
    assert {limiter.admit(Send(1, 5), now=0.0) for _ in range(1000)} == {0}


def test_faults_match_by_method_bot_and_chat_and_wear_out() -> None:
    book = FaultBook(Random(1))  # noqa: S311 no secret
    book.rules = [FaultRule("http_500", method="sendMessage", bot_id=1, chat_id=5, times=2)]
    assert book.draw("sendPhoto", 1, 5) is None
    assert book.draw("sendMessage", 2, 5) is None
    assert book.draw("sendMessage", 1, 6) is None
    assert [bool(book.draw("sendMessage", 1, 5)) for _ in range(3)] == [True, True, False]


def test_a_fault_of_a_tenth_strikes_about_every_tenth_time() -> None:
    book = FaultBook(Random(1))  # noqa: S311 no secret
    book.rules = [FaultRule("cut", probability=0.1)]
    assert 70 < sum(bool(book.draw("sendMessage", 1, 5)) for _ in range(1000)) < 130
    assert set(KINDS) >= {"timeout_after", "sent_deleted", "unknown_fields"}


def test_latency_reads_one_number_or_two() -> None:
    assert read_latency("20-80") == Latency(20, 80)
    assert read_latency("50") == Latency(50, 50)
    for wrong in ("80-20", "x", "-5", ""):
        with pytest.raises(AdminError):
            read_latency(wrong)


def test_a_bounded_log_forgets_the_oldest_but_keeps_the_numbers() -> None:
    log: BoundedLog[int] = BoundedLog(keep=10)
    numbers = [log.append(n) for n in range(1, 101)]
    assert numbers == list(range(1, 101))
    assert len(log.entries) <= 10 + 2 + 16
    assert log.since(97) == [98, 99, 100]
    assert log.since(0)[-1] == 100
    log.clear()
    assert log.append(1) == 101


def test_an_invite_link_shows_its_address_only_to_its_creator() -> None:
    link = InviteLink("https://t.me/+abcdefghijkl", 1, member_limit=2, joined=1)
    assert link.as_json({}, viewer_id=1)["invite_link"] == "https://t.me/+abcdefghijkl"
    assert link.as_json({}, viewer_id=2)["invite_link"].endswith("...")
    assert link.usable(now=0)
    link.joined = 2
    assert not link.usable(now=0)
    assert not InviteLink("x", 1, expire_date=10).usable(now=10)
