"""A basic group becomes a supergroup (M10)."""

from __future__ import annotations

from telegram_sim.errors import AdminError
from telegram_sim.groups import Group
from telegram_sim.membership import post
from telegram_sim.world import World


def migrate(world: World, group: Group) -> Group:
    """Members and links move; service messages tell both chats, and nobody is said to have left."""
    if group.kind != "group" or group.migrated_to is not None:
        raise AdminError("only a group that was not migrated yet can migrate", status=409)
    owner = next((member.account_id for member in group.members.values() if member.status == "creator"), None)
    author = {"from": world.account(owner)} if owner else {}
    new = world.add_group("supergroup", group.title)
    new.members = dict(group.members)
    new.permissions = dict(group.permissions)
    post(world, group, {**author, "migrate_to_chat_id": new.id})
    post(world, new, {**author, "migrate_from_chat_id": group.id})
    group.migrated_to = new.id
    return new
