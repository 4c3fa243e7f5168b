"""A private PostgreSQL from the distribution's package."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stack.errors import StackError
from stack.identity import descendants
from stack.keeper import Child, Program, wait_until
from stack.ports import LOOPBACK
from stack.servers.accounts import account, own_file, own_folder
from stack.servers.model import Place
from stack.servers.probes import postgres_answers

USER: Final = "muster"
DATABASE: Final = "muster"
PACKAGE_USER: Final = "postgres"
WAYS: Final = ("/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres")
ALWAYS: Final[Mapping[str, str]] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a path longer than 107 bytes would not do, and TCP is enough
    "max_connections": "200",
    "timezone": "UTC",
}
CONTAINED: Final[Mapping[str, str]] = {"max_connections": ALWAYS["max_connections"]}  # what an image is told of them
FAST: Final[Mapping[str, str]] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def programs() -> Path | None:
    """The folder of the newest installed version's programs."""
    found = [path for way in WAYS for path in Path("/").glob(way[1:])]
    return max(found, key=_version).parent if found else None


@dataclass
class PackagedPostgres:
    """One server of our own: own folder, own port, own password."""

    place: Place
    options: Mapping[str, str] = field(default_factory=dict)
    name: str = "postgres"
    origin: str = "packages"
    child: Child | None = None

    @property
    def url(self) -> str:
        """As DATABASE_URL wants it."""
        return f"postgresql://{USER}:{self.place.password}@{LOOPBACK}:{self.place.port}/{DATABASE}"

    def start(self) -> None:
        """Make the cluster where there is none, start it and wait for it."""
        user = account(PACKAGE_USER)
        home = own_folder(self.place.home, user)
        fresh = not (home / "data" / "PG_VERSION").exists()
        if fresh:
            self._initialise(home, user)
        self.child = self.place.keeper.start(self._program(home, user))
        wait_until(lambda: postgres_answers(self.place.port, USER, "postgres"), self.child, timeout=60)
        if fresh:
            self._create_database(home)

    def stop(self) -> None:
        """A fast shutdown: open transactions are rolled back, everything committed is written."""
        if self.child is not None:
            self.place.keeper.stop(self.child)

    def kill(self) -> None:
        """The postmaster and its children at one blow."""
        if self.child is not None:
            self.place.keeper.kill(self.child)

    def pids(self) -> list[int]:
        """The postmaster, then its children."""
        if self.child is None or not self.child.running:
            return []
        return [self.child.identity.pid, *descendants(self.child.identity.pid)]

    def _program(self, home: Path, user: str | None) -> Program:
        settings = {"port": str(self.place.port), **ALWAYS, **(FAST if self.place.fast else {}), **self.options}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Program(
            name="postgres",
            argv=[str(_bin() / "postgres"), "-D", str(home / "data"), *words],
            log=self.place.logs / "postgres.log",
            env=_environment(),
            cwd=home,
            account=user,
            polite=signal.SIGINT,
        )

    def _initialise(self, home: Path, user: str | None) -> None:
        password = own_file(home / "password", self.place.password + "\n", user)
        words = ["-D", str(home / "data"), "-U", USER, f"--pwfile={password}", "--auth=scram-sha-256"]
        words += ["--locale=C.UTF-8", "--encoding=UTF8", "--no-sync"]
        done = subprocess.run(
            [str(_bin() / "initdb"), *words],
            cwd=home,
            env=_environment(),
            capture_output=True,
            text=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            check=False,
        )
        password.unlink()
        if done.returncode != 0:
            raise StackError(f"initdb could not make a database cluster:\n{done.stderr.strip()}")

    def _create_database(self, home: Path) -> None:
        command = [str(_bin() / "psql"), "-X", "-q", "-h", LOOPBACK, "-p", str(self.place.port), "-U", USER]
        command += ["-d", "postgres", "-c", f"CREATE DATABASE {DATABASE}"]
        password = {"PGPASSWORD": self.place.password}
        done = subprocess.run(
            command, cwd=home, env=_environment() | password, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise StackError(f"the database {DATABASE} could not be made: {done.stderr.strip()}")


def _bin() -> Path:
    folder = programs()
    if folder is None:
        raise StackError("PostgreSQL is not installed", hint="as root: apt-get install postgresql")
    return folder


def _environment() -> dict[str, str]:
    # Nothing of the caller's environment: PGDATA, PGPORT or a foreign locale would lead astray.
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC"}


def _version(path: Path) -> int:
    digits = re.search(r"(\d+)/bin/", str(path))
    return int(digits.group(1)) if digits else 0
