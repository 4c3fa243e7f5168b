"""setMyCommands, getMyCommands, deleteMyCommands: one list a scope and language."""

from __future__ import annotations

import json
import re
from typing import Any

from telegram_sim.errors import bad_request
from telegram_sim.methods.call import Call

COMMAND = re.compile(r"/?[a-z0-9_]{1,32}")
MOST_COMMANDS = 100
DESCRIPTION = range(1, 257)


def set_my_commands(call: Call) -> bool:
    """core.telegram.org/bots/api#setmycommands."""
    commands = call.params.structure("commands")
    if not isinstance(commands, list):
        raise bad_request("can't parse commands: expected an Array of BotCommand")
    if len(commands) > MOST_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    call.bot.commands[scope_key(call)] = [read_command(command) for command in commands]
    return True


def get_my_commands(call: Call) -> list[dict[str, str]]:
    """core.telegram.org/bots/api#getmycommands."""
    return call.bot.commands.get(scope_key(call), [])


def delete_my_commands(call: Call) -> bool:
    """core.telegram.org/bots/api#deletemycommands."""
    call.bot.commands.pop(scope_key(call), None)
    return True


def read_command(command: Any) -> dict[str, str]:
    """A valid BotCommand, its name without a slash."""
    name = command.get("command") if isinstance(command, dict) else None
    text = command.get("description") if isinstance(command, dict) else None
    if not isinstance(name, str) or not COMMAND.fullmatch(name):
        raise bad_request("BOT_COMMAND_INVALID")
    if not isinstance(text, str) or len(text) not in DESCRIPTION:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name.removeprefix("/"), "description": text}


def scope_key(call: Call) -> str:
    """Scope and language as one key; no scope is the default one."""
    scope = call.params.structure("scope") or {"type": "default"}
    if not isinstance(scope, dict) or "type" not in scope:
        raise bad_request("can't parse BotCommandScope: Can't find field \"type\"")
    return json.dumps([scope, call.params.text("language_code")], sort_keys=True)
