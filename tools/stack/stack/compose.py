"""`make compose-up`, `make compose-smoke`: compose.yaml on a Docker engine, with keys of this checkout's own."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.console import Console
from stack.errors import StackError
from stack.fleet import BOTS, GROUPS, Client, Stage, first_broadcast
from stack.keys import Secrets
from stack.ports import LOOPBACK, free_ports
from stack.servers import temporary_state
from stack.signals import EndRequested, ends_raise
from stack.state import checkout, state_directory
from stack.telegram import Simulator

PERSON: Final = "Ada"
TAIL: Final = 40  # lines of a failed command's output


@dataclass(frozen=True)
class Compose:
    """One project: compose.yaml under a name, with its variables."""

    project: str
    variables: Mapping[str, str]

    def run(self, *words: str, text: str | None = None) -> str:
        """Standard output of `docker compose …`; StackError with the end of what it said when it fails."""
        argv = ["docker", "compose", "--project-name", self.project, "--file", str(checkout() / "compose.yaml"), *words]
        environment = {**os.environ, **self.variables}
        try:
            done = subprocess.run(argv, input=text, capture_output=True, text=True, env=environment, check=False)
        except OSError as error:
            raise StackError(f"docker can't be run: {error}") from None
        if done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-TAIL:])
            hint = "Docker Compose v2 is needed: `docker compose version`" if done.returncode == 125 else None
            raise StackError(f"docker compose {' '.join(words)} ended with {done.returncode}:\n{said}", hint=hint)
        return done.stdout

    def verb(self, *words: str) -> str:
        """`python -m common …` where tgms runs; what it says is JSON lines."""
        return self.run("exec", "--no-TTY", "tgms", "python", "-m", "common", *words)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`compose` with its acts."""
    parser = commands.add_parser("compose", help="everything on a Docker engine")
    acts = parser.add_subparsers(required=True, metavar="ACT")
    up = acts.add_parser("up", help="build, start, wait until all are healthy")
    up.add_argument("--tracing", action="store_true", help="with Jaeger")
    up.set_defaults(act=up_command)
    acts.add_parser("down", help="stop; the volumes stay").set_defaults(act=down_command)
    acts.add_parser("env", help="print the variables that compose.yaml needs").set_defaults(act=env_command)
    smoke = acts.add_parser("smoke", help="up on free ports, a message answered, a broadcast sent, all gone again")
    smoke.add_argument("--no-build", action="store_true", help="with the images as they are")
    smoke.set_defaults(act=smoke_command)


def secrets_of(state: Path) -> dict[str, str]:
    """What compose.yaml asks for and no file of the repository holds."""
    secrets = Secrets.of(state)
    return {
        "POSTGRES_PASSWORD": secrets.password("postgres"),
        "RABBITMQ_PASSWORD": secrets.password("rabbitmq"),
        "MUSTER_WEBHOOK_KEYS": secrets.webhook_keys,
        "MUSTER_ENCRYPTION_KEYS": secrets.encryption_keys,
    }


def up_command(arguments: argparse.Namespace) -> int:
    """Stays up until `compose down`."""
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://jaeger:4318"} if arguments.tracing else {}
    compose = Compose("muster", {**secrets_of(state_directory()), **traced})
    console = Console()
    with console.step("images and containers"):
        profile = ["--profile", "tracing"] if arguments.tracing else []
        compose.run(*profile, "up", "--detach", "--build", "--wait")
    shown = {"ingress": ("ingress", 8080), "simulated Telegram": ("telegram", 8081)}
    console.say(*(f"{title}: http://{compose.run('port', *map(str, where)).strip()}" for title, where in shown.items()))
    return 0


def down_command(_: argparse.Namespace) -> int:
    """The data stays in its volumes."""
    Compose("muster", secrets_of(state_directory())).run("--profile", "tracing", "down")
    return 0


def env_command(_: argparse.Namespace) -> int:
    """For a file that only its owner reads; it is named in .gitignore."""
    print("\n".join(f"{name}={value}" for name, value in secrets_of(state_directory()).items()))
    return 0


def smoke_command(arguments: argparse.Namespace) -> int:
    """One line on standard output; non-zero when anything is missing."""
    console = Console(sys.stderr)
    try:
        with ends_raise(), temporary_state("muster-compose-") as (state, _):
            print(smoke(state, console, build=not arguments.no_build))
    except EndRequested:
        return 130
    except StackError as error:
        console.error(error.lines())
        return 1
    return 0


def smoke(state: Path, console: Console, *, build: bool) -> str:
    """What came of it, with a project and volumes of its own that are gone afterwards."""
    ingress, telegram = free_ports(2)
    ports = {"INGRESS_PORT": str(ingress), "TELEGRAM_PORT": str(telegram)}
    compose = Compose(state.name.lower(), {**secrets_of(state), **ports})
    try:
        if build:
            with console.step("images"):
                compose.run("build")
        with console.step("containers, until all are healthy"):
            compose.run("up", "--detach", "--no-build", "--wait")
        return proof(compose, f"http://{LOOPBACK}:{ingress}", f"http://{LOOPBACK}:{telegram}", state, console)
    finally:
        with console.step("containers and volumes removed"):
            _remove(compose)


def _remove(compose: Compose) -> None:
    """Twice where an `up` that was broken off was still at work the first time."""
    for _ in range(2):
        compose.run("down", "--volumes", "--timeout", "10")
        if not compose.run("ps", "--all", "--quiet").strip():
            return
    raise StackError(f"containers of {compose.project} are still there")


def proof(compose: Compose, ingress: str, telegram: str, state: Path, console: Console) -> str:
    """A direct message is answered, and a broadcast reaches every group."""
    made = compose.verb("key", "new", "--name", "smoke", "--scope", "*", "--per-second", "1000", "--burst", "1000")
    key = json.loads(last_line(made))
    client, simulator = Client(ingress, str(key["key"])), Simulator(telegram)
    bot = simulator.bot(state / "bot.json")
    with console.step("a bot by API, and its webhook") as step:
        client.ask("POST", "/bots", {"token": bot["token"], "webhook": True})
        step.note(f"@{bot['username']}")
    with console.step("a direct message") as step:
        reply = simulator.ask(int(bot["id"]), simulator.user(PERSON), "/start", timeout=60)
        step.note(f"answered in {reply.milliseconds:.0f} ms")
    with console.step(f"{BOTS} bots with {GROUPS} groups each, and a broadcast to all of them") as step:
        sent = first_broadcast(Stage(client, simulator, int(bot["id"]), state), step.note)
    return f"answered in {reply.milliseconds:.0f} ms; {sent.line}"


def last_line(text: str) -> str:
    """The result of a verb: what comes before may be logs."""
    lines: Sequence[str] = text.strip().splitlines()
    if not lines:
        raise StackError("the verb said nothing")
    return lines[-1]
