"""An operator with `muster` and a key: from registering groups to a broadcast's last message in Telegram."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from muster_cli.testing import Operator, environment
from stack.services import child_environment

from .house import House

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def operator(house: House) -> Operator:
    """With a first key, made on the server."""
    done = subprocess.run(
        [sys.executable, "-m", "common", "key", "new", "--name", "operations", "--scope", "*"],
        env={**child_environment(), **house.servers.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return Operator(environment(house.ingress, json.loads(done.stdout)["key"]))


async def grown(house: House, operator: Operator, n: int, tag: str) -> list[int]:
    """The chats of so many groups, which registered themselves, tagged by command."""
    chats = []
    for number in range(n):
        bots = [{"id": house.bot["id"], "status": "administrator"}]
        chat = house.admin("POST", "chats", type="supergroup", title=f"{tag} {number}", bots=bots)["id"]
        done = await operator.muster("groups", "set", str(await house.group_of(chat)), "--add-tag", tag)
        assert done.code == 0, done.err
        chats.append(chat)
    return chats


def heard(house: House, chat: int) -> list[Any]:
    """What the group has got."""
    found = house.admin("GET", f"effects?bot_id={house.bot['id']}&chat_id={chat}")["effects"]
    return [each["params"]["text"] for each in found if each["method"] == "sendMessage" and each["status"] == "ok"]


async def test_everybody_gets_it_and_the_terminal_shows_it(house: House, operator: Operator) -> None:
    chats = await grown(house, operator, 3, "engines")
    async with operator.terminal("send", "--tag", "engines", "--watch", "at noon, {{title}}") as terminal:
        await terminal.shows("To 3 groups")
        terminal.types("y\n")
        assert await terminal.ended(within=60) == 0
        assert "100% of 3" in terminal.text
        assert "3 sent  0 failed  0 unknown" in terminal.text
    assert [heard(house, chat) for chat in chats] == [[f"at noon, engines {number}"] for number in range(3)]


async def test_who_did_not_get_it_is_told_and_gets_it_later(house: House, operator: Operator) -> None:
    chats = await grown(house, operator, 2, "trains")
    bot = {"bot_id": house.bot["id"]}
    house.admin("POST", f"chats/{chats[0]}/member", **bot, status="restricted", can_send_messages=False)
    done = await operator.muster("send", "--tag", "trains", "--yes", "--watch", "late again", within=60)
    assert done.code == 4, done.err
    assert "1 sent, 1 failed, 0 unknown of 2" in done.out.splitlines()[-1]
    number = done.err.split("broadcasts retry-failed ")[1].split()[0]
    failed = await operator.muster("broadcasts", "deliveries", number, "--state", "failed", "--json")
    [delivery] = failed.lines
    house.admin("POST", f"chats/{chats[0]}/member", **bot, status="administrator")
    await operator.muster("groups", "set", str(delivery["group_id"]), "--let-in")
    retried = await operator.muster("broadcasts", "retry-failed", number)
    assert "1 delivery" in retried.out, retried.err
    assert (await operator.muster("broadcasts", "watch", number, within=60)).code == 0
    assert [heard(house, chat) for chat in chats] == [["late again"], ["late again"]]
