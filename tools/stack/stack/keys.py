"""The secrets of one state directory: made once, kept in one file that only its owner reads."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PASSWORDS = ("postgres", "rabbitmq", "cookie")


@dataclass(frozen=True)
class Secrets:
    """Servers' passwords and Muster's master keys."""

    passwords: dict[str, str]
    webhook_keys: str  # "1:<64 hex digits>"
    encryption_keys: str  # "k1:<base64 of 32 bytes>"

    @classmethod
    def of(cls, state: Path) -> Self:
        """That state directory's secrets; the first caller makes them."""
        file = state / "secrets.json"
        if not file.exists():
            _write_once(file, json.dumps(_fresh(), indent=1))
        return cls(**json.loads(file.read_text()))

    def password(self, name: str) -> str:
        """The password of one server."""
        return self.passwords[name]


def _fresh() -> dict[str, object]:
    return {
        "passwords": {name: secrets.token_hex(16) for name in PASSWORDS},
        "webhook_keys": f"1:{secrets.token_hex(32)}",
        "encryption_keys": f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
    }


def _write_once(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as opened:
        opened.write(text)
    try:
        os.link(draft, file)  # fails where another process was first: then its secrets count
    except FileExistsError:
        return
    finally:
        draft.unlink()
