"""The four services (and the simulated Telegram) as child processes: start, wait, kill, start again, run several.

For `make up`, fault runs and benches:

    with Keeper(folder / "run") as keeper:
        services = Services(keeper, environment, folder / "logs")
        services.start("ingress", port=8080)
        voices = [services.start("dm"), services.start("dm")]     # dm and dm-2
        services.wait_ready()
        services.kill(voices[0]); services.restart(voices[0])
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from stack import http
from stack.errors import StackError
from stack.keeper import Child, Keeper, Program, wait_until
from stack.ports import LOOPBACK, free_ports

SERVICES: Final = ("ingress", "tgms", "sender", "dm")
WATCHED: Final = (*SERVICES, "telegram")  # whose logs a person wants to see
READY_TIMEOUT: Final = 60.0  # seconds


@dataclass(frozen=True)
class Instance:
    """One process of a service."""

    name: str  # the service, and a number from the second on: `dm-2`
    service: str
    port: int

    @property
    def url(self) -> str:
        """Where it answers probes; the ingress answers everything else there too."""
        return f"http://{LOOPBACK}:{self.port}"


@dataclass
class Services:
    """Those that run, by instance; logs are one file each."""

    keeper: Keeper
    environment: Mapping[str, str]
    logs: Path
    children: dict[Instance, Child] = field(default_factory=dict)

    def start(self, service: str, *, port: int | None = None, extra: Mapping[str, str] | None = None) -> Instance:
        """One more process of that service; without a port it takes a free one."""
        number = 1 + sum(instance.service == service for instance in self.children)
        name = service if number == 1 else f"{service}-{number}"
        instance = Instance(name, service, port or free_ports(1)[0])
        program = Program(
            name=name,
            argv=[sys.executable, "-m", service],
            log=self.logs / f"{name}.log",
            env={**child_environment(), **self.environment, **_listening(instance), **(extra or {})},
            cwd=Path.cwd(),
            grace=50.0,
        )
        self.children[instance] = self.keeper.start(program)
        return instance

    def wait_ready(self, instances: Sequence[Instance] | None = None) -> None:
        """Wait until each says that it is ready."""
        for instance in instances or list(self.children):
            wait_until(partial(_ready, instance), self._child(instance), timeout=READY_TIMEOUT)

    def stop(self, instance: Instance) -> None:
        """SIGTERM and wait: the orderly end."""
        self.keeper.stop(self._child(instance))

    def stop_all(self) -> None:
        """All at the same time."""
        self.keeper.stop(*self.children.values())

    def kill(self, instance: Instance) -> None:
        """SIGKILL: the crash."""
        self.keeper.kill(self._child(instance))

    def restart(self, instance: Instance) -> None:
        """The same instance again, on the same port; wait for it with `wait_ready`."""
        old = self._child(instance)
        if old.running:
            self.keeper.stop(old)
        self.children[instance] = self.keeper.start(old.program)

    def pid(self, instance: Instance) -> int:
        """Its process."""
        return self._child(instance).identity.pid

    def dead(self) -> list[Instance]:
        """Those that ended although nobody asked them to."""
        return [instance for instance, child in self.children.items() if not child.running]

    def _child(self, instance: Instance) -> Child:
        if instance not in self.children:
            raise StackError(f"{instance.name} was never started")
        return self.children[instance]


def _ready(instance: Instance) -> bool:
    return http.status(f"{instance.url}/readyz") == 200


def child_environment() -> dict[str, str]:
    """This process's environment without secrets that are not theirs, and without a proxy for the loopback."""
    inherited = {name: value for name, value in os.environ.items() if name != "TELEGRAM_BOT_TOKEN"}
    direct = f"{LOOPBACK},localhost"
    return {**inherited, "NO_PROXY": direct, "no_proxy": direct, "PYTHONUNBUFFERED": "1"}


def _listening(instance: Instance) -> Mapping[str, str]:
    prefix = "MUSTER_" if instance.service == "ingress" else "MUSTER_HEALTH_"
    return {f"{prefix}HOST": LOOPBACK, f"{prefix}PORT": str(instance.port)}
