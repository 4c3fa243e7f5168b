"""`make down`, `make reset` and `make logs`."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Final

from stack.console import Console
from stack.errors import StackError
from stack.fleet import BOTS, KEY
from stack.holder import end_holder, holder_of
from stack.keeper import sweep
from stack.logs import Follower, tails
from stack.servers.accounts import outside_home
from stack.servers.docker import engine_answers, remove_containers, used, volumes_of
from stack.services import WATCHED
from stack.signals import EndRequested, ends_raise
from stack.state import state_directory

# By name and never the whole folder: MUSTER_STATE may point to one that holds other things.
OURS: Final = (
    "run",
    "logs",
    "postgres",
    "rabbitmq",
    "ports.json",
    "secrets.json",
    "bot.json",
    *(f"bot-{number}.json" for number in range(2, BOTS + 1)),
    KEY,
    "up.json",
    "lock",
    "docker",
    "dev",
)
LINES: Final = 20  # of each log, before following it


def down_command(_: argparse.Namespace) -> int:
    """Stop the running one, and whatever a crash has left."""
    state, console = state_directory(), Console()
    with console.step("stopping"):
        stopped = end_holder(state)
        left = sweep(state / "run")
        remove_containers(state, volumes=False)
        (state / "up.json").unlink(missing_ok=True)
    console.say(
        f"    ended what a crash had left: {', '.join(left)}"
        if left
        else "    stopped"
        if stopped
        else "    nothing was running"
    )
    return 0


def reset_command(arguments: argparse.Namespace) -> int:
    """Stop, and delete this checkout's databases, queues, keys and logs; servers given by URL are left alone."""
    state = state_directory()
    if used(state).exists() and not engine_answers():
        raise StackError(
            f"the data is in the Docker volumes {', '.join(volumes_of(state))}, and no engine answers",
            hint="start the engine, then make reset",
        )
    if not (arguments.yes or _confirmed(state)):
        Console().say("    nothing was deleted")
        return 1
    down_command(arguments)
    end_holder(state / "dev")
    for owner in (state, state / "dev"):
        remove_containers(owner, volumes=True)
        shutil.rmtree(outside_home(owner), ignore_errors=True)
    for name in OURS:
        _delete(state / name)
    Console().say(f"    {state} is empty; servers given by DATABASE_URL or AMQP_URL were not touched")
    return 0


def logs_command(arguments: argparse.Namespace) -> int:
    """The end of the logs and what follows, until Ctrl-C or until nothing runs that would write more."""
    console, state = Console(), state_directory()
    logs = state / "logs"
    names = arguments.names or list(WATCHED)
    missing = [name for name in names if not (logs / f"{name}.log").exists()]
    if missing:
        known = ", ".join(sorted(file.stem for file in logs.glob("*.log"))) or "none yet"
        raise StackError(f"no log of {', '.join(missing)}; there are: {known}")
    follower = Follower(tails(logs, names, lines=LINES), console.say, console.style)
    try:
        with ends_raise():
            follower.follow(lambda: holder_of(state) is not None)
    except EndRequested:
        return 0
    console.say("    nothing is running any more: make up")
    return 0


def _confirmed(state: Path) -> bool:
    """Asked of a person only: without a terminal it needs --yes."""
    if not sys.stdin.isatty():
        raise StackError(f"this deletes what is in {state}", hint="to do it without being asked: make reset YES=1")
    return input(f"    delete databases, queues, keys and logs in {state}? [y/N] ").strip().lower() in ("y", "yes")


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
