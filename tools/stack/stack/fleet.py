"""The demo's fleet: three bots with a hundred groups each, and a broadcast to all of them through the API."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stack import http, verbs
from stack.errors import StackError
from stack.system import System
from stack.telegram import Simulator

BOTS: Final = 3
GROUPS: Final = 100  # of each bot
KEY: Final = "api-key"  # the file in the state directory
TEXT: Final = "<b>{{title}}</b>: we meet at noon."
PATIENCE: Final = 60.0  # seconds
_LOOK: Final = 0.1  # seconds

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Sent:
    """What became of the broadcast."""

    broadcast_id: int
    groups: int
    states: Mapping[str, int]
    seconds: float

    @property
    def line(self) -> str:
        """All of it in one line."""
        return f"broadcast to {self.groups} groups: {self.states.get('sent', 0)} sent in {self.seconds:.1f} s"


@dataclass(frozen=True)
class Client:
    """The API, with the demo's own key."""

    url: str
    key: str

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """JSON; StackError for a refusal."""
        return http.call(method, f"{self.url}/api{path}", body, headers={"Authorization": f"Bearer {self.key}"})

    def all(self, path: str) -> Iterator[Any]:
        """Of every page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.ask("GET", f"{path}?limit=100" + (f"&cursor={cursor}" if cursor else ""))
            yield from page["items"]
            cursor = page["next_cursor"]


@dataclass(frozen=True)
class Stage:
    """Where the fleet plays, however it was brought up."""

    client: Client
    simulator: Simulator
    first_bot: int  # registered already
    state: Path  # what the demo remembers

    @classmethod
    def of(cls, system: System, state: Path) -> Stage:
        """On the processes of this machine."""
        if system.simulator is None:
            raise StackError("only a simulated Telegram can be given groups")
        client = Client(system.ingress, api_key(system, state))
        return cls(client, system.simulator, int(system.bot["id"]), state)


def first_broadcast(stage: Stage, tell: Tell) -> Sent:
    """Bots and groups as they come in earnest, then one message to each group; StackError unless all have it."""
    client = stage.client
    chats = {chat for number in range(BOTS) for chat in _bot_with_groups(stage, number)}
    group_ids = _registered(client, chats, tell)
    begun = time.monotonic()
    targets, message = {"group_ids": group_ids}, {"type": "text", "text": TEXT, "parse_mode": "HTML"}
    number = client.ask("POST", "/send_messages", {"message": message, "targets": targets})["broadcast_id"]
    found = _ended(client, number, len(group_ids), tell)
    sent = Sent(number, len(group_ids), found["deliveries"], time.monotonic() - begun)
    if sent.states != {"sent": sent.groups}:
        raise StackError(f"not every group had the broadcast: {sent.states}", hint="make logs shows what services say")
    return sent


def api_key(system: System, state: Path) -> str:
    """The one of an earlier run while it is good, else a new one."""
    file = state / KEY
    key = file.read_text() if file.exists() else ""
    if not key or http.status(f"{system.ingress}/api/bots", headers={"Authorization": f"Bearer {key}"}) != 200:
        key = verbs.new_key(system.services.environment, system.logs / "verbs.log")
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as opened:
            opened.write(key)
    return key


def _bot_with_groups(stage: Stage, number: int) -> list[int]:
    """Somebody adds each bot to its groups, in the same order each time: the chats' ids."""
    bot_id = stage.first_bot
    if number:
        made = stage.simulator.bot(stage.state / f"bot-{number + 1}.json")
        stage.client.ask("POST", "/bots", {"token": made["token"], "webhook": True})
        bot_id = int(made["id"])
    members = [{"id": bot_id, "status": "administrator"}]
    asked = {"count": GROUPS, "title": f"Group {chr(ord('A') + number)}", "bots": members}
    made = http.call("POST", f"{stage.simulator.url}/admin/chats", asked)
    return [int(chat["id"]) for chat in made["chats"]]


def _registered(client: Client, chats: set[int], tell: Tell) -> list[int]:
    """Telegram told Muster of each; the groups' ids when all are there."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = [group["group_id"] for group in client.all("/groups") if group["chat_id"] in chats]
        tell(f"{len(found)} of {len(chats)} groups have registered themselves")
        if len(found) == len(chats):
            return found
        if time.monotonic() > deadline:
            raise StackError(f"only {len(found)} of {len(chats)} groups have registered themselves")
        time.sleep(_LOOK)


def _ended(client: Client, number: int, groups: int, tell: Tell) -> Mapping[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while True:
        found: Mapping[str, Any] = client.ask("GET", f"/broadcasts/{number}")
        tell(f"{found['deliveries'].get('sent', 0)} of {groups} sent")
        if found["state"] in {"done", "paused", "cancelled"}:
            return found
        if time.monotonic() > deadline:
            raise StackError(f"the broadcast has not ended: {json.dumps(found['deliveries'])}")
        time.sleep(_LOOK)
