"""`make up`: everything, a first message, its trace, addresses; then logs and traces until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from stack.console import Console
from stack.demo import answered, first_message
from stack.errors import StackError
from stack.fleet import BOTS, GROUPS, KEY, Stage, first_broadcast
from stack.holder import AlreadyRunningError, hold
from stack.keeper import Keeper, sweep
from stack.logs import Follower, rotate, tails
from stack.servers import Server, Wish
from stack.services import WATCHED, Instance
from stack.signals import EndRequested, ends_raise
from stack.spans import Span
from stack.state import state_directory
from stack.system import RealTelegram, System, running
from stack.waterfall import waterfall

QUIET: Final = 0.5  # seconds without a new span: the trace is whole
BETWEEN: Final = 3.0  # seconds between two pictures, so that a storm of messages leaves the logs readable


def up_command(_: argparse.Namespace) -> int:
    """Until Ctrl-C; a second one in the same checkout only shows the addresses."""
    console, state = Console(), state_directory()
    begun = time.monotonic()
    try:
        with hold(state):
            _run(console, state, begun)
    except AlreadyRunningError:
        console.say("already running", *_saved_addresses(state))
    except StackError as error:
        console.error(error.lines())
        return 1
    return 0


def _run(console: Console, state: Path, begun: float) -> None:
    (state / "up.json").unlink(missing_ok=True)
    left = sweep(state / "run")
    rotate(state / "logs")
    if left:
        console.say(f"    ended what a crash had left: {', '.join(left)}")
    try:
        with ends_raise(), Keeper(state / "run") as keeper:
            wish, telegram = Wish.from_environment(), RealTelegram.from_environment()
            with running(state, keeper, wish, console, telegram) as system:
                _show(console, state, system, begun)
                _watch(console, system)
    except EndRequested:
        console.say("", "everything is stopped; `make up` goes on with the same data, `make reset` deletes it")
    finally:
        (state / "up.json").unlink(missing_ok=True)


def _show(console: Console, state: Path, system: System, begun: float) -> None:
    table = addresses(system)
    _remember(state / "up.json", table)
    if system.simulator is not None:
        with console.step("a first message through the whole system") as step:
            first = first_message(system)
            step.note(f"{first.reply.milliseconds:.0f} ms")
        answer = [f"    {line}" for line in first.reply.text.splitlines()]
        console.say("", f"Ada wrote /start, @{system.bot['username']} answered:", *answer, "")
        console.say(*waterfall(first.trace, console.style), "")
        with console.step(f"{BOTS} bots with {GROUPS} groups each, and a broadcast to all of them") as step:
            sent = first_broadcast(Stage.of(system, state), step.note)
            step.note(sent.line.partition(": ")[2])
    console.say("", f"up in {time.monotonic() - begun:.1f} s", "", *_lines(table), "", *next_steps(system, state), "")


def _watch(console: Console, system: System) -> None:
    """Logs in one thread, traces of later messages in this one."""
    stopped = threading.Event()
    follower = Follower(tails(system.logs, WATCHED, lines=None), console.say, console.style, stopped)
    thread = threading.Thread(target=follower.follow, name="logs", daemon=True)
    thread.start()
    shown = {span.trace_id for span in system.book.wait(answered, timeout=0) or []}
    dead: set[str] = set()
    try:
        while True:
            traces = system.book.wait_all(
                lambda spans: answered(spans) and spans[0].trace_id not in shown, timeout=1, quiet=QUIET
            )
            if traces:
                shown.update(trace[0].trace_id for trace in traces)
                _draw(console, traces[-1], left_out=len(traces) - 1)
            for child in system.dead():
                name, code = child.program.name, child.popen.returncode
                if name not in dead:
                    dead.add(name)
                    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
                    text = f"{name} {how}: Ctrl-C and make up start it again; its log: {child.program.log}"
                    console.say(console.style.paint(text, "red"))
    finally:
        stopped.set()
        console.say("", "stopping …")


def _draw(console: Console, trace: Sequence[Span], *, left_out: int) -> None:
    others = [f"(and {left_out} more like it meanwhile)"] if left_out else []
    console.say("", *waterfall(trace, console.style), *others, "")
    time.sleep(BETWEEN)


def addresses(system: System) -> Mapping[str, str]:
    """What is where."""
    telegram = {"Telegram, simulated: write to the bot": f"{system.simulator.url}/"} if system.simulator else {}
    return {
        **telegram,
        "Muster's API, with a form for each call": f"{system.ingress}/docs",
        "PostgreSQL": _address(system.servers.postgres),
        "RabbitMQ": _address(system.servers.rabbitmq),
        **{f"{name}: /readyz, /metrics": instance.url for name, instance in _workers(system).items()},
        "logs": str(system.logs),
    }


def _workers(system: System) -> Mapping[str, Instance]:
    return {each.name: each for each in system.services.children if each.service != "ingress"}


def _python() -> str:
    """This interpreter, as somebody in this folder would type it."""
    return _here(Path(sys.executable))


def _muster() -> str:
    return _here(Path(sys.executable).with_name("muster"))


def _here(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _address(server: Server) -> str:
    """The URL with its password where the password is this checkout's own invention."""
    parts = urlsplit(server.url)
    if server.origin != "given" or parts.password is None:
        return server.url
    return server.url.replace(f":{parts.password}@", ":***@", 1)


def next_steps(system: System, state: Path) -> list[str]:
    """What to try."""
    if system.simulator is None:
        tunnel = f"PUBLIC_URL has to lead to {system.ingress}"
        return [f"write to @{system.bot['username']} now; its answer's trace appears here ({tunnel})"]
    return [
        "try next:",
        f"  open {system.simulator.url}/ and write to @{system.bot['username']}: each answer's trace appears here",
        f"  {_python()} -m telegram_sim drive --url {system.simulator.url} say /help   does the same from a shell",
        f"  {_muster()} --url {system.ingress} --key-file {_here(state / KEY)} send --all 'Hello!' --watch",
        "  make logs SERVICE=dm   in another terminal; Ctrl-C here stops everything",
    ]


def _lines(table: Mapping[str, str]) -> list[str]:
    width = max(map(len, table))
    return [f"  {name:<{width}}  {value}" for name, value in table.items()]


def _remember(file: Path, table: Mapping[str, str]) -> None:
    file.touch(mode=0o600)
    file.write_text(json.dumps(table))


def _saved_addresses(state: Path) -> list[str]:
    file = state / "up.json"
    if not file.exists():
        return [f"and still on its way up; its logs are in {state / 'logs'}"]
    return _lines(json.loads(file.read_text()))
