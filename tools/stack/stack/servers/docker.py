"""A private server in a container, where a Docker engine of this machine answers."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from stack.keeper import Child, Program, wait_until
from stack.ports import LOOPBACK
from stack.servers.model import Place
from stack.servers.probes import postgres_answers, rabbitmq_answers

LABEL: Final = "org.muster.state"
USER: Final = "muster"


@dataclass(frozen=True)
class Image:
    """What differs between the servers' images."""

    server: str
    reference: str
    port: int
    volume: str  # where the image keeps its data
    answers: Callable[[int], bool]
    url: str
    polite: signal.Signals


POSTGRES: Final = Image(
    server="postgres",
    reference="postgres:17",
    port=5432,
    volume="/var/lib/postgresql/data",
    answers=partial(postgres_answers, user=USER, database=USER),
    url="postgresql://{user}:{password}@{host}:{port}/muster",
    polite=signal.SIGINT,  # a fast shutdown: SIGTERM would wait for the clients
)
RABBITMQ: Final = Image(
    server="rabbitmq",
    reference="rabbitmq:4-management",
    port=5672,
    volume="/var/lib/rabbitmq",
    answers=rabbitmq_answers,
    url="amqp://{user}:{password}@{host}:{port}/",
    polite=signal.SIGTERM,
)


def engine_answers() -> bool:
    """Whether there is an engine, and on this machine: a remote one's ports are not on our loopback."""
    if not os.environ.get("DOCKER_HOST", "unix://").startswith("unix://") or shutil.which("docker") is None:
        return False
    return _docker("version", timeout=10).returncode == 0


def image_ready(image: Image) -> bool:
    """Whether the image is here, after an attempt to pull it."""
    if _docker("image", "inspect", image.reference, timeout=20).returncode == 0:
        return True
    return _docker("pull", "--quiet", image.reference, timeout=300).returncode == 0


@dataclass
class Container:
    """One server in one container; its data is in a volume of its own and survives both stop and kill."""

    place: Place
    image: Image
    command: Sequence[str] = ()  # in place of the image's own
    origin: str = "docker"
    child: Child | None = None

    @property
    def name(self) -> str:
        """`postgres` or `rabbitmq`."""
        return self.image.server

    @property
    def url(self) -> str:
        """Where it listens on our loopback."""
        return self.image.url.format(user=USER, password=self.place.password, host=LOOPBACK, port=self.place.port)

    @property
    def container(self) -> str:
        """A name that no other checkout has."""
        return f"muster-{mark(self.place.root)}-{self.name}"

    def start(self) -> None:
        """Run the image in the foreground: its log is ours, and a signal to the client reaches the server."""
        _docker("rm", "--force", self.container)
        used(self.place.root).touch()
        self.place.keeper.warden.afterwards(["docker", "rm", "--force", self.container])
        self.child = self.place.keeper.start(self._program())
        wait_until(lambda: self.image.answers(self.place.port), self.child, timeout=120)

    def stop(self) -> None:
        """An orderly end; the container goes, the volume stays."""
        _docker("stop", "--time", "20", self.container, timeout=60)
        if self.child is not None:
            self.place.keeper.stop(self.child)
        _docker("rm", "--force", self.container)

    def kill(self) -> None:
        """SIGKILL for the container's first process takes the others with it."""
        _docker("kill", "--signal", "KILL", self.container)
        if self.child is not None:
            self.place.keeper.kill(self.child)
        _docker("rm", "--force", self.container)

    def pids(self) -> list[int]:
        """The container's first process, as this machine numbers it."""
        answer = _docker("inspect", "--format", "{{.State.Pid}}", self.container)
        pid = int(answer.stdout or 0) if answer.returncode == 0 else 0
        return [pid] if pid else []

    def _program(self) -> Program:
        words = ["docker", "run", "--name", self.container, "--hostname", "muster", "--stop-timeout", "20"]
        words += ["--label", f"{LABEL}={mark(self.place.root)}", "--volume", f"{self.container}:{self.image.volume}"]
        words += ["--publish", f"{LOOPBACK}:{self.place.port}:{self.image.port}"]
        words += [word for name in self._settings() for word in ("--env", name)]
        words += [self.image.reference, *self.command]
        # The values are in the client's environment, not on its command line for every user to read.
        environment = {**os.environ, **self._settings()}
        log, polite = self.place.logs / f"{self.name}.log", self.image.polite
        return Program(self.name, words, log, environment, Path("/"), polite=polite, grace=30.0)

    def _settings(self) -> Mapping[str, str]:
        if self.image is POSTGRES:
            folder = f"{POSTGRES.volume}/cluster"  # said, because images differ in where they keep it
            login = {"POSTGRES_USER": USER, "POSTGRES_PASSWORD": self.place.password}
            return {**login, "POSTGRES_DB": USER, "PGDATA": folder}
        return {"RABBITMQ_DEFAULT_USER": USER, "RABBITMQ_DEFAULT_PASS": self.place.password}


def mark(state: Path) -> str:
    """What containers and volumes of one state directory are called by."""
    return hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:10]


def used(state: Path) -> Path:
    """The mark of a state directory whose data is in the engine's volumes."""
    return state / "docker"


def volumes_of(state: Path) -> list[str]:
    """Where that state directory's containers keep their data."""
    return [f"muster-{mark(state)}-{image.server}" for image in (POSTGRES, RABBITMQ)]


def remove_containers(state: Path, *, volumes: bool) -> None:
    """Take away what that state directory has in the engine, if there is one."""
    if not engine_answers():
        return
    found = _docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={mark(state)}").stdout.split()
    for container in found:
        _docker("rm", "--force", container)
    if volumes:
        _docker("volume", "rm", "--force", *volumes_of(state))


def _docker(*words: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["docker", *words], capture_output=True, text=True, timeout=timeout, check=False)
    except (subprocess.TimeoutExpired, OSError) as error:
        return subprocess.CompletedProcess(words, 1, "", str(error))
