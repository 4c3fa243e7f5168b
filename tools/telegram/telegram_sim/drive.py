"""Drives a running server from the shell, through its admin API."""

from __future__ import annotations

import argparse
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

TIMEOUT = 30  # seconds

Json = dict[str, Any]


class DriveError(Exception):
    """The server refused, or is not there."""


class Remote:
    """The admin API of one server."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """One request; the server's own words when it refuses."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)  # noqa: S310 the user's own URL
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
                answer: Json = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            raise DriveError(error.read().decode(errors="replace")) from error
        except (OSError, ValueError) as error:
            raise DriveError(f"{self.url}: {error}") from error

    def first(self, kind: str) -> int:
        """The id of the first bot or user."""
        found = self.call("GET", f"/admin/{kind}")[kind]
        if not found:
            raise DriveError(f"there are no {kind} yet")
        return int(found[0]["id"])


def drive(arguments: argparse.Namespace) -> int:
    """Runs one act and prints what came of it."""
    remote = Remote(arguments.url)
    act = arguments.act
    if act in {"bots", "users", "chats"}:
        show(remote.call("GET", f"/admin/{act}")[act])
    elif act == "reset":
        show(remote.call("POST", "/admin/reset"))
    elif act in {"say", "press", "chat"}:
        in_chat(remote, arguments)
    elif act == "effects":
        effects(remote, arguments)
    elif act == "faults":
        faults(remote, arguments.rules)
    else:
        body = json_argument(arguments.body) if arguments.body else None
        show(remote.call(arguments.method, arguments.path, body))
    return 0


def in_chat(remote: Remote, arguments: argparse.Namespace) -> None:
    """Writes, presses or reads in a group or a private chat."""
    where: Json = {"chat_id": arguments.chat} if arguments.chat else {}
    if not where or arguments.act == "press":
        where["bot_id"] = arguments.bot or remote.first("bots")
    if arguments.act == "chat":
        where |= {} if arguments.chat else {"user_id": arguments.user or remote.first("users")}
        for message in remote.call("GET", f"/admin/chat?{urlencode(where)}")["messages"]:
            print(line(message))
        return
    where["user_id"] = arguments.user or remote.first("users")
    if arguments.act == "say":
        show(remote.call("POST", "/admin/messages", where | {"text": arguments.text})["update_ids"])
    else:
        pressed = where | {"message_id": arguments.message, "data": arguments.data}
        show(remote.call("POST", "/admin/callbacks", pressed))


def line(message: Json) -> str:
    """One message and its buttons."""
    author = message.get("from", {}).get("first_name", message["chat"].get("title", ""))
    kinds = [name for name in ("photo", "video", "document", "sticker", "contact", "location") if name in message]
    text = message.get("text") or message.get("caption") or " ".join(kinds) or "(service message)"
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    buttons = "".join(
        f"\n      [{b['text']}] {b.get('callback_data') or b.get('url', '')}" for row in rows for b in row
    )
    return f"{message['message_id']:>5} {author}: {text}{buttons}"


def effects(remote: Remote, arguments: argparse.Namespace) -> None:
    """One JSON line an effect."""
    wanted = {"since": arguments.since, "method": arguments.method, "chat_id": arguments.chat}
    query = urlencode({name: value for name, value in wanted.items() if value is not None})
    for effect in remote.call("GET", f"/admin/effects?{query}")["effects"]:
        print(json.dumps(effect, ensure_ascii=False))


def faults(remote: Remote, rules: str | None) -> None:
    """Shows, sets or clears."""
    if rules is None:
        show(remote.call("GET", "/admin/faults"))
    elif rules == "none":
        show(remote.call("DELETE", "/admin/faults"))
    else:
        show(remote.call("PUT", "/admin/faults", {"rules": json_argument(rules)}))


def json_argument(text: str) -> Any:
    """JSON from the command line."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise DriveError(f"not JSON: {text}") from error


def show(answer: Any) -> None:
    """Readable JSON."""
    print(json.dumps(answer, ensure_ascii=False, indent=2))
