"""Text as Telegram reads it; what is expected here was checked against TDLib's own tests of its parsers."""

from __future__ import annotations

import pytest
from telegram_sim.errors import ApiError
from telegram_sim.markup.builder import Entity
from telegram_sim.markup.compose import compose
from telegram_sim.markup.detect import detect_entities
from telegram_sim.markup.html import parse_html
from telegram_sim.markup.keyboards import read_markup, read_reply_keyboard
from telegram_sim.markup.markdown import parse_markdown
from telegram_sim.markup.markdown_v2 import parse_markdown_v2

ParsedEntity = tuple[str, int, int]


def shapes(entities: list[Entity]) -> list[ParsedEntity]:
    """Kind, offset and length of each, in the order in which Telegram sorts them."""
    found = [(entity["type"], entity["offset"], entity["length"]) for entity in entities]
    return sorted(found, key=lambda shape: (shape[1], -shape[2], shape[0]))


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("➡️ ➡️<i>➡️ ➡️</i>", "➡️ ➡️➡️ ➡️", [("italic", 5, 5)]),
        ("🏟 🏟<i>🏟 &gt;<b aba   =   caba>&lt🏟</b></i>", "🏟 🏟🏟 ><🏟", [("italic", 5, 7), ("bold", 9, 3)]),
        ("🏟 🏟&lt;<i    aba  =  '&lt;&gt;&quot;'>a</>", "🏟 🏟<a", [("italic", 6, 1)]),
        ("<b></b>x", "x", []),
        ("<b>a</b><strong>b</strong>", "ab", [("bold", 0, 1), ("bold", 1, 1)]),
        ("<u>a</u><ins>b</ins>", "ab", [("underline", 0, 1), ("underline", 1, 1)]),
        ("<s>a</s><strike>b</strike><del>c</del>", "abc", [("strikethrough", n, 1) for n in range(3)]),
        ('<span class="tg-spoiler">a</span><tg-spoiler>b</tg-spoiler>', "ab", [("spoiler", 0, 1), ("spoiler", 1, 1)]),
        ("<a>telegram.org </a>", "telegram.org ", []),
        ("<a href=telegram.org> </a>", " ", [("text_link", 0, 1)]),
        ('<a href="tg://user?id=42">x</a>', "x", [("text_mention", 0, 1)]),
        ('<pre><code class="language-fift">x</></>', "x", [("pre", 0, 1)]),
        ('<code class="language-fift"><pre>x</></>', "x", [("pre", 0, 1)]),
        ("<blockquote expandable>a</blockquote>", "a", [("expandable_blockquote", 0, 1)]),
        ('<tg-emoji emoji-id="54321">🏟</tg-emoji>', "🏟", [("custom_emoji", 0, 2)]),
        ("&#65;&#x42;&amp;&unknown;&", "AB&&unknown;&", []),
        ("<B>x</b>", "x", [("bold", 0, 1)]),
    ],
)
def test_html(source: str, text: str, expected: list[ParsedEntity]) -> None:
    parsed, entities = parse_html(source)
    assert parsed == text
    assert shapes(entities) == shapes([{"type": k, "offset": o, "length": n} for k, o, n in expected])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("🏟 🏟<", "Unclosed start tag at byte offset 9"),
        ("🏟 🏟<i", "Unclosed start tag at byte offset 9"),
        ("🏟 🏟<i ", "Unclosed start tag at byte offset 9"),
        ("🏟 🏟<x>", 'Unsupported start tag "x" at byte offset 9'),
        ("a<!-- b -->", 'Unsupported start tag "!--" at byte offset 1'),
        ("🏟 🏟<a =x>", 'Empty attribute name in the tag "a" at byte offset 9'),
        ("🏟 🏟<a href='x>", "Unclosed start tag at byte offset 9"),
        ("🏟 🏟</b>", "Unexpected end tag at byte offset 9"),
        ("<b>a</b", "Unclosed end tag at byte offset 4"),
        ("<b>a</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("<i><b>a", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<span>a</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("1 < 2", 'Unsupported start tag "" at byte offset 2'),
    ],
)
def test_broken_html(source: str, message: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_html(source)
    assert refused.value.description == f"Bad Request: can't parse entities: {message}"


@pytest.mark.parametrize("letter", list("]()>#+-=|{}.!"))
def test_reserved_characters_of_markdown_v2_want_a_backslash(letter: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_markdown_v2(f"a{letter}")
    expected = f"Character '{letter}' is reserved and must be escaped with the preceding '\\'"
    assert refused.value.description == f"Bad Request: can't parse entities: {expected}"
    assert parse_markdown_v2(f"a\\{letter}") == (f"a{letter}", [])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("🏟 🏟_abacaba", "Can't find end of Italic entity at byte offset 9"),
        ("🏟 🏟_abac * asd ", "Can't find end of Bold entity at byte offset 15"),
        ("🏟 🏟_abac * asd _", "Can't find end of Italic entity at byte offset 21"),
        ("🏟 🏟`", "Can't find end of Code entity at byte offset 9"),
        ("🏟 🏟```", "Can't find end of Pre entity at byte offset 9"),
        ("🏟 🏟```a", "Can't find end of Pre entity at byte offset 9"),
        ("🏟 🏟```a ", "Can't find end of PreCode entity at byte offset 9"),
        ("🏟 🏟__🏟 🏟_", "Can't find end of Italic entity at byte offset 20"),
        ("🏟 🏟_🏟 🏟__", "Can't find end of Underline entity at byte offset 19"),
        ("🏟 🏟```🏟 🏟`", "Can't find end of Code entity at byte offset 21"),
        ("🏟 🏟```🏟 🏟\\`", "Can't find end of PreCode entity at byte offset 9"),
        ("[telegram\\.org](asd\\)", "Can't find end of a URL at byte offset 16"),
        ("🏟 🏟__🏟 _🏟___", "Can't find end of Italic entity at byte offset 23"),
        ("🏟 🏟||test\\|", "Can't find end of Spoiler entity at byte offset 9"),
        ("🏟 🏟![👍", "Can't find end of CustomEmoji entity at byte offset 9"),
        ("🏟 🏟![👍]", "Custom emoji entity must contain a tg://emoji URL"),
        ("🏟 🏟![👍](tg://emoji?id=1234", "Can't find end of a custom emoji URL at byte offset 17"),
        ("🏟 🏟![👍](t://emoji?id=1234)", "Custom emoji URL must have scheme tg"),
        ("🏟 🏟![👍](tg:emojis?id=1234)", 'Custom emoji URL must have host "emoji"'),
        ("🏟 🏟![👍](tg://emoji#test)", "Custom emoji URL must have an emoji identifier"),
        ("🏟 🏟![👍](tg://emoji?test=1231&id=025)", "Invalid custom emoji identifier specified"),
        (">*b\n>ld \n>bo\nld*\nasd\ndef", "Can't find end of Bold entity at byte offset 1"),
        (">\n*a*>2", "Character '>' is reserved and must be escaped with the preceding '\\'"),
        (">asd\n>q||e||w||\n||asdad", "Can't find end of Spoiler entity at byte offset 16"),
        (">asd\n>q||ew\n||asdad", "Can't find end of Spoiler entity at byte offset 7"),
        (">asd\n>q||e||w__\n||asdad", "Can't find end of Underline entity at byte offset 13"),
        (">asd\n>q||e||w||a\n||asdad", "Can't find end of Spoiler entity at byte offset 13"),
    ],
)
def test_broken_markdown_v2(source: str, message: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_markdown_v2(source)
    assert refused.value.description == f"Bad Request: can't parse entities: {message}"


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("🏟 🏟_abac \\* asd _", "🏟 🏟abac * asd ", [("italic", 5, 11)]),
        ("➡️ ➡️_➡️ ➡️_*➡️ ➡️*", "➡️ ➡️➡️ ➡️➡️ ➡️", [("italic", 5, 5), ("bold", 10, 5)]),
        ("🏟 🏟_🏟 __🏟___", "🏟 🏟🏟 🏟", [("italic", 5, 5), ("underline", 8, 2)]),
        ("🏟 🏟__🏟 _🏟_ __", "🏟 🏟🏟 🏟 ", [("underline", 5, 6), ("italic", 8, 2)]),
        ("🏟 🏟`🏟 🏟```", "🏟 🏟🏟 🏟", [("code", 5, 5)]),
        ("🏟 🏟```🏟 🏟```", "🏟 🏟 🏟", [("pre", 5, 3)]),
        ("🏟 🏟```🏟\n🏟```", "🏟 🏟🏟", [("pre", 5, 2)]),
        ("🏟 🏟```🏟\n\n🏟```", "🏟 🏟\n🏟", [("pre", 5, 3)]),
        ("||test||", "test", [("spoiler", 0, 4)]),
        ("~a~", "a", [("strikethrough", 0, 1)]),
        ("🏟 🏟**", "🏟 🏟", []),
        ("🏟 🏟``````", "🏟 🏟", []),
        ("[ ](telegram.org)", " ", [("text_link", 0, 1)]),
        ("[ ](as)", " ", []),
        ("[telegram\\.org]", "telegram.org", [("text_link", 0, 12)]),
        (">a\n>b\nc", "a\nb\nc", [("blockquote", 0, 3)]),
        (">a\n>b||\nc", "a\nb\nc", [("expandable_blockquote", 0, 3)]),
        ("![👍](tg://emoji?id=1234)", "👍", [("custom_emoji", 0, 2)]),
        ("\\\\\\a", "\\a", []),
    ],
)
def test_markdown_v2(source: str, text: str, expected: list[ParsedEntity]) -> None:
    parsed, entities = parse_markdown_v2(source)
    assert parsed == text
    assert shapes(entities) == shapes([{"type": k, "offset": o, "length": n} for k, o, n in expected])


