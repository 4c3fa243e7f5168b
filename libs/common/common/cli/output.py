"""How a verb speaks: one JSON line a result, for scripts and people alike."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

Run: TypeAlias = Callable[[Namespace], Awaitable[int]]


def tell(**fields: Any) -> None:
    """To standard output; times become ISO strings."""
    sys.stdout.write(json.dumps(fields, default=str, ensure_ascii=False) + "\n")
