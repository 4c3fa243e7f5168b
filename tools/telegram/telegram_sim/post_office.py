"""The couriers of all bots: one for each webhook that is set."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from random import Random

from telegram_sim.bots import Bot
from telegram_sim.clock import Clock
from telegram_sim.courier import Courier, Hooks
from telegram_sim.postman import Answer, Postman
from telegram_sim.webhook import Webhook

Execute = Callable[[Bot, dict[str, object]], Awaitable[None]]
FORBIDDEN_REPLIES = frozenset({"setwebhook", "deletewebhook", "close", "logout"})  # W9


class PostOffice:
    """Starts and stops couriers as webhooks come and go."""

    def __init__(self, postman: Postman, clock: Clock, rng: Random, *, local: bool) -> None:
        self.postman = postman
        self.clock = clock
        self.rng = rng
        self.local = local
        self.execute: Execute | None = None
        self.couriers: dict[int, Courier] = {}
        self.retired: list[Courier] = []

    def attach(self, bot: Bot, hook: Webhook) -> None:
        """Delivers a bot's pending and future updates to the webhook."""
        self.detach(bot)
        bot.webhook = hook
        hooks = Hooks(execute=lambda answer: self.reply(bot, answer), forget=lambda: self.forget(bot, hook))
        self.couriers[bot.id] = Courier(hook, bot.updates, self.postman, self.clock, self.rng, hooks)

    def detach(self, bot: Bot) -> None:
        """Ends delivery; updates in flight end by themselves."""
        bot.webhook = None
        courier = self.couriers.pop(bot.id, None)
        if courier:
            courier.detach()
            self.retired = [old for old in (*self.retired, courier) if old.deliveries]

    def forget(self, bot: Bot, hook: Webhook) -> None:
        """Ends a webhook that was Gone for too long, unless another took its place."""
        if bot.webhook is hook:
            self.detach(bot)

    async def reply(self, bot: Bot, answer: Answer) -> None:
        """Runs the method call that a webhook's answer may carry; nobody hears its result (W9)."""
        if not answer.body.lstrip().startswith(b"{") or self.execute is None:
            return
        try:
            call = json.loads(answer.body)
        except ValueError:
            return
        method = call.get("method") if isinstance(call, dict) else None
        if isinstance(method, str) and method.lower() not in FORBIDDEN_REPLIES and not method.lower().startswith("get"):
            await self.execute(bot, call)

    async def redeliver(self, bot: Bot, body: bytes, times: int) -> list[int]:
        """Posts the same bytes several times at once, past every rule of order; returns the answers' statuses."""
        hook = bot.webhook
        if hook is None:
            return []
        answers = await asyncio.gather(*(self.postman.post(hook, body) for _ in range(times)))
        return [answer.status for answer in answers]

    async def stop(self) -> None:
        """Ends all couriers."""
        await asyncio.gather(*(courier.stop() for courier in (*self.couriers.values(), *self.retired)))
        self.couriers.clear()
        self.retired.clear()
