"""Changes of who is in a chat, and the updates and service messages that tell of them."""

from __future__ import annotations

from typing import Any

from telegram_sim.bots import Bot
from telegram_sim.conversation import Message
from telegram_sim.groups import Group
from telegram_sim.invites import InviteLink, JoinRequest
from telegram_sim.members import Member
from telegram_sim.visibility import sees
from telegram_sim.world import World

REQUEST_WINDOW = 300  # seconds a bot may write to someone who asked to join (M2)
UpdateIds = dict[str, int]


def change(
    world: World,
    group: Group,
    new: Member,
    *,
    actor_id: int,
    link: InviteLink | None = None,
    via_request: bool = False,
) -> UpdateIds:
    """Replaces a member's standing and tells every bot that may know (U1)."""
    old = group.member(new.account_id)
    if old == new:
        return {}
    group.members[new.account_id] = new
    sent: UpdateIds = {}
    for bot in world.bots_in(group, also=new.account_id):
        own = bot.id == new.account_id
        if not own and not group.member(bot.id).is_admin:
            continue
        payload = describe(world, group, old, new, actor_id) | extras(world, bot, link, via_request=via_request)
        note(sent, bot, world.push(bot, "my_chat_member" if own else "chat_member", payload))
    tell_in_chat(world, group, old, new, actor_id)
    return sent


def describe(world: World, group: Group, old: Member, new: Member, actor_id: int) -> dict[str, Any]:
    """ChatMemberUpdated."""
    account = world.account(new.account_id)
    return {
        "chat": group.as_json(),
        "from": world.account(actor_id),
        "date": int(world.clock.now()),
        "old_chat_member": old.as_json(account),
        "new_chat_member": new.as_json(account),
    }


def extras(world: World, bot: Bot, link: InviteLink | None, *, via_request: bool) -> dict[str, Any]:
    """How someone got in (M9)."""
    fields: dict[str, Any] = {"via_join_request": True} if via_request else {}
    if link:
        fields["invite_link"] = link.as_json(world.account(link.creator_id), viewer_id=bot.id)
    return fields


def tell_in_chat(world: World, group: Group, old: Member, new: Member, actor_id: int) -> None:
    """The service message of a join or a leave; channels have none."""
    if group.kind == "channel" or old.present == new.present:
        return
    account = world.account(new.account_id)
    if new.present:
        fields = {"new_chat_members": [account], "new_chat_participant": account, "new_chat_member": account}
    else:
        fields = {"left_chat_member": account, "left_chat_participant": account}
    post(world, group, {"from": world.account(actor_id), **fields})


def post(world: World, group: Group, content: dict[str, Any], *, silent_for: int = 0) -> tuple[Message, UpdateIds]:
    """Puts a message into a chat and gives it to the bots that see it; its author never gets it (U3)."""
    message: Message = {
        "message_id": group.next_message_id(),
        "chat": group.as_json(),
        "date": int(world.clock.now()),
        **content,
    }
    group.store(message)
    return message, show(world, group, message, silent_for=silent_for)


def show(world: World, group: Group, message: Message, *, silent_for: int = 0, edited: bool = False) -> UpdateIds:
    """Gives a stored message to the bots that see it."""
    kind = "channel_post" if group.kind == "channel" else "message"
    sent: UpdateIds = {}
    for bot in world.bots_in(group):
        if bot.id != silent_for and sees(bot, group.member(bot.id), message):
            note(sent, bot, world.push(bot, f"edited_{kind}" if edited else kind, message))
    return sent


def ask_to_join(world: World, group: Group, request: JoinRequest) -> UpdateIds:
    """A join request: for administrators who may invite, and it opens the private chat for a while (M2)."""
    group.requests[request.user_id] = request
    if request.link:
        request.link.pending += 1
    sent: UpdateIds = {}
    for bot in world.bots_in(group):
        if not group.member(bot.id).may("can_invite_users"):
            continue
        dialog = world.dialog(bot, world.users[request.user_id])
        dialog.writable_until = world.clock.now() + world.clock.real(REQUEST_WINDOW)
        payload = {
            "chat": group.as_json(),
            "from": world.account(request.user_id),
            "user_chat_id": request.user_id,
            "date": request.date,
        } | extras(world, bot, request.link, via_request=False)
        if request.bio:
            payload["bio"] = request.bio
        note(sent, bot, world.push(bot, "chat_join_request", payload))
    return sent


def close_request(world: World, group: Group, user_id: int) -> JoinRequest | None:
    """Takes a request away, whoever decided it; with it goes the right to write (M2)."""
    request = group.requests.pop(user_id, None)
    if request is None:
        return None
    if request.link:
        request.link.pending -= 1
    for bot in world.bots_in(group):
        world.dialog(bot, world.users[user_id]).writable_until = 0.0
    return request


def note(sent: UpdateIds, bot: Bot, record: Any) -> None:
    """Remembers the update's id for the admin API's answer."""
    if record is not None:
        sent[str(bot.id)] = record.update_id
