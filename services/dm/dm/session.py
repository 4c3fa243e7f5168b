"""The session of bots that never send: handlers return their calls, which are said after the update's transaction."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from aiogram import Bot
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.base import BaseSession
from aiogram.enums import ParseMode
from aiogram.methods import TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import User
from common import records


class ReturnOnlySession(BaseSession):
    """A call in the middle of a transaction would be said twice at a redelivery, so it is refused."""

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,  # noqa: ASYNC109 (aiogram's signature)
    ) -> TelegramType:
        """Always raises."""
        raise TypeError(f"return {type(method).__name__} from the handler, don't await it")

    async def stream_content(
        self,
        url: str,
        headers: dict[str, Any] | None = None,
        timeout: int = 30,  # noqa: ASYNC109
        chunk_size: int = 65536,
        raise_for_status: bool = True,  # noqa: FBT001, FBT002
    ) -> AsyncGenerator[bytes, None]:
        """Always raises."""
        raise TypeError("no downloads in a handler")
        yield b""

    async def close(self) -> None:
        """Nothing is open."""


class KnownBot(Bot):
    """Knows its own name from its row: `/help@name` makes aiogram ask, and nothing may be asked in a transaction."""

    def __init__(self, token: str, row: records.Bot, session: BaseSession) -> None:
        super().__init__(token, session=session, default=DefaultBotProperties(parse_mode=ParseMode.HTML))
        self._row = row

    async def me(self) -> User:
        """As it was when the bot was registered."""
        return User(id=self._row.bot_id, is_bot=True, first_name=self._row.first_name, username=self._row.username)
