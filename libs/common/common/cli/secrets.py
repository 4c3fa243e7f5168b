"""`secrets`: makes the master keys that the services are given."""

from __future__ import annotations

import base64
import secrets
import sys
from argparse import Namespace
from typing import Any


def add_verbs(verbs: Any) -> None:
    """To the parser."""
    making = verbs.add_parser(
        "secrets", help="print fresh MUSTER_WEBHOOK_KEYS and MUSTER_ENCRYPTION_KEYS, for a new installation"
    )
    making.set_defaults(run=_make)


async def _make(_: Namespace) -> int:
    sys.stdout.write(f"MUSTER_WEBHOOK_KEYS=1:{secrets.token_hex(32)}\n")
    sys.stdout.write(f"MUSTER_ENCRYPTION_KEYS=k1:{base64.b64encode(secrets.token_bytes(32)).decode()}\n")
    return 0
