"""The command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from telegram_sim.app import Options
from telegram_sim.errors import AdminError
from telegram_sim.latency import Latency, read_latency
from telegram_sim.limits import MODES, LimitSettings
from telegram_sim.world import FIRST_USER_ID, Memory

DEFAULT_URL = "http://127.0.0.1:8081"


def build_parser() -> argparse.ArgumentParser:
    """Verbs and their options."""
    parser = argparse.ArgumentParser(prog="telegram_sim", description="A simulated Telegram for tests and demos.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    add_serve(
        verbs.add_parser("serve", help="run the server", description="Run the simulated Telegram until a signal.")
    )
    add_drive(verbs.add_parser("drive", help="act in a running server", description="Act in a running server."))
    return parser


def add_serve(parser: argparse.ArgumentParser) -> None:
    """The server's options."""
    add, memory = parser.add_argument, Memory()
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=port, default=8081, help="port to listen on, 0 picks a free one (%(default)s)")
    add(
        "--limits",
        choices=sorted(MODES),
        default="off",
        help="rate limits; penalty: each 429 shuts for 3 s (%(default)s)",
    )
    add("--latency", type=latency, default=Latency(), metavar="MS-MS", help="how long answers take, such as 20-80 (0)")
    add("--time-scale", type=positive, default=1.0, help="how many times faster Telegram's delays pass (%(default)s)")
    add("--log", type=Path, metavar="FILE", help="append every effect to this file, one JSON object a line")
    add("--seed", type=int, help="seed of everything random")
    add("--local", action=argparse.BooleanOptionalAction, default=True, help="take webhooks on http and any port (yes)")
    add("--first-user", type=count, default=FIRST_USER_ID, metavar="ID", help="id of the first user (%(default)s)")
    add("--keep-effects", type=count, default=memory.effects, metavar="N", help="effects kept in memory (%(default)s)")
    add("--keep-updates", type=count, default=memory.updates, metavar="N", help="updates kept per bot (%(default)s)")
    add(
        "--keep-messages", type=count, default=memory.messages, metavar="N", help="messages kept per chat (%(default)s)"
    )


def add_drive(parser: argparse.ArgumentParser) -> None:
    """What can be done from the shell; a bot or user not named is the first one there is."""
    parser.add_argument("--url", default=DEFAULT_URL, help="the running server (%(default)s)")
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    for name, words in (
        ("bots", "list bots"),
        ("users", "list users"),
        ("chats", "list groups"),
        ("reset", "forget all"),
    ):
        acts.add_parser(name, help=words)
    for name, words in (("say", "write a message as a user"), ("press", "press a button"), ("chat", "show a chat")):
        act = acts.add_parser(name, help=words)
        act.add_argument("--bot", type=int, help="bot id")
        act.add_argument("--user", type=int, help="user id")
        act.add_argument("--chat", type=int, help="chat id of a group, in place of the private chat")
        if name == "say":
            act.add_argument("text")
        if name == "press":
            act.add_argument("--message", type=int, required=True, help="message id")
            act.add_argument("data", help="the button's callback_data")
    effects = acts.add_parser("effects", help="show effects")
    effects.add_argument("--since", type=int, default=0, help="only those numbered above (%(default)s)")
    effects.add_argument("--method", help="only of this method")
    effects.add_argument("--chat", type=int, help="only in this chat")
    faults = acts.add_parser("faults", help="show, set or clear faults")
    faults.add_argument("rules", nargs="?", help='JSON list such as [{"kind": "http_500", "times": 3}], or "none"')
    call = acts.add_parser("call", help="any request to the admin API")
    call.add_argument("method", choices=["GET", "POST", "PUT", "DELETE"])
    call.add_argument("path", help="such as /admin/health")
    call.add_argument("body", nargs="?", help="JSON")


def checked(read: Callable[[str], float], holds: Callable[[float], bool], words: str) -> Callable[[str], float]:
    """A reader for argparse that says what is wrong."""

    def parse(text: str) -> float:
        try:
            value = read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from error
        if not holds(value):
            raise argparse.ArgumentTypeError(words)
        return value

    return parse


def port(text: str) -> int:
    """A port number."""
    return int(checked(int, lambda number: 0 <= number <= 65535, "must be from 0 to 65535")(text))


def count(text: str) -> int:
    """How many of something, at least one."""
    return int(checked(int, lambda number: number >= 1, "must be at least 1")(text))


def positive(text: str) -> float:
    """A number above 0."""
    return checked(float, lambda number: number > 0, "must be above 0")(text)


def latency(text: str) -> Latency:
    """Bounds in milliseconds."""
    try:
        return read_latency(text)
    except AdminError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def serve_options(arguments: argparse.Namespace) -> Options:
    """The server's options as the application takes them."""
    return Options(
        time_scale=arguments.time_scale,
        log=arguments.log,
        seed=arguments.seed,
        local=arguments.local,
        limits=LimitSettings(mode=arguments.limits),
        latency=arguments.latency,
        memory=Memory(arguments.keep_effects, arguments.keep_updates, arguments.keep_messages),
        first_user=arguments.first_user,
    )
