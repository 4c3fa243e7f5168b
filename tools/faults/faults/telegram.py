"""The simulated Telegram's admin API, as the battery uses it: to make people write, and to read what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp

from faults.attribution import number_in
from faults.history import Attempt, Send
from faults.recalls import Said
from faults.sendings import Arrival

_PAGE = 5000


@dataclass(frozen=True)
class SimulatedBot:
    """A bot and its token."""

    bot_id: int
    token: str
    username: str


class Telegram:
    """One running simulator."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self._http = http

    async def add_bot(self) -> SimulatedBot:
        """A new one."""
        bot = await self._post("/admin/bots", {})
        return SimulatedBot(int(bot["token"].partition(":")[0]), bot["token"], bot["username"])

    async def add_user(self, first_name: str) -> dict[str, Any]:
        """A new person, as Telegram's User."""
        added = await self._post("/admin/users", {"first_name": first_name, "language_code": "en"})
        user: dict[str, Any] = added["users"][0]
        return user

    async def write(self, bot_id: int, user_id: int, text: str) -> int:
        """A user opens the private chat or goes on in it; the update's id."""
        told = await self._post("/admin/messages", {"bot_id": bot_id, "user_id": user_id, "text": text})
        return int(told["update_ids"][str(bot_id)])

    async def inject(self, bot_id: int, update: dict[str, Any]) -> int:
        """Any update, in its chat's order; its id."""
        return int((await self._post("/admin/updates", {"bot_id": bot_id, "update": update}))["update_id"])

    async def inject_raw(self, bot_id: int, raw: str) -> None:
        """Any bytes, in a lane of their own."""
        await self._post("/admin/updates", {"bot_id": bot_id, "raw": raw})

    async def set_webhook(self, bot: SimulatedBot, url: str, secret: str) -> None:
        """As the operators' verb does, without a process for each bot."""
        await self._post(f"/bot{bot.token}/setWebhook", {"url": url, "secret_token": secret, "max_connections": 40})

    async def set_clock(self, *, webhook_timeout: float) -> None:
        """Simulated seconds that a webhook may take."""
        await self._post("/admin/clock", {"webhook_timeout": webhook_timeout})

    async def pending(self, bot_id: int) -> int:
        """Updates that got no 2xx yet."""
        return len((await self._get("/admin/updates", bot_id=bot_id, state="pending"))["updates"])

    async def updates(self, bot_id: int) -> list[dict[str, Any]]:
        """All that are remembered."""
        found: list[dict[str, Any]] = (await self._get("/admin/updates", bot_id=bot_id))["updates"]
        return found

    async def attempts(self, bot_id: int) -> dict[int, tuple[Attempt, ...]]:
        """Every webhook request with each update."""
        return {each["update_id"]: attempts_of(each) for each in await self.updates(bot_id)}

    async def sends(self, bot_id: int) -> list[Send]:
        """Every message that was taken from a bot."""
        return [_send(effect) for effect in await self._effects(bot_id, "sendMessage") if effect["status"] == "ok"]

    async def add_groups(self, bot_id: int, count: int) -> list[int]:
        """Supergroups that the bot administers; their chats."""
        members = [{"id": bot_id, "status": "administrator"}]
        form = {"type": "supergroup", "title": "Group", "count": count, "bots": members}
        return [int(chat["id"]) for chat in (await self._post("/admin/chats", form))["chats"]]

    async def set_faults(self, **form: Any) -> None:
        """`rules` and `latency`; what is not named stays."""
        async with self._http.put(self.url + "/admin/faults", json=form) as response:
            await _json(response)

    async def arrivals(self, bot_id: int, waits: float | None) -> list[Arrival]:
        """Every sendMessage of a bot; `waits` is the retry_after that its 429s were ordered with."""
        return [_arrival(effect, waits) for effect in await self._effects(bot_id, "sendMessage")]

    async def deletions(self, bot_id: int) -> list[Said]:
        """Messages that a bot took away, each time that it did."""
        effects = await self._effects(bot_id, "deleteMessage")
        return [(effect["chat_id"], effect["message_id"]) for effect in effects if effect["status"] == "ok"]

    async def last_effect(self) -> int:
        """How many calls there were."""
        return int((await self._get("/admin/health"))["effects"])

    async def _effects(self, bot_id: int, method: str) -> list[dict[str, Any]]:
        since, found = 0, list[dict[str, Any]]()
        while True:
            page = await self._get("/admin/effects", bot_id=bot_id, method=method, since=since, limit=_PAGE)
            found += page["effects"]
            if len(page["effects"]) < _PAGE:
                return found
            since = page["next"]

    async def _get(self, path: str, **query: str | int) -> dict[str, Any]:
        async with self._http.get(self.url + path, params=query) as response:
            return await _json(response)

    async def _post(self, path: str, form: dict[str, Any]) -> dict[str, Any]:
        async with self._http.post(self.url + path, json=form) as response:
            return await _json(response)


def attempts_of(update: dict[str, Any]) -> tuple[Attempt, ...]:
    """As the admin API shows them."""
    return tuple(Attempt(at, code) for at, code in zip(update["attempt_times"], update["status_codes"], strict=True))


def _send(effect: dict[str, Any]) -> Send:
    return Send(effect["at"], effect["bot_id"], effect["chat_id"], effect["message_id"], effect["params"]["text"])


def _arrival(effect: dict[str, Any], waits: float | None) -> Arrival:
    flooded = effect["error_code"] == 429
    return Arrival(
        effect["at"],
        effect["bot_id"],
        effect["chat_id"],
        number_in(effect["params"].get("text", "")),
        effect["status"] == "ok",
        None if flooded else effect["fault"],
        (waits or 1.0) if flooded else None,
    )


async def _json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    answer: dict[str, Any] = await response.json()
    if response.status != 200:
        raise RuntimeError(f"the simulated Telegram answered {response.status}: {answer}")
    return answer
