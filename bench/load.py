"""The load: wrk, which is written in C, so that what is measured is the one who answers."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.cores import Cores

SCRIPT = Path(__file__).with_name("load.lua")


class NoLoadGenerator(Exception):  # noqa: N818 (what it says)
    """wrk is not installed: `apt-get install wrk`."""


@dataclass(frozen=True)
class Shot:
    """One run of wrk; times in seconds. Up to as many requests as connections are cut off unanswered at its end."""

    answered: int
    written: int
    seconds: float
    p50: float
    p99: float
    refused: int  # answers that are no 2xx
    broken: int  # connections lost and answers that did not come

    @property
    def good(self) -> int:
        """2xx answers."""
        return self.answered - self.refused


@dataclass(frozen=True)
class Load:
    """Posts distinct updates over kept-alive connections, each with the next request as soon as it has its answer."""

    secret: str
    template: Path
    cores: Cores

    def shoot(self, url: str, *, connections: int, seconds: int, first_id: int) -> Shot:
        """Blocks until it is over."""
        wrk = shutil.which("wrk")
        if wrk is None:
            raise NoLoadGenerator(NoLoadGenerator.__doc__)
        words = [*self.cores.load, wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
        words += ["-s", str(SCRIPT), url, "--", self.secret, str(first_id), str(self.template)]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=seconds + 30)
        return Shot(**json.loads(done.stdout.strip().splitlines()[-1]))
