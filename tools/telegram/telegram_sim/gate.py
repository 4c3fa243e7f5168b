"""The way of one call: token, method, faults, limits, the method itself, its effect on record, the answer."""

from __future__ import annotations

import inspect
import json
from typing import Any

from telegram_sim.bots import Bot
from telegram_sim.effects import Effect
from telegram_sim.errors import ApiError
from telegram_sim.methods.call import Call, Handler, chat_number
from telegram_sim.methods.registry import by_lower_name
from telegram_sim.params import Params
from telegram_sim.post_office import PostOffice
from telegram_sim.world import World

UNLOGGED = frozenset({"getUpdates"})  # long polling would drown the effects


class Gate:
    """Runs methods and keeps the record."""

    def __init__(self, world: World, office: PostOffice) -> None:
        self.world = world
        self.office = office
        self.methods = by_lower_name()

    def bot_of(self, token: str) -> Bot:
        """The bot with this token, or 401."""
        bot = self.world.bot_by_token(token)
        if bot is None:
            raise ApiError(401)
        return bot

    def method(self, name: str) -> tuple[str, Handler]:
        """The documented name and the function, or 404."""
        found = self.methods.get(name.lower())
        if found is None:
            raise ApiError(404)
        return found

    async def run(self, bot: Bot, name: str, params: Params, *, via: str = "request") -> tuple[int, bytes]:
        """Calls a method, logs the effect and renders the answer."""
        documented, handler = self.method(name)
        try:
            result = handler(Call(self.world, self.office, bot, documented, params))
            if inspect.isawaitable(result):
                result = await result
        except ApiError as error:
            self.record(bot, documented, params, error, via=via)
            return error.code, encode(error.body())
        self.record(bot, documented, params, result, via=via)
        return 200, encode({"ok": True, "result": result})

    def record(self, bot: Bot, method: str, params: Params, outcome: Any, *, via: str) -> None:
        """Appends the effect; an ApiError as outcome is an error effect."""
        if method in UNLOGGED:
            return
        error = outcome if isinstance(outcome, ApiError) else None
        self.world.effects.append(
            Effect(
                seq=0,
                at=self.world.clock.now(),
                bot_id=bot.id,
                method=method,
                chat_id=chat_number(params.text("chat_id")) or None,
                message_id=message_id_of(params, outcome),
                params=params.values,
                status="error" if error else "ok",
                error_code=error.code if error else None,
                answered=True,
                description=error.description if error else None,
                via=via,
            )
        )


def message_id_of(params: Params, outcome: Any) -> int | None:
    """The message a call made or was about."""
    if isinstance(outcome, dict) and "message_id" in outcome:
        return int(outcome["message_id"])
    return params.integer("message_id") or None


def encode(answer: dict[str, Any]) -> bytes:
    """JSON as bytes, not escaped more than needed."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
