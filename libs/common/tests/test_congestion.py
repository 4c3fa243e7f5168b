"""Whose flood a 429 is, row by row of telegram.md's table E, and what it does to the bot's rate."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from common.congestion import BOT_WIDE, CHATS, SPAN, ChatFlood, Refusal, Standing, judge
from common.ids import BotId
from hypothesis import given
from hypothesis import strategies as st

BOT, NOW = BotId(1), datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def refusal(chat_id: int | None, seconds: float = 5) -> Refusal:
    return Refusal(BOT, chat_id, timedelta(seconds=seconds))


def known(chat_id: int, ago: float, seconds: float = 5) -> ChatFlood:
    at = NOW - timedelta(seconds=ago)
    return ChatFlood(chat_id, at, at + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("chats", "refusals"),
    [
        ([], [refusal(-1)]),
        ([], [refusal(-1, 59.9)]),
        ([known(-1, 1)], [refusal(-2)]),
        ([known(-1, 1), known(-2, 1)], [refusal(-1), refusal(-2)]),
        ([known(-1, 1), known(-2, 5.001)], [refusal(-3)]),
        ([known(-1, 1), known(-2, 1)], [refusal(None)]),
        ([], []),
    ],
    ids=["one", "just below a minute", "two", "the same two", "one is too old", "no chat", "none"],
)
def test_what_is_a_chats_stays_the_chats(chats: list[ChatFlood], refusals: list[Refusal]) -> None:
    verdict = judge(Standing(30, chats=chats), refusals, NOW)
    assert (verdict.flood_until, verdict.rate, verdict.reason) == (None, None, None)
    assert len(verdict.chats) < CHATS


@pytest.mark.parametrize(
    ("chats", "refusals", "seconds", "reason"),
    [
        ([], [refusal(-1, 60)], 60, "retry_after of 60 s or more"),
        ([], [refusal(-1, 10_072)], 10_072, "retry_after of 60 s or more"),
        ([], [refusal(None, 61)], 61, "retry_after of 60 s or more"),
        ([known(-1, 5), known(-2, 3)], [refusal(-3, 4)], 4, "429s in 3 chats within 5 s"),
        ([known(-1, 2, 30), known(-2, 3)], [refusal(-3, 4)], 28, "429s in 3 chats within 5 s"),
        ([], [refusal(-1, 2), refusal(7, 9), refusal(-3, 2)], 9, "429s in 3 chats within 5 s"),
        ([known(-1, 1), known(-2, 1)], [refusal(-3, 4), refusal(-3, 90)], 90, "retry_after of 60 s or more"),
    ],
    ids=["a minute", "hours", "a minute, no chat", "third chat", "the longest holds", "at once", "both"],
)
def test_what_is_the_bots_stops_it_and_halves_its_rate(
    chats: list[ChatFlood], refusals: list[Refusal], seconds: float, reason: str
) -> None:
    verdict = judge(Standing(30, chats=chats), refusals, NOW)
    assert (verdict.flood_until, verdict.rate, verdict.reason) == (NOW + timedelta(seconds=seconds), 15, reason)
    assert verdict.chats == (), "the next flood is counted anew"


@pytest.mark.parametrize(("rate", "half"), [(1000, 500), (31, 15), (3, 1), (2, 1), (1, 1)])
def test_half_is_never_nothing(rate: int, half: int) -> None:
    assert judge(Standing(rate), [refusal(-1, 60)], NOW).rate == half


def test_what_was_under_way_prolongs_a_flood_and_halves_nothing_again() -> None:
    flooded = Standing(15, NOW + 10 * SECOND)
    verdict = judge(flooded, [refusal(-4, 3), refusal(-5, 12), refusal(-6, 60)], NOW)
    assert (verdict.flood_until, verdict.rate, verdict.chats) == (NOW + 60 * SECOND, None, ())
    assert judge(flooded, [refusal(-4, 3)], NOW).flood_until == NOW + 10 * SECOND
    assert judge(flooded, [refusal(None, 30)], NOW).flood_until == NOW + 10 * SECOND, "no message was refused"


def test_the_next_flood_halves_what_is_left() -> None:
    over = Standing(15, NOW)
    assert judge(over, [refusal(-1, 60)], NOW).rate == 7


CHAT = st.one_of(st.integers(-6, 6), st.none())
EVENTS = st.lists(st.tuples(st.floats(0, 4), CHAT, st.sampled_from([1, 3, 5, 30, 59.9, 60, 90])), max_size=30)


@given(EVENTS, st.integers(1, 1000))
def test_whatever_comes_the_verdicts_are_those_of_a_plain_count(
    events: list[tuple[float, int | None, float]], rate: int
) -> None:
    """Against all events, kept whole: a flood begins with a long wait or with three chats since the last one's end."""
    standing, now, heard, ends = Standing(rate), NOW, list[tuple[datetime, int, timedelta]](), NOW
    for pause, chat, seconds in events:
        now, wait = now + timedelta(seconds=pause), timedelta(seconds=seconds)
        flooded = ends > now
        if flooded:
            heard.clear()
        elif chat is not None:
            heard.append((now, chat, now + wait - NOW))
        near = {other: until for at, other, until in heard if now - at <= SPAN}
        begins = not flooded and (wait >= BOT_WIDE or len(near) >= CHATS)
        verdict = judge(standing, [Refusal(BOT, chat, wait)], now)
        assert (verdict.rate is not None) == begins
        assert len(verdict.chats) < CHATS
        if begins:
            longest = max(NOW + u for at, _, u in heard if now - at <= SPAN) if wait < BOT_WIDE else now + wait
            assert verdict.flood_until == longest
            assert verdict.rate == max(1, standing.rate // 2)
            heard.clear()
        if verdict.flood_until is not None:
            assert verdict.flood_until >= ends, "a flood never gets shorter"
            ends = verdict.flood_until
        standing = replace(
            standing,
            rate=verdict.rate or standing.rate,
            flood_until=verdict.flood_until or standing.flood_until,
            chats=verdict.chats,
        )


@given(st.lists(st.tuples(CHAT, st.sampled_from([1, 3, 59.9, 60, 90])), max_size=8))
def test_together_or_one_by_one_is_the_same(given: list[tuple[int | None, float]]) -> None:
    """Whether they met in one transaction is chance."""
    refusals = [refusal(chat, seconds) for chat, seconds in given]
    at_once, standing = judge(Standing(30), refusals, NOW), Standing(30)
    rate = None
    for each in refusals:
        verdict = judge(standing, [each], NOW)
        rate = verdict.rate or rate
        standing = Standing(verdict.rate or standing.rate, verdict.flood_until or standing.flood_until, verdict.chats)
    assert (at_once.flood_until, at_once.rate) == (standing.flood_until, rate)
    assert set(at_once.chats) == set(standing.chats)
