"""Asked of a process of its own: the pace is the whole interpreter's."""

from __future__ import annotations

import subprocess
import sys

LOOK = """
import gc
from common import heap
before = gc.get_freeze_count()
heap.settle()
print(gc.get_freeze_count() - before > 1_000, gc.get_threshold()[0])
"""


def test_what_is_imported_is_not_searched_again() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "5000"]
