"""`python -m stack servers …`: PostgreSQL and RabbitMQ alone, for tests and for development."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from stack.errors import StackError
from stack.holder import end_holder, hold, holder_of
from stack.keeper import Keeper, sweep
from stack.servers import Servers, Wish, start, temporary
from stack.signals import wait_for_end
from stack.state import state_directory

RUN_HELP = """Start fresh private servers on free ports in a temporary folder, run COMMAND with DATABASE_URL and
AMQP_URL set, stop and delete everything. The exit code is COMMAND's. Durability is off (fsync) unless --durable.
MUSTER_SERVERS=docker or =packages says where they come from."""
UP_HELP = """Keep private servers running for development and write their addresses to .muster/dev/dev.env:
`set -a; . .muster/dev/dev.env`. In the foreground until Ctrl-C, or with --detach until `servers down`."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verbs."""
    verbs = commands.add_parser("servers", help="PostgreSQL and RabbitMQ alone").add_subparsers(required=True)
    run = verbs.add_parser("run", help="run a command beside fresh servers", description=RUN_HELP)
    run.add_argument("--durable", action="store_true", help="keep fsync on")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND …")
    run.set_defaults(act=run_command)
    up = verbs.add_parser("up", help="keep servers running for development", description=UP_HELP)
    up.add_argument("--durable", action="store_true", help="keep fsync on")
    up.add_argument("--detach", action="store_true", help="return when they answer")
    up.set_defaults(act=keep_up)
    verbs.add_parser("down", help="stop what `up --detach` started").set_defaults(act=bring_down)


def run_command(arguments: argparse.Namespace) -> int:
    """Servers around one command."""
    command = [word for index, word in enumerate(arguments.command) if (index, word) != (0, "--")]
    if not command:
        raise StackError("which command? servers run -- COMMAND …")
    with temporary(Wish.private(fast=not arguments.durable), report=_say) as servers:
        return beside(servers, command)


def beside(servers: Servers, command: list[str], extra: dict[str, str] | None = None) -> int:
    """Run a command with the servers' addresses in its environment; signals reach it, its exit code is the answer."""
    popen = subprocess.Popen(command, env=os.environ | servers.environment | (extra or {}))
    # Ctrl-C reaches the whole foreground group: the command decides, this process only waits for it.
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    terminate = signal.signal(signal.SIGTERM, lambda *_: popen.terminate())
    try:
        code = popen.wait()
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)
    return code if code >= 0 else 128 - code


def keep_up(arguments: argparse.Namespace) -> int:
    """Servers until Ctrl-C, or in the background."""
    state = state_directory() / "dev"
    if holder_of(state) is not None:
        print(f"already running; addresses in {state / 'dev.env'}")
        return 0
    (state / "dev.env").unlink(missing_ok=True)
    if arguments.detach:
        return _detach(state, durable=arguments.durable)
    with hold(state), Keeper(state / "run") as keeper:
        sweep(state / "run")
        servers = start(state, keeper, Wish.private(fast=not arguments.durable), report=_say)
        _write_addresses(state, servers)
        print(f"set -a; . {state / 'dev.env'}", flush=True)
        wait_for_end()
        (state / "dev.env").unlink(missing_ok=True)
    return 0


def bring_down(_: argparse.Namespace) -> int:
    """Stop the background servers; their data stays."""
    print("stopped" if end_holder(state_directory() / "dev") else "not running")
    return 0


def _detach(state: Path, *, durable: bool) -> int:
    state.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "stack", "servers", "up", *(["--durable"] if durable else [])]
    with (state / "servers.log").open("wb") as log:
        popen = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    while not (state / "dev.env").exists():
        if popen.poll() is not None:
            raise StackError("the servers did not start", log=state / "servers.log")
        time.sleep(0.05)
    print(f"set -a; . {state / 'dev.env'}")
    return 0


def _write_addresses(state: Path, servers: Servers) -> None:
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in servers.environment.items()]
    draft = state / "dev.env.new"
    draft.touch(mode=0o600)
    draft.write_text("".join(lines))
    draft.rename(state / "dev.env")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
