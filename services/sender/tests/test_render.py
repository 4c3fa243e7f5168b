"""Templates know names and nothing else, and what a group is called can't break the message."""

from __future__ import annotations

import pytest
from common.ids import BotId, ChatId
from common.records import Begun
from hypothesis import given
from hypothesis import strategies as st
from sender.rules.render import fill, render


def begun(**variables: object) -> Begun:
    return Begun(1, 1, 1, BotId(1), ChatId(-100), 1, "report", "Cats & <dogs>", variables)


def test_title_and_variables_are_filled_in_and_the_chat_is_added() -> None:
    content = {"method": "sendPhoto", "params": {"photo": "id", "caption": "Hi {{title}}, {{ city }}!"}}
    assert render(content, begun(city="Ulm", title="no group's own")) == (
        "sendPhoto",
        {"chat_id": -100, "photo": "id", "caption": "Hi Cats & <dogs>, Ulm!"},
    )


@pytest.mark.parametrize(
    ("mode", "expected"), [("HTML", "a&lt;b&gt; &amp; c.d"), ("MarkdownV2", "a<b\\> & c\\.d"), (None, "a<b> & c.d")]
)
def test_values_are_escaped_for_the_message_that_they_go_into(mode: str | None, expected: str) -> None:
    assert fill("{{x}}", {"x": "a<b> & c.d"}, mode) == expected


def test_a_name_without_a_value_is_empty() -> None:
    assert fill("[{{nobody}}]", {}, "HTML") == "[]"


@pytest.mark.parametrize(
    "template", ["{{0.__class__}}", "{0.__class__}", "{{title.__len__}}", "{{A}}", "{{ }}", "{{x!r}}"]
)
def test_whatever_is_no_plain_name_stays_as_it_is_written(template: str) -> None:
    assert fill(template, {"title": "t", "x": "x"}, None) == template


@given(st.text(), st.sampled_from(["HTML", "MarkdownV2", None]))
def test_no_value_can_bring_in_another_placeholder(value: str, mode: str | None) -> None:
    assert fill("{{a}}", {"a": value, "b": "SECRET"}, mode).count("SECRET") == value.count("SECRET")
