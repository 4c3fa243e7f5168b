"""Brings updates and any other bytes to an ingress without Telegram's order, and remembers every answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

from faults.history import Attempt

PATH = "/api/webhooks/telegram"
_HEADER = "X-Telegram-Bot-Api-Secret-Token"
_PATIENCE = 15.0  # seconds for one answer


@dataclass(frozen=True)
class Answer:
    """Status 0 is no answer; what Retry-After said, and how long it took."""

    at: float
    status: int
    retry_after: int | None = None
    seconds: float = 0.0

    @property
    def attempt(self) -> Attempt:
        """For the history."""
        return Attempt(self.at, self.status)


@dataclass
class Poster:
    """One HTTP client; `statuses` counts all that it was answered."""

    http: aiohttp.ClientSession
    statuses: Counter[int] = field(default_factory=Counter)

    async def post(self, base: str, secret: str, body: bytes) -> Answer:
        """One request."""
        at, started = time.time(), time.perf_counter()
        headers = {"Content-Type": "application/json", _HEADER: secret}
        try:
            async with self.http.post(
                base + PATH, data=body, headers=headers, timeout=aiohttp.ClientTimeout(total=_PATIENCE)
            ) as response:
                await response.read()
                after = response.headers.get("Retry-After", "")
                answer = Answer(at, response.status, int(after) if after.isdecimal() else None)
        except (aiohttp.ClientError, TimeoutError):
            answer = Answer(at, 0)
        self.statuses[answer.status] += 1
        return Answer(at, answer.status, answer.retry_after, time.perf_counter() - started)

    async def insist(self, base: str, secret: str, body: bytes, *, pause: float, patience: float) -> list[Answer]:
        """As Telegram does: again until a 2xx, or until the patience, in seconds, is at its end."""
        answers: list[Answer] = []
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            answers.append(await self.post(base, secret, body))
            if 200 <= answers[-1].status <= 299:
                break
            await asyncio.sleep(pause)
        return answers
