"""Long texts in parts: nothing is lost, nothing is too long, and every letter keeps its marks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
import regex
from common.ids import BotId, ChatId
from common.markup.entities import Entity, Marked, length
from common.markup.parse import TEXT_LIMIT, parse
from common.records import Begun
from hypothesis import given, settings
from hypothesis import strategies as st
from ingress.rules import markup
from sender.rules.parts import UnsendableError, calls
from sender.rules.split import split

LETTERS = [
    "a",
    "b c",
    " ",
    "\n",
    "\n\n",
    "\r\n",
    "ß",
    "e\u0301",
    "👍",
    "👍🏽",
    "👩‍👩‍👧",
    "🇩🇪",
    "\u00a0",
    "한",
    "\t",
    "-",
]
TEXTS = st.lists(st.sampled_from(LETTERS), max_size=80).map("".join)


@st.composite
def marked_texts(draw: st.DrawFn) -> Marked:
    text = draw(TEXTS)
    whole, places = length(text), [length(text[:n]) for n in range(len(text) + 1)]
    entities = []
    for _ in range(draw(st.integers(0, 8)) if whole else 0):
        first, second = sorted(draw(st.lists(st.sampled_from(places), min_size=2, max_size=2, unique=True)))
        kind = draw(st.sampled_from(["bold", "italic", "text_link", "pre"]))
        extra = {"url": "https://a.b/"} if kind == "text_link" else {}
        entities.append(Entity(kind, first, second - first, extra))
    return Marked(text, tuple(sorted(entities, key=lambda e: (e.offset, -e.length))))


def painted(parts: Sequence[Marked]) -> list[frozenset[tuple[str, str]]]:
    """For each UTF-16 unit the marks that lie over it."""
    found: list[frozenset[tuple[str, str]]] = []
    for part in parts:
        for unit in range(length(part.text)):
            over = [e for e in part.entities if e.offset <= unit < e.end]
            found.append(frozenset((e.type, str(e.extra)) for e in over))
    return found


@settings(max_examples=600, deadline=None)
@given(marked_texts(), st.integers(16, 60), st.integers(3, 100))
def test_parts_are_the_text_and_fit_and_keep_every_mark(marked: Marked, limit: int, most: int) -> None:
    parts = split(marked, limit, most)
    assert "".join(part.text for part in parts) == marked.text
    assert painted(parts) == painted([marked])
    for part in parts:
        assert 0 < length(part.text) <= limit
        for entity in part.entities:
            assert entity.offset >= 0
            assert entity.length > 0
            assert entity.end <= length(part.text)


@settings(max_examples=600, deadline=None)
@given(marked_texts(), st.integers(16, 60))
def test_no_letter_is_cut(marked: Marked, limit: int) -> None:
    places = {match.end() for match in regex.finditer(r"\X", marked.text)}
    at = 0
    for part in split(marked, limit):
        at += len(part.text)
        assert at in places


@settings(max_examples=400, deadline=None)
@given(marked_texts(), st.integers(16, 60), st.integers(8, 20))
def test_no_part_has_more_entities_than_telegram_keeps(marked: Marked, limit: int, most: int) -> None:
    assert all(len(part.entities) <= most for part in split(marked, limit, most))


@settings(max_examples=300, deadline=None)
@given(TEXTS.map(lambda text: text * 4), st.integers(32, 64))
def test_all_but_the_last_are_half_full(text: str, limit: int) -> None:
    for part in split(Marked(text), limit)[:-1]:
        assert length(part.text) >= limit // 2 - 8  # less the longest letter of this alphabet


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("one two three\n\nfour five\nsix", ["one two three\n\n", "four five\nsix"]),
        ("one two three\nfour five six", ["one two three\n", "four five six"]),
        ("one two three four five six", ["one two three four ", "five six"]),
        ("x" * 30, ["x" * 20, "x" * 10]),
        ("👍" * 12, ["👍" * 10, "👍" * 2]),
        ("def f():\n\n    return 1", ["def f():\n\n", "    return 1"]),
        ("a\n\n" + "b" * 25, ["a\n\n" + "b" * 17, "b" * 8]),
    ],
)
def test_paragraph_then_line_then_word_then_letter(text: str, parts: list[str]) -> None:
    assert [part.text for part in split(Marked(text), 20)] == parts


def test_a_custom_emoji_is_not_cut() -> None:
    marked = Marked("x" * 18 + "abcdef", (Entity("custom_emoji", 18, 6, {"custom_emoji_id": "5"}),))
    assert [part.text for part in split(marked, 20)] == ["x" * 18, "abcdef"]


def test_a_letter_longer_than_a_message_is_cut_between_characters() -> None:
    text = "a" + "\u0301" * 50
    parts = split(Marked(text), 20)
    assert "".join(part.text for part in parts) == text
    assert all(length(part.text) <= 20 for part in parts)


def begun(**variables: object) -> Begun:
    return Begun(1, 1, 1, BotId(1), ChatId(-100), 1, "report", "Cats", variables)


def content(text: str, **params: object) -> dict[str, object]:
    return {"method": "sendMessage", "params": {"text": text, **params}}


def test_a_short_text_is_sent_as_it_was_written() -> None:
    assert calls(content("<b>x</b>", parse_mode="HTML"), begun()) == [
        ("sendMessage", {"chat_id": -100, "text": "<b>x</b>", "parse_mode": "HTML"})
    ]


def test_marks_do_not_count_where_the_text_fits_without_them() -> None:
    text = "<b>x</b>" * 1000
    assert len(calls(content(text, parse_mode="HTML"), begun())) == 1


def test_buttons_come_last_and_the_mark_goes_on() -> None:
    keyboard = {"inline_keyboard": [[{"text": "x", "url": "https://a.b"}]]}
    options = {"reply_markup": keyboard, "link_preview_options": {"url": "https://a.b"}, "protect_content": True}
    text = f"<b>{'word ' * 1000}</b>"
    first, second = (params for _, params in calls(content(text, parse_mode="HTML", **options), begun()))
    assert "reply_markup" not in first
    assert second["reply_markup"] == keyboard
    assert (first["link_preview_options"], second["link_preview_options"]) == (
        {"url": "https://a.b"},
        {"is_disabled": True},
    )
    assert (first.get("disable_notification"), second["disable_notification"]) == (None, True)
    assert first["protect_content"]
    assert second["protect_content"]
    assert [e["type"] for e in first["entities"] + second["entities"]] == ["bold", "bold"]
    assert "parse_mode" not in first


def test_what_a_variable_makes_too_long_is_split_too() -> None:
    parts = calls(content("{{x}} {{x}}", parse_mode="HTML"), begun(x="&<" * 1100))
    assert "".join(params["text"] for _, params in parts) == f"{'&<' * 1100} {'&<' * 1100}"


def test_too_many_parts_and_broken_markup_are_said_without_the_text() -> None:
    for text, mode in (("secret " * 20_000, None), (">*{{x}}*" + "a" * 5000, "MarkdownV2")):
        with pytest.raises(UnsendableError) as found:
            calls(content(text, parse_mode=mode), begun(x="secret\nsecret"))
        assert "secret" not in str(found.value)


@pytest.mark.parametrize(
    ("message", "values"),
    [
        (content("<b>{{x}}</b>", parse_mode="HTML"), {}),
        (content(">*{{x}}*", parse_mode="MarkdownV2"), {"x": "a\nb"}),
        ({"method": "sendPhoto", "params": {"photo": "x", "caption": "{{x}}"}}, {"x": "secret" * 200}),
        (
            {"method": "sendMediaGroup", "params": {"media": [{"type": "photo", "media": "x", "caption": "{{x}}"}]}},
            {"x": "secret" * 200},
        ),
    ],
)
def test_what_only_one_groups_values_break_is_said_of_that_group(
    message: dict[str, object], values: dict[str, str]
) -> None:
    with pytest.raises(UnsendableError) as found:
        calls(message, begun(**values))
    assert "secret" not in str(found.value)
    assert len(calls(message, begun(x="fine"))) == 1


EMOJI = '<tg-emoji emoji-id="5368324170671202286">👍</tg-emoji> '


def test_hundreds_of_custom_emoji_are_no_work_for_each_letter() -> None:
    """The sender's heartbeat waits for it: letter by emoji it took eight seconds, and the sender was called dead."""
    marked = parse((EMOJI + "word " * 9) * 380, "HTML")
    began = time.process_time()
    parts = split(marked)
    assert time.process_time() - began < 1
    assert "".join(part.text for part in parts) == marked.text
    assert sum(entity.length for part in parts for entity in part.entities) == 380 * 2


