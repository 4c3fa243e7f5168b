"""A private RabbitMQ from the distribution's package: own node, own epmd, own cookie, loopback only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.errors import StackError
from stack.identity import descendants
from stack.keeper import Child, Program, wait_until
from stack.ports import LOOPBACK
from stack.servers.accounts import account, own_file, own_folder
from stack.servers.model import Place
from stack.servers.probes import rabbitmq_answers

USER: Final = "muster"
PACKAGE_USER: Final = "rabbitmq"
NODE: Final = "muster@localhost"  # two of them do not meet: each has its own epmd
SERVER: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the script itself, not the wrapper that asks for root


def program() -> Path | None:
    """The installed server's script."""
    return SERVER if SERVER.exists() and shutil.which("epmd") else None


@dataclass
class PackagedRabbit:
    """One broker of our own; `epmd` and `dist` are the two further ports that Erlang wants."""

    place: Place
    epmd: int
    dist: int
    cookie: str
    name: str = "rabbitmq"
    origin: str = "packages"
    child: Child | None = None
    mapper: Child | None = None

    @property
    def url(self) -> str:
        """As AMQP_URL wants it."""
        return f"amqp://{USER}:{self.place.password}@{LOOPBACK}:{self.place.port}/"

    def start(self) -> None:
        """Start the port mapper and the broker and wait for both."""
        require()
        user = account(PACKAGE_USER)
        home = own_folder(self.place.home, user)
        self._configure(home, user)
        if self.mapper is None or not self.mapper.running:
            self.mapper = self.place.keeper.start(self._mapper(home, user))
        self.child = self.place.keeper.start(self._program(home, user))
        wait_until(lambda: rabbitmq_answers(self.place.port), self.child, timeout=120)

    def stop(self) -> None:
        """An orderly end of the broker; the port mapper goes too."""
        for child in (self.child, self.mapper):
            if child is not None:
                self.place.keeper.stop(child)

    def kill(self) -> None:
        """The virtual machine and its helpers at one blow; the port mapper stays, as on a real machine."""
        if self.child is not None:
            self.place.keeper.kill(self.child)

    def pids(self) -> list[int]:
        """The Erlang virtual machine, then its helpers."""
        if self.child is None or not self.child.running:
            return []
        return [self.child.identity.pid, *descendants(self.child.identity.pid)]

    def _configure(self, home: Path, user: str | None) -> None:
        own_file(home / ".erlang.cookie", self.cookie, user, mode=0o400)
        own_file(home / "enabled_plugins", "[].\n", user)
        own_file(home / "rabbitmq.conf", _configuration(self.place.port, self.place.password), user)

    def _mapper(self, home: Path, user: str | None) -> Program:
        # In the foreground and ours: erl would start one that outlives it.
        words = ["epmd", "-port", str(self.epmd), "-address", LOOPBACK]
        return Program("epmd", words, self.place.logs / "epmd.log", self._environment(home), home, user)

    def _program(self, home: Path, user: str | None) -> Program:
        log = self.place.logs / "rabbitmq.log"
        return Program("rabbitmq", [str(SERVER)], log, self._environment(home), home, user, grace=30.0)

    def _environment(self, home: Path) -> Mapping[str, str]:
        return {
            "PATH": os.defpath,
            "HOME": str(home),  # where Erlang looks for the cookie
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self.epmd),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_DIST_PORT": str(self.dist),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "no-advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "no-environment.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # The script then becomes the virtual machine instead of waiting for it: one pid, its own exit code.
            "RUNNING_UNDER_SYSTEMD": "true",
        }


def _configuration(port: int, password: str) -> str:
    return "\n".join(
        [
            f"listeners.tcp.default = {LOOPBACK}:{port}",
            f"default_user = {USER}",
            f"default_pass = {password}",
            "log.console = true",
            "log.console.level = info",
            "log.file = false",
            "",
        ]
    )


def require() -> Path:
    """The server's script, or what to do about its absence."""
    found = program()
    if found is None:
        raise StackError("RabbitMQ is not installed", hint="as root: apt-get install rabbitmq-server")
    return found
