"""What a bot can learn about a chat, and leaving it."""

from __future__ import annotations

from typing import Any

from telegram_sim.conversation import Conversation, Dialog
from telegram_sim.errors import bad_request
from telegram_sim.groups import Group
from telegram_sim.members import Member
from telegram_sim.membership import change
from telegram_sim.methods.call import Call
from telegram_sim.permissions import check_inside


def get_chat(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#getchat: ChatFullInfo."""
    place = call.place()
    full = place.as_json() | {"accent_color_id": 0, "max_reaction_count": 11} | gift_types()
    if isinstance(place, Group):
        check_inside(call.bot, place)
        full |= group_info(call, place)
    elif isinstance(place, Dialog) and not place.started and place.writable_until == 0:
        raise bad_request("chat not found")
    if place.pinned:
        full["pinned_message"] = place.messages.get(place.pinned[-1])
    return {name: value for name, value in full.items() if value is not None}


def gift_types() -> dict[str, Any]:
    """A field that newer clients require in every ChatFullInfo."""
    names = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
    return {"accepted_gift_types": dict.fromkeys(names, True)}


def group_info(call: Call, group: Group) -> dict[str, Any]:
    """The fields that only chats with members have."""
    info: dict[str, Any] = {"permissions": dict(group.permissions)}
    primary = next((link for link in group.links.values() if link.is_primary and link.creator_id == call.bot.id), None)
    if primary and not primary.is_revoked:
        info["invite_link"] = primary.url
    return info


def get_chat_member(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#getchatmember."""
    user_id = call.user_id()
    group = members_of(call)
    return group.member(user_id).as_json(call.world.account(user_id))


def get_chat_member_count(call: Call) -> int:
    """core.telegram.org/bots/api#getchatmembercount."""
    place = call.place()
    if not isinstance(place, Group):
        return 2
    check_inside(call.bot, place)
    return sum(1 for _ in place.present())


def get_chat_administrators(call: Call) -> list[dict[str, Any]]:
    """core.telegram.org/bots/api#getchatadministrators: other bots are left out unless return_bots is set (M1)."""
    group = members_of(call)
    everyone = call.params.flag("return_bots")
    return [
        admin.as_json(call.world.account(admin.account_id))
        for admin in group.admins()
        if everyone or admin.account_id not in call.world.bots or admin.account_id == call.bot.id
    ]


def members_of(call: Call) -> Group:
    """The group a bot asks about."""
    place: Conversation = call.place()
    if not isinstance(place, Group):
        raise bad_request("there are no administrators in the private chat")
    check_inside(call.bot, place)
    return place


def leave_chat(call: Call) -> bool:
    """core.telegram.org/bots/api#leavechat."""
    group = call.group()
    check_inside(call.bot, group)
    change(call.world, group, Member(call.bot.id), actor_id=call.bot.id)
    return True