def test_old_markdown() -> None:
    text, entities = parse_markdown("*b* _i_ `c` [l](https://a.b) \\_ ```p```")
    assert text == "b i c l _ p"
    assert [entity["type"] for entity in entities] == ["bold", "italic", "code", "text_link", "pre"]
    with pytest.raises(ApiError, match="Can't find end of the entity starting at byte offset 2"):
        parse_markdown("a *b")


def test_white_space_at_the_ends_goes_and_entities_move() -> None:
    text, entities = compose("  <b>bold </b> ", "HTML", None)
    assert (text, shapes(entities)) == ("bold", [("bold", 0, 4)])


def test_given_entities_are_cut_to_the_text_and_a_parse_mode_beats_them() -> None:
    given = [{"type": "bold", "offset": 1, "length": 99}, {"type": "bold", "offset": 7, "length": 1}]
    assert shapes(compose("abc", "", given)[1]) == [("bold", 1, 2)]
    assert compose("abc", "HTML", given)[1] == []
    with pytest.raises(ApiError, match="can't parse"):
        compose("abc", "", [{"offset": 0, "length": 1}])
    with pytest.raises(ApiError, match="unsupported parse_mode"):
        compose("abc", "BBCode", None)


def test_code_holds_no_other_entity() -> None:
    assert shapes(compose("<pre>a <b>b</b></pre> <b><code>c</code></b>", "HTML", None)[1]) == [
        ("pre", 0, 3),
        ("code", 4, 1),
    ]


