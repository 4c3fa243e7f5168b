"""What passes here must be understood by Telegram: the simulator's parsers, written for themselves, are asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from common.markup.errors import MarkupError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ingress.rules import markup
from ingress.rules.markup import ParseMode, read, visible
from telegram_sim.errors import ApiError
from telegram_sim.markup.html import parse_html
from telegram_sim.markup.links import link_entity
from telegram_sim.markup.markdown_v2 import parse_markdown_v2

HTML_GOOD = {
    "<b>bold</b> <i>it</i> <u>u</u> <s>s</s>": "bold it u s",
    '<a href="https://example.com/?a=1&amp;b=2">link</a>': "link",
    "<tg-spoiler>x</tg-spoiler><span class='tg-spoiler'>y</span>": "xy",
    '<pre><code class="language-python">a &lt; b</code></pre>': "a < b",
    "<blockquote expandable>q</blockquote>": "q",
    '<tg-emoji emoji-id="5368324170671202286">👍</tg-emoji>': "👍",
    "1 &gt; 0 &amp;&#33;": "1 > 0 &!",
    "<B>x</b>": "x",
}
HTML_BAD = [
    "<b>open", "</b>", "<b><i>x</b></i>", "<p>x</p>", "a < b", "a <", "AT&T", "&nbsp;", "<a>x</a>", "<a href>x</a>",
    "<span>x</span>", "<b class='x'>y</b>", "<tg-emoji>x</tg-emoji>", "<br/>", "<!-- x -->", '<a href="x>y</a>', "&#0;",
    "<b/>", '<a href="{{link}}">x</a>', "{{Name}}", "{{", "{{a.b}}", "{{__class__.x}}",
]  # fmt: skip
MARKDOWN_GOOD = {
    "*bold* _it_ __u__ ~s~ ||sp|| `c`": "bold it u s sp c",
    "[text](https://example.com/\\))": "text",
    "```python\nx = 1\n```": "x = 1\n",
    "1\\. a\\-b\\!": "1. a-b!",
    ">quoted\n>more\nplain": "quoted\nmore\nplain",
    "![👍](tg://emoji?id=5368324170671202286)": "👍",
    "*a _b_ c*": "a b c",
    "`a.b-c!`": "a.b-c!",
}
MARKDOWN_BAD = [
    "*open", "a.b", "a-b", "!", "_a *b_ c*", "[x]", "[x](", "[x]()", "`open", "||x|", "a\\", "{x}", "#tag", "=", "|x|",
    "![x](https://example.com)", "```\nx", ">*a\nb*", "[a [b](c)](d)", "```word```",
]  # fmt: skip


@pytest.mark.parametrize(("text", "seen"), HTML_GOOD.items())
def test_good_html(text: str, seen: str) -> None:
    assert visible(text, "HTML") == seen
    parse_html(text)


@pytest.mark.parametrize("text", HTML_BAD)
def test_bad_html(text: str) -> None:
    with pytest.raises(MarkupError):
        visible(text, "HTML")


@pytest.mark.parametrize(("text", "seen"), MARKDOWN_GOOD.items())
def test_good_markdown(text: str, seen: str) -> None:
    assert visible(text, "MarkdownV2") == seen
    parse_markdown_v2(text)


@pytest.mark.parametrize("text", MARKDOWN_BAD)
def test_bad_markdown(text: str) -> None:
    with pytest.raises(MarkupError):
        visible(text, "MarkdownV2")


@pytest.mark.parametrize("mode", [None, "HTML", "MarkdownV2"])
def test_a_variable_counts_as_one_letter(mode: ParseMode | None) -> None:
    assert len(visible("{{ first_name }}", mode)) == 1


def test_lengths_are_utf_16_units() -> None:
    assert [markup.length(text) for text in ("a", "ß", "👍", "🏳️‍🌈")] == [1, 1, 2, 6]


PIECES = [
    "<b>", "</b>", "<i>", "</i>", "<a href='https://a.b'>", "</a>", "<code>", "</code>", "<pre>", "</pre>", "&lt;",
    "&amp",
    "<blockquote>", "</blockquote>", "<blockquote expandable>", "<pre><code class='language-py'>", "</code></pre>",
    "<a href='tg://user?id=7'>", "&#150;", "&#x1F44D;",
    "<tg-spoiler>", "</tg-spoiler>", "&", "<", ">", "a", " ", "\n", '"', "'", "/",
    "=", "👍",
]  # fmt: skip
MARKS = [
    "*", "_", "__", "~", "||", "`", "```", "[", "](https://a.b)", "]", "(", ")", ">", "\n", "\\", "\\.", "!", "a",
    " ", "\n>",
    "![", "](tg://emoji?id=5)", "py\n", "👍", "**", "|", "-", "\\`", "\\\\", "\\\n", "](tg://user?id=7)",
]  # fmt: skip


def _agrees(text: str, mode: ParseMode) -> None:
    """Accepted here ⇒ accepted there, with the same visible text but for what Telegram trims."""
    try:
        seen = read(text, mode)
    except MarkupError:
        return
    try:
        there, entities = parse_html(text) if mode == "HTML" else parse_markdown_v2(text)
    except ApiError as error:
        raise AssertionError(f"accepted {text!r}, but Telegram says {error}") from None
    assert seen.text == there, text
    ours = [_theirs(entity.as_json()) for entity in seen.entities]
    assert _ordered(ours) == _ordered(entities), text


def _theirs(entity: dict[str, Any]) -> dict[str, Any]:
    """As the simulator keeps the entity: addresses made whole, users as they are known."""
    place = {name: entity[name] for name in ("offset", "length")}
    match entity["type"]:
        case "text_link":
            return (link_entity(entity["url"]) or {}) | place
        case "text_mention":
            return (link_entity(f"tg://user?id={entity['user']['id']}") or {}) | place
        case _:
            return entity


def _ordered(entities: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(entity, sort_keys=True) for entity in entities)


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_whatever_html_passes_is_understood(text: str) -> None:
    _agrees(text, "HTML")


@settings(max_examples=3000, deadline=None)
@given(st.lists(st.sampled_from(MARKS), max_size=12).map("".join))
@example("\n>\\\n>")
def test_whatever_markdown_passes_is_understood(text: str) -> None:
    _agrees(text, "MarkdownV2")


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=30), st.sampled_from(["HTML", "MarkdownV2"]))
def test_any_text_is_answered_one_way_or_the_other(text: str, mode: ParseMode) -> None:
    _agrees(text, mode)
