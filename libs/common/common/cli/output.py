"""How a verb speaks, one JSON line a result, for scripts and people alike; and who speaks to it."""

from __future__ import annotations

import getpass
import json
import os
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

Run: TypeAlias = Callable[[Namespace], Awaitable[int]]


def tell(**fields: Any) -> None:
    """To standard output; times become ISO strings."""
    sys.stdout.write(json.dumps(fields, default=str, ensure_ascii=False) + "\n")


def operator() -> str:
    """Who types, for the audit trail; a container's user often has a number and no name."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"
