"""One user and one bot on a simulated Telegram; what the user does is handled by the real handler, on real rows."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from common.ids import BotId, UpdateId
from common.jobs import ProcessPrivateMessage
from common.testing.postgres import Database
from dm.handlers import PrivateUpdates
from dm.texts import Texts
from telegram_sim.testing import Simulation

TOKEN = "123456789:AAF4keT0kenForTests-0123456789_abcdE"
BOT_ID = BotId(123456789)


@dataclass(frozen=True)
class Did:
    """One Bot API call as Telegram saw it."""

    method: str
    params: dict[str, Any]
    status: str

    @property
    def text(self) -> str:
        """Empty for a call without one."""
        return str(self.params.get("text", ""))

    @property
    def buttons(self) -> dict[str, str]:
        """Label to data."""
        rows = self.params["reply_markup"]["inline_keyboard"]
        return {button["text"]: button["callback_data"] for row in rows for button in row}


@dataclass
class User:
    """Acts as a person does in Telegram's app, and tells what the bot did about it."""

    sim: Simulation
    voice: PrivateUpdates
    db: Database
    user_id: int
    texts: Texts = field(default_factory=Texts.load)
    language: str = "en"

    async def writes(self, text: str = "", **content: Any) -> list[Did]:
        """Text, or any other content of the simulator's admin API."""
        return await self.brings(self.job(await self.posts(text, **content)))

    async def posts(self, text: str = "", **content: Any) -> UpdateId:
        """Telegram has it, the bot does not yet."""
        answer = await self.sim.admin("POST", "messages", bot_id=BOT_ID, user_id=self.user_id, text=text, **content)
        return UpdateId(answer["update_ids"][str(BOT_ID)])

    async def sends(self, **message: Any) -> list[Did]:
        """A message whose content no simulator knows."""
        person = {"id": self.user_id, "is_bot": False, "first_name": "Ada"}
        chat = {"id": self.user_id, "type": "private", "first_name": "Ada"}
        fields = {"message_id": 900, "date": 1767225600, "from": person, "chat": chat, **message}
        answer = await self.sim.admin("POST", "updates", bot_id=BOT_ID, update={"message": fields})
        return await self.brings(self.job(answer["update_id"]))

    async def presses(self, data: str) -> list[Did]:
        """A button under the bot's last message."""
        fields: dict[str, Any] = {"bot_id": BOT_ID, "user_id": self.user_id, "data": data}
        answer = await self.sim.admin("POST", "callbacks", message_id=await self.last_message(), **fields)
        return await self.brings(self.job(answer["update_id"]))

    async def blocks(self, *, really: bool = True) -> list[Did]:
        """Or takes the bot back."""
        path = "block" if really else "unblock"
        answer = await self.sim.admin("POST", path, bot_id=BOT_ID, user_id=self.user_id)
        return await self.brings(self.job(answer["update_id"]))

    def job(self, update_id: int) -> ProcessPrivateMessage:
        """What the ingress makes of an update that Telegram holds."""
        record = self.sim.stage.world.bot(BOT_ID).updates.find(update_id)
        assert record is not None
        return ProcessPrivateMessage(
            bot_id=BOT_ID,
            update_id=UpdateId(update_id),
            user_id=self.user_id,
            update=json.loads(record.body),
            message_id=uuid.uuid4().hex,
        )

    async def brings(self, job: ProcessPrivateMessage) -> list[Did]:
        """The job arrives; what Telegram saw of it."""
        before = self.sim.stage.world.effects.log.last
        await self.voice(job)
        return await self.seen(before)

    async def claims_end(self) -> None:
        """As if the time had passed in which another process may still be answering."""
        async with self.db.transaction() as tx:
            await tx.execute("UPDATE replies SET claimed_until = now() WHERE chat_id = $1", self.user_id)

    async def seen(self, since: int = 0) -> list[Did]:
        """The bot's calls about this user, and its answers to buttons."""
        effects = (await self.sim.admin("GET", f"effects?bot_id={BOT_ID}&since={since}"))["effects"]
        ours = [e for e in effects if e["chat_id"] in {None, self.user_id}]
        return [Did(e["method"], e["params"], e["status"]) for e in ours]

    async def last_message(self) -> int:
        """Whoever wrote it."""
        chat = await self.sim.admin("GET", f"chat?bot_id={BOT_ID}&user_id={self.user_id}")
        return int(chat["messages"][-1]["message_id"])

    def said(self, key: str, **values: object) -> str:
        """The catalogue's sentence in this user's language."""
        return self.texts.say(self.language, key, **values)

    async def row(self, table: str = "dialogues") -> dict[str, Any]:
        """This user's row."""
        return (await self.rows(table))[0]

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """All of this user's, oldest first."""
        name = "chat_id" if table == "replies" else "user_id"
        async with self.db.transaction() as tx:
            found = await tx.fetch(f"SELECT * FROM {table} WHERE {name} = $1 ORDER BY created_at", self.user_id)  # noqa: S608 (our own names)
        return [dict(row) for row in found]
