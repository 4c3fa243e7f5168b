"""For tests: an operator at a machine of their own, with `muster` as a process in a pipe or on a real terminal."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

_WITHIN = 15.0  # seconds
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Done:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Of --json."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Of a list's --json."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Terminal:
    """The other end of a pseudo-terminal that a command runs on."""

    master: int
    process: asyncio.subprocess.Process
    raw: str = ""
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def text(self) -> str:
        """Without what moves the cursor and colours."""
        return _ESCAPES.sub("", self.raw)

    def types(self, text: str) -> None:
        """As a person."""
        os.write(self.master, text.encode())

    async def shows(self, text: str) -> None:
        """Once it has been there."""
        async with asyncio.timeout(_WITHIN):
            while text not in self.text:
                self._more.clear()
                await self._more.wait()

    async def ended(self, *, within: float = _WITHIN) -> int:
        """The exit code."""
        async with asyncio.timeout(within):
            return await self.process.wait()

    def read(self) -> None:
        """What is there; EIO is how a terminal says that nobody is left on it."""
        try:
            self.raw += os.read(self.master, 65536).decode(errors="replace")
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            asyncio.get_running_loop().remove_reader(self.master)
        self._more.set()


@dataclass
class Operator:
    """Runs commands with these variables."""

    environment: dict[str, str]

    async def muster(
        self, *words: str, within: float = _WITHIN, given: str | bytes | None = None, **variables: str
    ) -> Done:
        """To its end; without `given`, standard input is empty."""
        process = await self.start(*words, **variables)
        content = given.encode() if isinstance(given, str) else given or b""
        async with asyncio.timeout(within):
            out, err = await process.communicate(content)
        return Done(process.returncode or 0, out.decode(), err.decode())

    async def start(self, *words: str, **variables: str) -> asyncio.subprocess.Process:
        """With pipes, in a session of its own: no terminal is in reach."""
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *_command(words),
            env=self.environment | variables,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
        )

    @asynccontextmanager
    async def terminal(self, *words: str, given: bytes | None = None, columns: int = 100) -> AsyncIterator[Terminal]:
        """On a terminal that it controls; with `given`, standard input is a pipe all the same."""
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        process = await asyncio.create_subprocess_exec(
            *_command(words),
            env=self.environment | {"TERM": "xterm-256color"},
            stdin=slave if given is None else asyncio.subprocess.PIPE,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(2, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        terminal = Terminal(master, process)
        asyncio.get_running_loop().add_reader(master, terminal.read)
        try:
            if given is not None and process.stdin is not None:
                process.stdin.write(given)
                process.stdin.close()
            yield terminal
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            asyncio.get_running_loop().remove_reader(master)
            os.close(master)


def environment(url: str, key: str) -> dict[str, str]:
    """Of a machine whose own settings say nothing about Muster."""
    kept: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if not name.startswith(("MUSTER_", "COV", "FORCE_COLOR"))
    }
    ours = {"MUSTER_URL": url, "MUSTER_API_KEY": key, "NO_PROXY": "127.0.0.1", "TZ": "Europe/Berlin"}
    return {**kept, **ours, "PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"}


def _command(words: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "muster_cli", *words]
