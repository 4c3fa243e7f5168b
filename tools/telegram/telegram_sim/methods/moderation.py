"""banChatMember, unbanChatMember, restrictChatMember, promoteChatMember."""

from __future__ import annotations

from typing import Any

from telegram_sim.errors import bad_request
from telegram_sim.groups import Group
from telegram_sim.members import PERMISSIONS, Member, granted
from telegram_sim.membership import change
from telegram_sim.methods.call import Call
from telegram_sim.permissions import check_right

NO_RIGHTS = "not enough rights to restrict/unrestrict chat member"  # M7
FOREVER_BELOW = 30  # seconds; shorter bans never end (M6)
FOREVER_ABOVE = 366 * 86_400  # seconds; longer ones neither (M6)


def ban_chat_member(call: Call) -> bool:
    """core.telegram.org/bots/api#banchatmember; in a basic group it only removes (M5)."""
    group, target = moderated(call)
    if group.kind == "group":
        if not target.present:
            raise bad_request("member not found")
        put(call, group, Member(target.account_id))
        return True
    put(call, group, Member(target.account_id, "kicked", until=until_date(call)))
    return True


def unban_chat_member(call: Call) -> bool:
    """core.telegram.org/bots/api#unbanchatmember: without only_if_banned it removes a present member (M4)."""
    if call.group().kind == "group":
        raise bad_request("method is available for supergroup and channel chats only")
    group, target = moderated(call)
    if call.params.flag("only_if_banned") and target.status != "kicked":
        return True
    put(call, group, Member(target.account_id))
    return True


def restrict_chat_member(call: Call) -> bool:
    """core.telegram.org/bots/api#restrictchatmember; giving everything back makes a member again."""
    if call.group().kind != "supergroup":
        raise bad_request("method is available only for supergroups")
    permissions = read_permissions(call.params.structure("permissions"))
    group, target = moderated(call)
    if all(permissions.values()):
        put(call, group, Member(target.account_id, "member" if target.present else "left"))
        return True
    put(
        call,
        group,
        Member(
            target.account_id,
            "restricted",
            permissions=permissions,
            until=until_date(call),
            stays=target.present,
        ),
    )
    return True


def promote_chat_member(call: Call) -> bool:
    """core.telegram.org/bots/api#promotechatmember; no right at all demotes."""
    group, user_id = call.group(), call.user_id()
    check_right(call.bot, group, "can_promote_members", "not enough rights")
    target = group.member(user_id)
    if not target.present:
        raise bad_request("USER_NOT_MUTUAL_CONTACT")
    rights = granted(call.params.values)
    put(call, group, Member(user_id, "administrator", rights=rights) if rights else Member(user_id, "member"))
    return True


def moderated(call: Call) -> tuple[Group, Member]:
    """The chat and the target's standing, when the bot may restrict and the target may be restricted (M7)."""
    group, user_id = call.group(), call.user_id()
    check_right(call.bot, group, "can_restrict_members", NO_RIGHTS)
    target = group.member(user_id)
    if target.status == "creator":
        raise bad_request("can't remove chat owner")
    if user_id == call.bot.id:
        raise bad_request("can't restrict self")
    if target.status == "administrator":
        raise bad_request("user is an administrator of the chat")
    return group, target


def put(call: Call, group: Group, standing: Member) -> None:
    """The change in the bot's name."""
    change(call.world, group, standing, actor_id=call.bot.id)


def until_date(call: Call) -> int:
    """When a ban ends; 0 is never (M6)."""
    until = call.params.integer("until_date")
    ahead = until - call.world.clock.now()
    return until if FOREVER_BELOW <= ahead <= FOREVER_ABOVE else 0


def read_permissions(given: Any) -> dict[str, bool]:
    """ChatPermissions; what is not named is taken away."""
    if not isinstance(given, dict):
        raise bad_request("can't parse permissions JSON object")
    # The two newest permissions follow can_send_messages for clients that do not know them yet.
    newest = dict.fromkeys(("can_react_to_messages", "can_edit_tag"), given.get("can_send_messages"))
    wanted = newest | given
    return {name: wanted.get(name) in (True, "true") for name in PERMISSIONS}
