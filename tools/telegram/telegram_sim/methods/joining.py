"""approveChatJoinRequest, declineChatJoinRequest."""

from __future__ import annotations

from telegram_sim.errors import bad_request
from telegram_sim.groups import Group
from telegram_sim.invites import JoinRequest
from telegram_sim.members import Member
from telegram_sim.membership import change, close_request
from telegram_sim.methods.call import Call
from telegram_sim.permissions import check_right


def approve_chat_join_request(call: Call) -> bool:
    """core.telegram.org/bots/api#approvechatjoinrequest."""
    group, request = decided(call)
    if request.link:
        request.link.joined += 1
    newcomer = Member(request.user_id, "member")
    # via_join_request is said of requests without a link only (core.telegram.org/bots/api#chatmemberupdated).
    direct = request.link is None
    change(call.world, group, newcomer, actor_id=call.bot.id, link=request.link, via_request=direct)
    return True


def decline_chat_join_request(call: Call) -> bool:
    """core.telegram.org/bots/api#declinechatjoinrequest."""
    decided(call)
    return True


def decided(call: Call) -> tuple[Group, JoinRequest]:
    """Takes the request away, or says why there is none (M7)."""
    group, user_id = call.group(), call.user_id()
    check_right(call.bot, group, "can_invite_users", "CHAT_ADMIN_REQUIRED")
    request = close_request(call.world, group, user_id)
    if request is not None:
        return group, request
    raise bad_request("USER_ALREADY_PARTICIPANT" if group.member(user_id).present else "HIDE_REQUESTER_MISSING")
