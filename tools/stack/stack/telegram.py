"""The simulated Telegram: its process, and what a person does in it."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stack import http
from stack.errors import StackError
from stack.keeper import Keeper, Program, wait_until
from stack.ports import LOOPBACK
from stack.services import child_environment

POLL: Final = 0.02  # seconds


@dataclass(frozen=True)
class Reply:
    """What the bot said, and how long it took."""

    text: str
    milliseconds: float


@dataclass(frozen=True)
class Simulator:
    """A running one."""

    url: str

    def bot(self, memory: Path) -> dict[str, Any]:
        """The demo's bot: the same one each time, so that its row in the database stays right."""
        if memory.exists():
            saved = json.loads(memory.read_text())
            return dict(http.call("POST", f"{self.url}/admin/bots", saved))
        made: dict[str, Any] = http.call("POST", f"{self.url}/admin/bots", {})
        handle = os.open(memory, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump({"token": made["token"], "username": made["username"]}, file)
        return made

    def user(self, name: str) -> int:
        """A person; the id."""
        made = http.call("POST", f"{self.url}/admin/users", {"first_name": name, "language_code": "en"})
        return int(made["users"][0]["id"])

    def ask(self, bot: int, user: int, text: str, *, timeout: float = 20.0) -> Reply:
        """Write to the bot and wait for what it answers."""
        since = self._last()
        begun, deadline = time.time(), time.monotonic() + timeout
        http.call("POST", f"{self.url}/admin/messages", {"bot_id": bot, "user_id": user, "text": text})
        while time.monotonic() < deadline:
            query = f"since={since}&chat_id={user}&method=sendMessage"
            effects = http.call("GET", f"{self.url}/admin/effects?{query}")["effects"]
            if effects:
                first = effects[0]
                return Reply(str(first["params"]["text"]), (float(first["at"]) - begun) * 1000)
            time.sleep(POLL)
        raise StackError(f"no answer to {text!r} within {timeout:.0f} s", hint="make logs shows what the services say")

    def _last(self) -> int:
        return int(http.call("GET", f"{self.url}/admin/health")["effects"])


def start_simulator(keeper: Keeper, logs: Path, port: int, *, limits: str = "off") -> Simulator:
    """Start it and wait until it answers; every effect is a line of `effects.jsonl`."""
    words = [
        "-m",
        "telegram_sim",
        "serve",
        "--host",
        LOOPBACK,
        "--port",
        str(port),
        "--limits",
        limits,
        "--log",
        str(logs / "effects.jsonl"),
        # It forgets at its end and the database does not: nobody is to get the id of somebody it knows already.
        "--first-user",
        str(int(time.time())),
    ]
    logs.mkdir(parents=True, exist_ok=True)
    program = Program("telegram", [sys.executable, *words], logs / "telegram.log", child_environment(), Path.cwd())
    url = f"http://{LOOPBACK}:{port}"
    wait_until(lambda: http.status(f"{url}/admin/health") == 200, keeper.start(program), timeout=30)
    return Simulator(url)
