"""The way of one call: token, method, faults, limits, the method itself, its effect on record, the answer."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from typing import Any

from telegram_sim.bots import Bot
from telegram_sim.effects import Effect
from telegram_sim.errors import ApiError, flood
from telegram_sim.faults import FaultBook, FaultRule
from telegram_sim.latency import Latency
from telegram_sim.limits import Limiter, LimitSettings, send_of
from telegram_sim.methods.call import Call, Handler, find_place
from telegram_sim.methods.registry import by_lower_name
from telegram_sim.outcomes import Outcome, Reply, refusal, spoil, success
from telegram_sim.params import Params
from telegram_sim.post_office import PostOffice
from telegram_sim.world import World

UNLOGGED = frozenset({"getUpdates"})  # long polling would drown the effects


@dataclass(frozen=True)
class Subject:
    """What a call is about, as far as limits, faults and the log care."""

    bot: Bot
    method: str
    params: Params
    chat_id: int | None
    via: str


class Gate:
    """Runs methods and keeps the record."""

    def __init__(self, world: World, office: PostOffice, *, limits: LimitSettings, latency: Latency) -> None:
        self.world = world
        self.office = office
        self.faults = FaultBook(world.rng)
        self.settings = (limits, latency)
        self.limiter = Limiter(limits)
        self.latency = latency
        self.methods = by_lower_name()

    def restore(self) -> None:
        """Back to the settings it started with: no faults, empty windows."""
        self.faults = FaultBook(self.world.rng)
        self.limiter, self.latency = Limiter(self.settings[0]), self.settings[1]

    def bot_of(self, token: str) -> Bot:
        """The bot with this token; 404 for what cannot be a token, 401 for a wrong one."""
        bot = self.world.bot_by_token(token)
        if bot is None:
            raise ApiError(401 if token.partition(":")[0].isdecimal() and ":" in token else 404)
        return bot

    def method(self, name: str) -> tuple[str, Handler]:
        """The documented name and the function, or 404."""
        found = self.methods.get(name.lower())
        if found is None:
            raise ApiError(404)
        return found

    async def run(self, bot: Bot, name: str, params: Params, *, via: str = "request") -> Outcome:
        """Calls a method under the faults and limits in force."""
        documented, handler = self.method(name)
        subject = Subject(bot, documented, params, self.chat_id(bot, params), via)
        rule = self.faults.draw(documented, bot.id, subject.chat_id)
        pause = self.latency.draw(self.world.rng) if self.latency.high else 0.0
        # The effect falls in the middle: half of the time is the way there, half the way back.
        await nap(pause / 2)
        if rule and not rule.takes_effect:
            outcome: Outcome = self.spoiled(subject, rule)
        else:
            outcome = await self.perform(subject, handler, rule)
        await nap(pause / 2)
        return outcome

    async def perform(self, subject: Subject, handler: Handler, rule: FaultRule | None) -> Outcome:
        """Runs the method; a fault may still spoil the answer of one that took effect."""
        try:
            self.check_limits(subject)
            result = handler(Call(self.world, self.office, subject.bot, subject.method, subject.params))
            if inspect.isawaitable(result):
                result = await result
        except ApiError as error:
            self.record(subject, error=error)
            return refusal(error)
        if rule is None:
            self.record(subject, result=result)
            return success(result)
        outcome = spoil(rule, success(result))
        answered = rule.kind in {"unknown_fields", "sent_deleted"}
        code = outcome.status if isinstance(outcome, Reply) and outcome.status >= 400 else None
        self.record(subject, result=result, fault=rule.kind, answered=answered, code=code)
        return outcome

    def spoiled(self, subject: Subject, rule: FaultRule) -> Outcome:
        """A call that a fault keeps from happening."""
        outcome = spoil(rule, None)
        status = outcome.status if isinstance(outcome, Reply) else 0
        error = ApiError(status, "fault") if rule.kind != "error" else ApiError(status, rule.description)
        self.record(subject, error=error, fault=rule.kind, answered=isinstance(outcome, Reply))
        return outcome

    def check_limits(self, subject: Subject) -> None:
        """429 when a window is full; an album counts each item."""
        if self.limiter.settings.mode == "off":
            return
        chat: int | str | None = subject.chat_id or subject.params.text("chat_id") or None
        send = send_of(subject.method, subject.bot.id, chat, weight_of(subject))
        if send is None:
            return
        after = self.limiter.admit(send, now=self.world.clock.steady())
        if after:
            raise flood(after)

    def chat_id(self, bot: Bot, params: Params) -> int | None:
        """The chat a call names, whether it exists or not."""
        raw = params.text("chat_id").strip()
        try:
            return int(raw) if raw and not raw.startswith("@") else self.named_chat(bot, raw)
        except ValueError:
            return None

    def named_chat(self, bot: Bot, raw: str) -> int | None:
        """The id behind an @username."""
        place = find_place(self.world, bot, raw) if raw else None
        return place.id if place else None

    def record(
        self,
        subject: Subject,
        *,
        result: Any = None,
        error: ApiError | None = None,
        fault: str | None = None,
        answered: bool = True,
        code: int | None = None,
    ) -> None:
        """Appends the effect."""
        if subject.method in UNLOGGED:
            return
        self.world.effects.append(
            Effect(
                seq=0,
                at=self.world.clock.now(),
                bot_id=subject.bot.id,
                method=subject.method,
                chat_id=subject.chat_id,
                message_id=message_id_of(subject.params, result),
                params=subject.params.for_log(),
                status="error" if error else "ok",
                error_code=error.code if error else code,
                answered=answered,
                description=error.description if error else None,
                fault=fault,
                via=subject.via,
            )
        )


def weight_of(subject: Subject) -> int:
    """How many messages a call sends."""
    name = {"sendMediaGroup": "media", "copyMessages": "message_ids"}.get(subject.method)
    items = subject.params.structure(name) if name else None
    return len(items) if isinstance(items, list) and items else 1


def message_id_of(params: Params, result: Any) -> int | None:
    """The message a call made or was about; of an album the first."""
    first = result[0] if isinstance(result, list) and result else result
    if isinstance(first, dict) and "message_id" in first:
        return int(first["message_id"])
    return params.integer("message_id") or None


async def nap(seconds: float) -> None:
    """Sleeps only when there is something to sleep for."""
    if seconds > 0:
        await asyncio.sleep(seconds)
