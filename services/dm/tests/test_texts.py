"""The catalogues agree with each other, and every sentence is HTML that Telegram takes."""

from __future__ import annotations

import re
import string
from html.parser import HTMLParser

import pytest
from dm.texts import DEFAULT, Texts
from hypothesis import given
from hypothesis import strategies as st

_TEXTS = Texts.load()
_OTHERS = sorted(set(_TEXTS.catalogues) - {DEFAULT})
_SENTENCES = [(language, key) for language, catalogue in _TEXTS.catalogues.items() for key in catalogue]
_ALLOWED_TAGS = {"b", "i", "u", "s", "code", "pre", "a", "tg-spoiler", "blockquote"}  # Bot API, HTML style


class Tags(HTMLParser):
    """Fails where tags don't match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Only what Telegram knows."""
        assert tag in _ALLOWED_TAGS
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """The last one that was opened."""
        assert self.open.pop() == tag


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_there_is_a_second_language() -> None:
    assert _OTHERS


@pytest.mark.parametrize("language", _OTHERS)
def test_catalogues_have_the_same_keys(language: str) -> None:
    assert set(_TEXTS.catalogues[language]) == set(_TEXTS.catalogues[DEFAULT])


@pytest.mark.parametrize("language", _OTHERS)
def test_catalogues_have_the_same_placeholders(language: str) -> None:
    theirs = {key: placeholders(text) for key, text in _TEXTS.catalogues[language].items()}
    assert theirs == {key: placeholders(text) for key, text in _TEXTS.catalogues[DEFAULT].items()}


@pytest.mark.parametrize(("language", "key"), _SENTENCES)
def test_each_sentence_is_html_for_telegram(language: str, key: str) -> None:
    text = _TEXTS.catalogues[language][key]
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert tags.open == []
    assert not re.search(r"&(?!(lt|gt|amp|quot);)", text)
    assert 0 < len(text) < 4096


@pytest.mark.parametrize("language", sorted(_TEXTS.catalogues))
def test_each_command_has_a_line_in_help(language: str) -> None:
    commands = {"start", "account", "language", "feedback", "stop", "cancel", "help"}
    assert set(re.findall(r"^/(\w+)", _TEXTS.catalogues[language]["help"], re.MULTILINE)) == commands


@given(st.text())
def test_no_value_becomes_markup(name: str) -> None:
    said = _TEXTS.say("en", "start", name=name)
    before, _, after = _TEXTS.catalogues["en"]["start"].partition("{name}")
    inner = said.removeprefix(before).removesuffix(after)
    assert not re.search(r"[<>]|&(?!(lt|gt|amp);)", inner)


def test_the_users_choice_comes_before_the_clients() -> None:
    assert _TEXTS.best("de", "en") == "de"
    assert _TEXTS.best(None, "DE-at") == "de"
    assert _TEXTS.best("xx", None) == DEFAULT


def test_a_key_that_no_catalogue_has_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        _TEXTS.say("en", "no such key")
