"""Which core who runs on, where there are two: who is measured has the first, the load the last, servers any."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass


@dataclass(frozen=True)
class Cores:
    """Words to put before a command; none where there is nothing to share out.

    The broker is left to the scheduler: on one core with the load it would be what is measured.
    """

    measured: tuple[str, ...] = ()
    load: tuple[str, ...] = ()

    @classmethod
    def share_out(cls) -> Cores:
        """From the cores that this process may use."""
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2 or shutil.which("taskset") is None:
            return cls()
        return cls(("taskset", "-c", str(cores[0])), ("taskset", "-c", str(cores[-1])))

    def __str__(self) -> str:
        """For the table's head."""
        if not self.measured:
            return "everybody on the same ones"
        return f"the measured process on {self.measured[-1]}, the load on {self.load[-1]}, servers on all"
