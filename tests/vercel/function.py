"""Runs a built function as the platform does: its own runtime, told over a unix socket, asked over HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self


class Function:
    """One instance; `freeze` and `thaw` are what happens between two requests."""

    def __init__(self, folder: Path, python: Path, environment: dict[str, str], log: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        address = log.with_suffix(".sock")
        self._socket.bind(str(address))
        self._socket.listen()
        self._socket.settimeout(30)
        self._log = log.open("w")
        self._process = subprocess.Popen(
            [python, "vc__handler__python.py"],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": "_vendor",
                "PYTHONDONTWRITEBYTECODE": "1",
                "VERCEL": "1",
                "VERCEL_ENV": "production",
                "VERCEL_IPC_PATH": str(address),
            }
            | environment,
            stdout=self._log,
            stderr=self._log,
        )
        self._ipc, _ = self._socket.accept()
        self.port = self._started()

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, float]:
        """(status, seconds)."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers | _PLATFORM)
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310
                return answer.status, time.monotonic() - began
        except urllib.error.HTTPError as error:
            return error.code, time.monotonic() - began

    def freeze(self) -> None:
        """Between requests no timer fires and no heartbeat is sent."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """A request comes in."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> float:
        """SIGTERM; the seconds until it was gone."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(5)
        return time.monotonic() - began

    def __enter__(self) -> Self:
        """Running already."""
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for each in (self._ipc, self._socket, self._log):
            each.close()

    def _started(self) -> int:
        buffer = b""
        while True:
            buffer += self._ipc.recv(65536)
            for part in buffer.split(b"\0")[:-1]:
                message = json.loads(part)
                if message["type"] == "server-started":
                    return int(message["payload"]["httpPort"])


_PLATFORM = {
    "x-vercel-internal-invocation-id": "i1",
    "x-vercel-internal-request-id": "1",
    "x-forwarded-for": "149.154.160.1",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "muster.example",
    "content-type": "application/json",
}
