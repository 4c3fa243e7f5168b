"""/admin/chats: making groups and what happens in them."""

from __future__ import annotations

from typing import Any

from telegram_sim.admin.form import Form
from telegram_sim.errors import AdminError
from telegram_sim.forum import add_topic, drop_topic, set_closed
from telegram_sim.groups import KINDS, Group
from telegram_sim.invites import InviteLink, JoinRequest
from telegram_sim.members import PERMISSIONS, STATUSES, USUAL_RIGHTS, Member, granted
from telegram_sim.membership import ask_to_join, change, close_request
from telegram_sim.migration import migrate
from telegram_sim.stage import Stage

MOST_CHATS = 100_000  # in one request


def add_chats(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/chats: members come in silently, bots as if someone had just added them; `count` makes many alike."""
    if not form.has("count"):
        return _add_chat(stage, form, form.text("title", "A group"))
    count = form.integer("count")
    if not 1 <= count <= MOST_CHATS:
        raise AdminError(f"count must be from 1 to {MOST_CHATS}")
    title = form.text("title", "Group")
    return {"chats": [_add_chat(stage, form, f"{title} {number}") for number in range(1, count + 1)]}


def _add_chat(stage: Stage, form: Form, title: str) -> dict[str, Any]:
    kind = form.text("type", "supergroup")
    if kind not in KINDS:
        raise AdminError(f"type must be one of {', '.join(sorted(KINDS))}")
    members = [stage.world.user(int(number)).id for number in form.items("members")]
    bots = [read_bot(stage, given) for given in form.items("bots")]
    owner_id = form.maybe_integer("owner_id") or (members[0] if members else stage.world.add_user().id)
    group = stage.world.add_group(kind, title)
    group.username = form.maybe_text("username")
    group.is_forum = form.flag("is_forum")
    group.members |= {number: Member(number, "member") for number in members}
    group.members[owner_id] = Member(stage.world.user(owner_id).id, "creator")
    for bot in bots:
        change(stage.world, group, bot, actor_id=owner_id)
    return view(group)


def read_bot(stage: Stage, given: Any) -> Member:
    """{"id", "status", rights…}; an administrator without any right named has the usual ones."""
    if not isinstance(given, dict) or "id" not in given:
        raise AdminError("each of bots must be an object with an id")
    return standing(stage.world.bot(int(given["id"])).id, given, default="member")


def standing(account_id: int, given: dict[str, Any], *, default: str) -> Member:
    """A Member from the admin API's words."""
    status = given.get("status", default)
    if status not in STATUSES:
        raise AdminError(f"status must be one of {', '.join(sorted(STATUSES))}")
    named = any(name.startswith("can_") for name in given)
    rights = granted(given) if named else USUAL_RIGHTS
    if status == "restricted":
        permissions = {name: bool(given.get(name)) for name in PERMISSIONS}
        return Member(account_id, status, permissions=permissions, until=int(given.get("until_date", 0)))
    return Member(account_id, status, rights=rights if status == "administrator" else frozenset())


def list_chats(stage: Stage, _form: Form) -> dict[str, Any]:
    """GET /admin/chats."""
    return {"chats": [view(group) for group in stage.world.groups.values()]}


def show_chat(stage: Stage, form: Form) -> dict[str, Any]:
    """GET /admin/chats/{chat_id}: with members, links, requests and topics."""
    group = group_of(stage, form)
    account = stage.world.account
    return view(group) | {
        "members": [member.as_json(account(member.account_id)) for member in group.members.values()],
        "invite_links": [
            link.as_json(account(link.creator_id), viewer_id=link.creator_id) for link in group.links.values()
        ],
        "join_requests": [{"user_id": ask.user_id, "date": ask.date} for ask in group.requests.values()],
        "topics": [topic.as_json() | {"closed": topic.closed} for topic in group.topics.values()],
        "pinned": group.pinned,
    }


def view(group: Group) -> dict[str, Any]:
    """The Chat object and what became of it."""
    return group.as_json() | {
        "member_count": sum(1 for _ in group.present()),
        "migrated_to": group.migrated_to,
        "deleted": group.deleted,
    }


def join(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/chats/{chat_id}/join: by a link of any kind, or just so."""
    group, user_id = group_of(stage, form), stage.world.user(form.integer("user_id")).id
    if group.member(user_id).present:
        raise AdminError("the user is in the chat already", status=409)
    link = link_of(stage, group, form)
    if link and link.creates_join_request:
        return ask(stage, group, user_id, link, form)
    if link:
        link.joined += 1
    return {"update_ids": change(stage.world, group, Member(user_id, "member"), actor_id=user_id, link=link)}


def join_request(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/chats/{chat_id}/join_request."""
    group, user_id = group_of(stage, form), stage.world.user(form.integer("user_id")).id
    if group.member(user_id).present:
        raise AdminError("the user is in the chat already", status=409)
    return ask(stage, group, user_id, link_of(stage, group, form), form)


def ask(stage: Stage, group: Group, user_id: int, link: InviteLink | None, form: Form) -> dict[str, Any]:
    """The request itself; who waits already cannot ask again."""
    if user_id in group.requests:
        raise AdminError("the user has asked already", status=409)
    request = JoinRequest(user_id, int(stage.world.clock.now()), link, form.maybe_text("bio"))
    return {"update_ids": ask_to_join(stage.world, group, request)}


def cancel_request(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/chats/{chat_id}/cancel_request: the user thinks better of it; Telegram tells nobody."""
    request = close_request(stage.world, group_of(stage, form), form.integer("user_id"))
    return {"cancelled": request is not None}


def leave(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/chats/{chat_id}/leave."""
    account_id = account_of(stage, form)
    return set_standing(stage, form, Member(account_id), actor_id=account_id)


def kick(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/chats/{chat_id}/kick: a user_id or a bot_id."""
    return set_standing(stage, form, Member(account_of(stage, form), "kicked"))


def set_member(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/chats/{chat_id}/member: any status and rights, for a user_id or a bot_id."""
    return set_standing(stage, form, standing(account_of(stage, form), dict(form.values), default="member"))


def promote(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/chats/{chat_id}/promote: an administrator with the rights named, or the usual ones."""
    values = {**form.values, "status": "administrator"}
    return set_standing(stage, form, standing(account_of(stage, form), values, default="administrator"))


def demote(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/chats/{chat_id}/demote."""
    return set_standing(stage, form, Member(account_of(stage, form), "member"))


def set_standing(stage: Stage, form: Form, new: Member, *, actor_id: int | None = None) -> dict[str, Any]:
    """The change in the owner's name, unless somebody else is named."""
    group = group_of(stage, form)
    owner = next((member.account_id for member in group.members.values() if member.status == "creator"), None)
    actor = form.maybe_integer("actor_id") or actor_id or owner or new.account_id
    return {"update_ids": change(stage.world, group, new, actor_id=actor)}


def migrate_chat(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/chats/{chat_id}/migrate."""
    return view(migrate(stage.world, group_of(stage, form)))


def delete(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/chats/{chat_id}/delete."""
    group = group_of(stage, form)
    group.deleted = True
    return view(group)


def permit(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/chats/{chat_id}/permissions: what members may do; what is not named stays."""
    group = group_of(stage, form)
    group.permissions |= {name: bool(form.values[name]) for name in PERMISSIONS if form.has(name)}
    return {"permissions": group.permissions}


def topic(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/chats/{chat_id}/topics: a new topic, or with message_thread_id one to close, reopen or delete."""
    group = group_of(stage, form)
    author = stage.world.account(next(iter(group.admins())).account_id)
    thread_id = form.maybe_integer("message_thread_id")
    if thread_id is None:
        group.is_forum = True
        return add_topic(stage.world, group, form.text("name"), author=author).as_json()
    found = group.topics.get(thread_id)
    if found is None:
        raise AdminError("no such topic", status=404)
    if form.flag("delete"):
        drop_topic(group, found)
    else:
        set_closed(stage.world, group, found, closed=form.flag("closed"), author=author)
    return found.as_json() | {"closed": found.closed}


def group_of(stage: Stage, form: Form) -> Group:
    """The chat in the path."""
    return stage.world.group(form.integer("chat_id"))


def account_of(stage: Stage, form: Form) -> int:
    """A user or a bot that exists."""
    number = form.maybe_integer("bot_id") or form.integer("user_id")
    if number not in stage.world.bots:
        stage.world.user(number)
    return number


def link_of(stage: Stage, group: Group, form: Form) -> InviteLink | None:
    """The invite link that is used, if any."""
    if not form.has("invite_link"):
        return None
    link = group.links.get(form.text("invite_link"))
    if link is None or not link.usable(now=stage.world.clock.now()):
        raise AdminError("no such invite link, or it lets nobody in any more", status=404)
    return link
