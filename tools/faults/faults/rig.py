"""The whole system as real processes: PostgreSQL and RabbitMQ, durable, the simulated Telegram and the services."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
from stack.keeper import Child, Keeper, Program
from stack.keys import Secrets
from stack.ports import LOOPBACK, free_ports
from stack.servers import Servers, Wish, start
from stack.state import checkout, state_directory

STARTING: Final = 60.0  # seconds that a service may take until it is ready
TIME_SCALE: Final = 20.0  # Telegram's retries after 2, 4, 8 … s come after 0.1, 0.2, 0.4 … s
LATENCY: Final = "20-80"  # milliseconds of a Bot API answer
TELEGRAM: Final = "telegram"
CONCURRENCY: Final = 20  # jobs at work in one worker, so sends too

Signal: Final = signal.Signals


@dataclass
class Rig:
    """Every process by its name: `ingress-1`, `dm-1`, `dm-2`, `tgms-1`, `sender-1`, `telegram`."""

    folder: Path
    keeper: Keeper
    servers: Servers
    secrets: Secrets
    http: aiohttp.ClientSession
    children: dict[str, Child] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    own: dict[str, dict[str, str]] = field(default_factory=dict)  # settings of one process alone

    def url(self, name: str) -> str:
        """Where that process listens."""
        return f"http://{LOOPBACK}:{self._port(name)}"

    def pid(self, name: str) -> int:
        """Of a running process."""
        return self.children[name].identity.pid

    def names(self, service: str) -> list[str]:
        """The running processes of one service."""
        return sorted(name for name, child in self.children.items() if name.split("-")[0] == service and child.running)

    def doubles(self) -> int:
        """How many sends may be in flight at once in all of the voice's processes."""
        return CONCURRENCY * max(1, len(self.names("dm")))

    async def start(self, *names: str) -> None:
        """Starts them together and returns when each is ready."""
        await asyncio.gather(*(self.launch(name) for name in names))
        await asyncio.gather(*(self.ready(name) for name in names))

    async def launch(self, name: str) -> None:
        """Starts one without waiting for it."""
        self.children[name] = await asyncio.to_thread(self.keeper.start, self._program(name))

    async def ready(self, name: str) -> None:
        """Waits for its readiness probe."""
        probe = "/admin/health" if name == TELEGRAM else "/readyz"
        await until(lambda: self._answers(name, probe), STARTING, f"{name} is ready")

    async def answers(self, name: str) -> float:
        """Waits until its port answers, and says when that was."""
        await until(
            lambda: self._answers(name, "/admin/health" if name == TELEGRAM else "/livez"), STARTING, f"{name} answers"
        )
        return time.time()

    async def kill(self, name: str) -> None:
        """kill -9."""
        await asyncio.to_thread(self.keeper.kill, self.children[name])

    async def stop(self, *names: str) -> dict[str, int]:
        """SIGTERM; the exit codes."""
        gone = {name: self.children.pop(name) for name in names}
        await asyncio.gather(*(asyncio.to_thread(self.keeper.stop, child) for child in gone.values()))
        return {name: child.popen.returncode for name, child in gone.items()}

    async def in_flight(self) -> int:
        """Jobs that the workers hold and have not settled, by their own gauges."""
        workers = [name for service in ("dm", "tgms", "sender") for name in self.names(service)]
        gauges = [await self.metric(name, "muster_jobs_in_flight") for name in workers]
        return int(sum(map(sum, gauges)))

    async def metric(self, name: str, metric: str) -> list[float]:
        """Every value that a worker shows of one metric."""
        async with self.http.get(self.url(name) + "/metrics", timeout=aiohttp.ClientTimeout(total=5)) as response:
            text = await response.text()
        return [float(value) for value in re.findall(rf"^{metric}(?:{{.*}})? (\S+)$", text, re.MULTILINE)]

    def signal(self, name: str, number: signal.Signals) -> None:
        """For SIGSTOP and SIGCONT."""
        self.children[name].signal(number)

    async def command(self, *words: str, standard_input: str = "") -> None:
        """One of the operators' verbs: `python -m common …`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "common", *words,
            env=self.environment(), stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, errors = await process.communicate(standard_input.encode())
        if process.returncode:
            raise RuntimeError(f"python -m common {words[0]} failed: {errors.decode().strip()}")

    def environment(self) -> dict[str, str]:
        """What every service is given; nothing of the caller's but the path."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            **self.servers.environment,
            "TELEGRAM_API_URL": self.url(TELEGRAM),
            "MUSTER_WEBHOOK_KEYS": self.secrets.webhook_keys,
            "MUSTER_ENCRYPTION_KEYS": self.secrets.encryption_keys,
            "MUSTER_COMMANDS_PER_MINUTE": "1000000",  # the writers are faster than people
            "MUSTER_CONCURRENCY": str(CONCURRENCY),
        }

    def _program(self, name: str) -> Program:
        service = name.split("-", maxsplit=1)[0]
        port = str(self._port(name))
        if name == TELEGRAM:
            words = ["telegram_sim", "serve", "--port", port, "--time-scale", str(TIME_SCALE), "--latency", LATENCY]
            words += ["--limits", "off", "--log", str(self.folder / "logs" / "effects.jsonl")]
        else:
            words = [service]
        own = {"MUSTER_HOST": LOOPBACK, "MUSTER_PORT": port} if service == "ingress" else {}
        own |= {"MUSTER_HEALTH_HOST": LOOPBACK, "MUSTER_HEALTH_PORT": port} if service != "ingress" else {}
        return Program(
            name=name,
            argv=[sys.executable, "-m", *words],
            log=self.folder / "logs" / f"{name}.log",
            env=self.environment() | own | self.own.get(name, {}),
            cwd=checkout(),
            grace=30.0,
        )

    def _port(self, name: str) -> int:
        if name not in self.ports:
            self.ports[name] = free_ports(1)[0]
        return self.ports[name]

    async def _answers(self, name: str, path: str) -> bool:
        child = self.children[name]
        if not child.running:
            raise RuntimeError(f"{name} ended with exit code {child.popen.returncode}: see {child.program.log}")
        try:
            async with self.http.get(self.url(name) + path, timeout=aiohttp.ClientTimeout(total=3)) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


@contextmanager
def place() -> Iterator[tuple[Path, Keeper]]:
    """A folder that every user may pass and that goes away with the run, also after kill -9."""
    folder = Path(tempfile.mkdtemp(prefix="muster-faults-"))
    folder.chmod(0o711)
    with Keeper(folder / "run") as keeper:
        keeper.warden.remove(folder)
        yield folder, keeper


async def start_servers(folder: Path, keeper: Keeper, report: Callable[[str], None]) -> Servers:
    """Private ones, with fsync as in production."""
    return await asyncio.to_thread(start, folder, keeper, Wish.private(fast=False), report=report)


def keep_logs(folder: Path, name: str) -> Path:
    """Copies the logs where they outlive the run."""
    kept = state_directory() / "faults" / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
    shutil.copytree(folder / "logs", kept, dirs_exist_ok=True)
    return kept


async def until(condition: Callable[[], Awaitable[bool]], seconds: float, what: str) -> None:
    """Polls; TimeoutError says what did not come."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(0.02)


def resident(pid: int) -> float:
    """Memory of a process in MiB."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def rates(figures: Mapping[str, float]) -> dict[str, float]:
    """Rounded for people."""
    return {name: round(value, 3) for name, value in figures.items()}
