"""What people do in chats: write, edit, press, block; each act gives the bots the updates it would give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telegram_sim.contents import read_content
from telegram_sim.conversation import Conversation, Dialog, Message
from telegram_sim.errors import AdminError
from telegram_sim.groups import Group
from telegram_sim.membership import UpdateIds, show
from telegram_sim.queue_keys import lifetime, queue_key
from telegram_sim.update_queue import UpdateRecord
from telegram_sim.users import User
from telegram_sim.wire import to_json
from telegram_sim.world import World


class Actors:
    """Acts on the world in the users' names."""

    def __init__(self, world: World) -> None:
        self.world = world

    def write(self, place: Conversation, user: User, values: Mapping[str, Any]) -> dict[str, Any]:
        """A user writes a message, or edits one of theirs."""
        content = read_content(values, user, self.world.files)
        if values.get("edit_message_id"):
            return self.edit(place, user, values["edit_message_id"], content)
        self.enter(place, user)
        message: Message = {
            "message_id": place.next_message_id(),
            "from": user.as_json(),
            "chat": place.as_json(),
            "date": int(self.world.clock.now()),
            **self.context(place, values),
            **content,
        }
        place.store(message)
        return {"update_ids": self.deliver(place, message), "message": message}

    def enter(self, place: Conversation, user: User) -> None:
        """Writing starts a private dialog; in a group only members write."""
        if isinstance(place, Dialog):
            if place.blocked:
                raise AdminError("the user has blocked the bot", status=409)
            place.started = True
        elif isinstance(place, Group):
            if place.migrated_to is not None:
                raise AdminError(f"the group is now {place.migrated_to}", status=409)
            if not place.member(user.id).present:
                raise AdminError("the user is not in this chat", status=409)

    def context(self, place: Conversation, values: Mapping[str, Any]) -> Message:
        """What the message answers, and in which topic it stands."""
        fields: Message = {}
        if values.get("reply_to_message_id"):
            original = place.messages.get(values["reply_to_message_id"])
            if original is None:
                raise AdminError("no message to reply to", status=404)
            fields["reply_to_message"] = {name: v for name, v in original.items() if name != "reply_to_message"}
        if values.get("message_thread_id"):
            fields |= {"message_thread_id": values["message_thread_id"], "is_topic_message": True}
        return fields

    def edit(self, place: Conversation, user: User, message_id: int, content: Message) -> dict[str, Any]:
        """Replaces a message's content."""
        original = place.messages.get(message_id)
        if original is None or original.get("from", {}).get("id") != user.id:
            raise AdminError("no such message of this user", status=404)
        frame = ("message_id", "from", "chat", "date", "reply_to_message", "message_thread_id", "is_topic_message")
        kept = {name: original[name] for name in frame if name in original}
        message = place.store(kept | {"edit_date": int(self.world.clock.now())} | content)
        return {"update_ids": self.deliver(place, message, edited=True), "message": message}

    def deliver(self, place: Conversation, message: Message, *, edited: bool = False) -> UpdateIds:
        """To the one bot of a dialog, or to the bots of a group that see it."""
        if isinstance(place, Group):
            return show(self.world, place, message, edited=edited)
        if not isinstance(place, Dialog):
            return {}
        record = self.world.push(place.bot, "edited_message" if edited else "message", message)
        return {str(place.bot.id): record.update_id} if record else {}

    def press(self, bot_id: int, user_id: int, place: Conversation, message_id: int, data: str) -> dict[str, Any]:
        """A user presses an inline button; the data need not be on a button, as real clients can send anything."""
        bot, user = self.world.bot(bot_id), self.world.user(user_id)
        message = place.messages.get(message_id)
        if message is None:
            raise AdminError("no such message in this chat", status=404)
        query = self.world.add_query(bot, user.id)
        payload = {
            "id": query,
            "from": user.as_json(),
            "message": message,
            "chat_instance": str(place.id),
            "data": data,
        }
        record = self.world.push(bot, "callback_query", payload)
        return {"update_id": record.update_id if record else None, "callback_query_id": query}

    def set_blocked(self, bot_id: int, user_id: int, *, blocked: bool) -> dict[str, Any]:
        """A user blocks the bot, or takes it back."""
        dialog = self.world.dialog(self.world.bot(bot_id), self.world.user(user_id))
        if dialog.blocked == blocked:
            return {"update_id": None}
        dialog.blocked = blocked
        record = self.world.push(dialog.bot, "my_chat_member", block_change(dialog, date=int(self.world.clock.now())))
        return {"update_id": record.update_id if record else None}

    def inject(self, bot_id: int, update: dict[str, Any], *, update_id: int | None) -> UpdateRecord:
        """Any update, past allowed_updates; a fixed id leaves the sequence alone."""
        queue = self.world.bot(bot_id).updates
        number = queue.next_update_id if update_id is None else update_id
        kind = next((name for name in update if name != "update_id"), "unknown")
        now = self.world.clock.now()
        return queue.store(
            to_json({**update, "update_id": number}),
            kind=kind,
            key=queue_key(kind, update.get(kind), bot_id=bot_id),
            now=now,
            expires_at=now + self.world.clock.real(lifetime(kind)),
            update_id=update_id,
        )

    def inject_raw(self, bot_id: int, raw: str) -> UpdateRecord:
        """Exactly these bytes, in a lane of their own."""
        now = self.world.clock.now()
        expires_at = now + self.world.clock.real(lifetime("raw"))
        return self.world.bot(bot_id).updates.store(
            raw.encode("utf-8", "surrogatepass"), kind="raw", key=0, now=now, expires_at=expires_at
        )


def block_change(dialog: Dialog, *, date: int) -> dict[str, Any]:
    """The ChatMemberUpdated of a private chat: the bot is kicked or a member again."""
    member = {"user": dialog.bot.as_user(), "status": "member"}
    kicked = {"user": dialog.bot.as_user(), "status": "kicked", "until_date": 0}
    old, new = (member, kicked) if dialog.blocked else (kicked, member)
    return {
        "chat": dialog.as_json(),
        "from": dialog.user.as_json(),
        "date": date,
        "old_chat_member": old,
        "new_chat_member": new,
    }
