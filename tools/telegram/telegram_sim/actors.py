"""What people do: write, press, block; each act gives the bots the updates it would give them."""

from __future__ import annotations

import json
from typing import Any

from telegram_sim.conversation import Dialog, Message
from telegram_sim.errors import AdminError
from telegram_sim.markup.detect import detect_entities
from telegram_sim.queue_keys import lifetime, queue_key
from telegram_sim.update_queue import UpdateRecord
from telegram_sim.world import World


class Actors:
    """Acts on the world in the users' names."""

    def __init__(self, world: World) -> None:
        self.world = world

    def write_private(self, bot_id: int, user_id: int, text: str) -> dict[str, Any]:
        """A user writes to a bot; the first message starts the dialog."""
        bot, user = self.world.bot(bot_id), self.world.user(user_id)
        dialog = self.world.dialog(bot, user)
        if not text:
            raise AdminError("text is required")
        dialog.started = True
        message: Message = {
            "message_id": dialog.next_message_id(),
            "from": user.as_json(),
            "chat": dialog.as_json(),
            "date": int(self.world.clock.now()),
            "text": text,
        }
        entities = detect_entities(text)
        if entities:
            message["entities"] = entities
        record = self.world.push(bot, "message", dialog.store(message))
        return {"update_ids": ids_of(bot_id, record), "message": message}

    def press(self, bot_id: int, user_id: int, message_id: int, data: str) -> dict[str, Any]:
        """A user presses an inline button."""
        bot, user = self.world.bot(bot_id), self.world.user(user_id)
        dialog = self.world.dialog(bot, user)
        message = dialog.messages.get(message_id)
        if message is None:
            raise AdminError("no such message in this chat", status=404)
        query = self.world.add_query(bot, user.id)
        payload = {
            "id": query,
            "from": user.as_json(),
            "message": message,
            "chat_instance": str(dialog.id),
            "data": data,
        }
        record = self.world.push(bot, "callback_query", payload)
        return {"update_id": record.update_id if record else None, "callback_query_id": query}

    def set_blocked(self, bot_id: int, user_id: int, *, blocked: bool) -> dict[str, Any]:
        """A user blocks the bot, or takes it back."""
        bot, user = self.world.bot(bot_id), self.world.user(user_id)
        dialog = self.world.dialog(bot, user)
        if dialog.blocked == blocked:
            return {"update_id": None}
        dialog.blocked = blocked
        record = self.world.push(bot, "my_chat_member", self.block_change(dialog, blocked=blocked))
        return {"update_id": record.update_id if record else None}

    def block_change(self, dialog: Dialog, *, blocked: bool) -> dict[str, Any]:
        """The ChatMemberUpdated of a private chat: the bot is kicked or a member again."""
        was, became = ("member", "kicked") if blocked else ("kicked", "member")
        states = {
            "member": {"user": dialog.bot.as_user(), "status": "member"},
            "kicked": {"user": dialog.bot.as_user(), "status": "kicked", "until_date": 0},
        }
        return {
            "chat": dialog.as_json(),
            "from": dialog.user.as_json(),
            "date": int(self.world.clock.now()),
            "old_chat_member": states[was],
            "new_chat_member": states[became],
        }

    def inject(self, bot_id: int, update: dict[str, Any], *, update_id: int | None) -> UpdateRecord | None:
        """Any update, past allowed_updates; a fixed id leaves the sequence alone."""
        queue = self.world.bot(bot_id).updates
        number = queue.next_update_id if update_id is None else update_id
        kind = next((name for name in update if name != "update_id"), "unknown")
        now = self.world.clock.now()
        return queue.store(
            json.dumps({"update_id": number, **update}, ensure_ascii=False).encode(),
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


def ids_of(bot_id: int, record: UpdateRecord | None) -> dict[str, int]:
    """Update ids by bot; a bot that does not want the kind is left out."""
    return {str(bot_id): record.update_id} if record else {}
