"""Invite links: create, edit, revoke, export (M8)."""

from __future__ import annotations

from typing import Any

from telegram_sim.errors import bad_request
from telegram_sim.groups import Group
from telegram_sim.invites import InviteLink
from telegram_sim.methods.call import Call
from telegram_sim.permissions import check_right

NAME_LIMIT = 32
MEMBER_LIMITS = range(100_000)  # 0 is none


def create_chat_invite_link(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#createchatinvitelink."""
    group = inviting(call)
    link = call.world.add_link(group, InviteLink("", call.bot.id, **settings(call)))
    return shape(call, link)


def edit_chat_invite_link(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#editchatinvitelink."""
    link = own_link(call, inviting(call))
    if link.is_primary or link.is_revoked:
        raise bad_request("CHAT_INVITE_PERMANENT" if link.is_primary else "INVITE_HASH_EXPIRED")
    for name, value in settings(call).items():
        setattr(link, name, value)
    return shape(call, link)


def revoke_chat_invite_link(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#revokechatinvitelink: a revoked primary link is replaced."""
    group = inviting(call)
    link = own_link(call, group)
    link.is_revoked = True
    if link.is_primary:
        link.is_primary = False
        call.world.add_link(group, InviteLink("", call.bot.id, is_primary=True))
    return shape(call, link)


def export_chat_invite_link(call: Call) -> str:
    """core.telegram.org/bots/api#exportchatinvitelink: a new primary link, the old one is revoked."""
    group = inviting(call)
    for link in group.links.values():
        if link.is_primary and link.creator_id == call.bot.id:
            link.is_primary, link.is_revoked = False, True
    return call.world.add_link(group, InviteLink("", call.bot.id, is_primary=True)).url


def inviting(call: Call) -> Group:
    """A chat in which the bot may invite."""
    group = call.group()
    check_right(call.bot, group, "can_invite_users", "not enough rights to manage chat invite link")
    return group


def settings(call: Call) -> dict[str, Any]:
    """The optional settings of a link."""
    params = call.params
    name, limit, asks = params.text("name"), params.integer("member_limit"), params.flag("creates_join_request")
    if len(name) > NAME_LIMIT:
        raise bad_request("invite link name is too long")
    if limit not in MEMBER_LIMITS:
        raise bad_request("wrong member limit specified")
    if limit and asks:
        raise bad_request("member limit can't be specified for links requiring administrator approval")
    expires = params.integer("expire_date")
    return {"name": name, "expire_date": expires, "member_limit": limit, "creates_join_request": asks}


def own_link(call: Call, group: Group) -> InviteLink:
    """Bots touch only their own links."""
    link = group.links.get(call.params.text("invite_link"))
    if link is None or link.creator_id != call.bot.id:
        raise bad_request("INVITE_HASH_EXPIRED")
    return link


def shape(call: Call, link: InviteLink) -> dict[str, Any]:
    """ChatInviteLink as its creator sees it."""
    return link.as_json(call.bot.as_user(), viewer_id=call.bot.id)
