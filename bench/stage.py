"""Private servers and the processes of one bench: started, pinned, watched, ended with it."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from stack.keeper import Child, Keeper, Program, wait_until
from stack.ports import free_ports
from stack.servers import Servers, Wish, temporary

from bench.cores import Cores

ROOT = Path(__file__).parents[1]
_START = 60.0  # seconds


@dataclass(frozen=True)
class Stage:
    """What every bench has."""

    servers: Servers
    keeper: Keeper
    logs: Path
    cores: Cores

    @property
    def environment(self) -> dict[str, str]:
        """No proxy, no user's settings: only what a process needs, and the same for all."""
        base = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(ROOT)}
        return base | self.servers.environment

    def start(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], *, ready: str, measured: bool = True
    ) -> Child:
        """Returns when `ready` (a URL) is answered, whatever the status."""
        words = [*(self.cores.measured if measured else self.cores.load), *argv]
        program = Program(name, words, self.logs / f"{name}.log", self.environment | dict(env), ROOT)
        child = self.keeper.start(program)
        wait_until(lambda: answers(ready), child, timeout=_START)
        return child

    def python(self, module: str, *arguments: str) -> list[str]:
        """The words that run it in this environment."""
        return [sys.executable, "-m", module, *arguments]

    def collector(self) -> str:
        """Starts the receiver of traces; its base URL."""
        port = free_port()
        self.start(
            "collector",
            self.python("bench.collector", str(port)),
            {},
            ready=f"http://127.0.0.1:{port}/spans",
            measured=False,
        )
        return f"http://127.0.0.1:{port}"


@contextmanager
def stage(cores: Cores) -> Iterator[Stage]:
    """Fresh servers that keep fsync on: a confirm has to mean what it means in production."""
    with (
        TemporaryDirectory(prefix="muster-bench-") as folder,
        temporary(Wish.private(fast=False), report=progress) as servers,
        Keeper(Path(folder) / "run") as keeper,
    ):
        yield Stage(servers, keeper, Path(folder), cores)


def progress(text: str) -> None:
    """On stderr: stdout is the report's."""
    print(text, file=sys.stderr, flush=True)


def free_port() -> int:
    """One that nobody listens on."""
    return free_ports(1)[0]


def answers(url: str) -> bool:
    """Whether a server answers there, whatever it says."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 (our own loopback)
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