def test_a_text_is_split_once_for_all_groups_and_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Marked] = []

    def counted(marked: Marked) -> list[Marked]:
        done.append(marked)
        return split(marked)

    monkeypatch.setattr("sender.rules.parts.split", counted)
    text = "once for all " * 500
    for chat_id in (-1, -2):
        found = calls(content(text), replace(begun(), chat_id=ChatId(chat_id)))
        assert {params["chat_id"] for _, params in found} == {chat_id}
    for value in ("x", "y", "x"):
        calls(content(text + "{{a}}"), begun(a=value))
    assert len(done) == 3


def test_parts_that_show_nothing_are_left_out() -> None:
    parts = calls(content("a" + "\n" * 9000 + "b"), begun())
    assert [params["text"].strip() for _, params in parts] == ["a", "b"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["<b>", "</b>", "word ", "\n", "👍", "&amp;", "<i>x</i>"]), max_size=300),
    st.integers(1, 40),
)
def test_the_doors_estimate_is_never_too_small(pieces: list[str], times: int) -> None:
    text = ("".join(pieces) + "<i>y</i>") * times
    try:
        marked = parse(text, "HTML")
    except ValueError:
        return
    estimate = markup.most_parts(length(marked.text), len(marked.entities))
    if length(marked.text) > TEXT_LIMIT:
        assert len(split(marked)) <= estimate


def test_marks_in_a_heap_make_no_row_of_ever_smaller_parts() -> None:
    text = "words and more \n\n" * 180 + "<i>x</i>y" * 150 + "\n\n" + "word " * 300
    marked = parse(text, "HTML")
    assert len(split(marked)) <= markup.most_parts(length(marked.text), 150) == 6
