"""What a bot's place in a chat means for its group, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from common.ids import BotId, ChatId, UpdateId
from common.records import GroupState, Moment
from tgms.rules.membership import begins, decide
from tgms.rules.updates import Place, Unreadable, membership

BOT, OTHER = BotId(7), BotId(8)
MOMENT = Moment(datetime(2026, 1, 1, tzinfo=UTC), UpdateId(1))
IN = Place(ChatId(-1), "supergroup", "t", inside=True, missing=[], health="ok", moment=MOMENT)
OUT = replace(IN, inside=False, health="unreachable")
GROUP = GroupState(1, BOT, ChatId(-1), "monitoring", "ok", [], None, None)


@pytest.mark.parametrize("phase", ["discovered", "growth", "monitoring", "paused"])
def test_any_living_group_is_lost_without_its_bot_and_keeps_its_phase_with_it(phase: str) -> None:
    group = replace(GROUP, phase=phase)
    lost = decide(group, OUT, BOT)
    assert lost.state is not None
    assert (lost.state.phase, lost.state.health, lost.fail_pending) == ("lost", "unreachable", True)
    assert decide(group, IN, BOT).state is None
    weaker = decide(group, replace(IN, health="blind", missing=["x"]), BOT).state
    assert weaker == replace(group, health="blind", missing_rights=["x"])


def test_a_lost_group_is_discovered_again_whoever_of_us_is_back() -> None:
    lost = replace(GROUP, phase="lost", health="unreachable", out_reason="gone")
    for bot_id in (BOT, OTHER):
        assert decide(lost, IN, bot_id).state == replace(GROUP, bot_id=bot_id, phase="discovered")
    assert decide(lost, OUT, BOT).state is None


@pytest.mark.parametrize("place", [IN, OUT])
def test_another_bots_group_and_a_pointer_are_left_alone(place: Place) -> None:
    assert decide(GROUP, place, OTHER).state is None
    assert decide(replace(GROUP, phase="migrated"), place, BOT).state is None
    assert not decide(GROUP, place, OTHER).fail_pending


def test_only_a_bot_that_is_inside_begins_a_group() -> None:
    assert begins(None, IN)
    assert not begins(None, OUT)
    assert not begins(GROUP, IN)
    assert decide(None, OUT, BOT).state is None


def event(status: str, **rights: Any) -> dict[str, Any]:
    member = {"user": {"id": BOT}, "status": status, **rights}
    chat = {"id": -1, "type": "supergroup", "title": "t"}
    return {"update_id": 1, "my_chat_member": {"chat": chat, "date": 1767225600, "new_chat_member": member}}


@pytest.mark.parametrize(
    ("status", "rights", "inside", "health", "missing"),
    [
        ("creator", {}, True, "ok", 0),
        ("administrator", {"can_invite_users": True, "can_restrict_members": True}, True, "ok", 0),
        ("administrator", {"can_invite_users": True}, True, "degraded", 1),
        ("administrator", {"can_invite_users": "true", "can_restrict_members": 1}, True, "degraded", 2),
        ("member", {}, True, "blind", 2),
        ("restricted", {"is_member": True, "can_send_messages": True}, True, "blind", 2),
        ("restricted", {"is_member": True}, True, "degraded", 3),
        ("restricted", {"is_member": False}, False, "unreachable", 0),
        ("left", {}, False, "unreachable", 0),
        ("kicked", {}, False, "unreachable", 0),
    ],
)
def test_each_status_is_read(status: str, rights: dict[str, Any], inside: bool, health: str, missing: int) -> None:  # noqa: FBT001
    place = membership(event(status, **rights), BOT)
    assert isinstance(place, Place)
    assert (place.inside, place.health, len(place.missing)) == (inside, health, missing)


def test_what_is_not_about_this_bot_is_not_believed() -> None:
    assert isinstance(membership(event("left"), OTHER), Unreadable)
    assert isinstance(membership(event("astral"), BOT), Unreadable)