def test_entities_that_nobody_marked() -> None:
    found = detect_entities("👍 /start@muster_bot @ada_l #tag https://a.b/c x@y.zz 1/2 /ok")
    assert shapes(found) == [
        ("bot_command", 3, 17),
        ("mention", 21, 6),
        ("hashtag", 28, 4),
        ("url", 33, 13),
        ("email", 47, 6),
        ("bot_command", 58, 3),
    ]
    assert compose("<code>/start</code>", "HTML", None)[1] == [{"type": "code", "offset": 0, "length": 6}]


@pytest.mark.parametrize(
    ("button", "words"),
    [
        ({"text": "x", "callback_data": "é" * 33}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "callback_data": ""}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "url": "not a url"}, "Wrong HTTP URL"),
        ({"text": "x"}, "Text buttons are unallowed in the inline keyboard"),
        ({"callback_data": "x"}, 'Can\'t find field "text"'),
        ({"text": " ", "callback_data": "x"}, "non-empty"),
        ("x", "must be an Object"),
    ],
)
def test_broken_buttons(button: object, words: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_markup({"inline_keyboard": [[button]]})
    assert words in refused.value.description


def test_only_inline_keyboards_stay_in_a_message() -> None:
    good = {"inline_keyboard": [[{"text": "x", "callback_data": "é" * 32}], []]}
    assert read_markup(good) == {"inline_keyboard": [[{"text": "x", "callback_data": "é" * 32}]]}
    assert read_markup({"keyboard": [["a"]]}) is None
    with pytest.raises(ApiError, match="REPLY_MARKUP_TOO_LONG"):
        read_markup({"inline_keyboard": [[{"text": "x", "callback_data": "x"}] * 101]})
    assert read_reply_keyboard({"keyboard": [["a"], [{"text": "b"}]]}) == [["a"], ["b"]]
    assert read_reply_keyboard({"remove_keyboard": True}) == []
    assert read_reply_keyboard(good) is None
