"""A brain that only tells webhooks, as a process that can be killed: <database> <certificate> <host>=<port>…"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from common.keys import KeyRing
from common.telegram.secrets import SigningVault
from common.testing.postgres import make_pool
from tgms.hooks import Hooks
from tgms.leader import Leader

sys.path.insert(0, str(Path(__file__).parent))

from receiver import door

KEYS = f"1:{'11' * 32}"


async def main() -> None:
    """Until it is killed."""
    url, certificate, *pairs = sys.argv[1:]
    ports = {host: int(port) for host, _, port in (pair.partition("=") for pair in pairs)}
    pool, stop = make_pool(url), asyncio.Event()
    leader = Leader(pool, ttl=1)
    vault = SigningVault(KeyRing.from_hex(KEYS))
    out = door(ports, Path(certificate), pytest.MonkeyPatch())
    hooks = Hooks(pool, leader, vault, out, hold=timedelta(seconds=2))
    await asyncio.gather(leader.run(stop), hooks.run(stop))


if __name__ == "__main__":
    asyncio.run(main())
