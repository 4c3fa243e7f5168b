"""Free ports on the loopback, chosen once and remembered."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
BELOW_EPHEMERAL: Final = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """That many different ports that nobody listens on.

    From below the range that the kernel gives to outgoing connections: one of those could take the port before its
    server does. At random, so that two checkouts that start together do not choose the same.
    """
    numbers = random.SystemRandom().sample(BELOW_EPHEMERAL, len(BELOW_EPHEMERAL))
    return list(islice(filter(is_free, numbers), count))


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def remembered(file: Path, names: Iterable[str]) -> Mapping[str, int]:
    """A port for each name: last time's where it is still free, so that bookmarks and shells keep working."""
    saved: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    kept = {name: port for name, port in saved.items() if is_free(port)}
    missing = [name for name in names if name not in kept]
    chosen = kept | dict(zip(missing, free_ports(len(missing)), strict=True))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(saved | chosen, indent=1))
    return chosen
