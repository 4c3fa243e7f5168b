"""API keys as text: `mst_<env>_<id>_<secret><checksum>`. Standard library only, for the ingress starts cold with it."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Final, Self

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET = 43  # letters of 62 hold 256 bits
_CHECKSUM = 6  # letters of 62 hold 32 bits
_ID = 12
_FORM = re.compile(rf"mst_([a-z]{{2,8}})_([0-9A-Za-z]{{{_ID}}})_[0-9A-Za-z]{{{_SECRET + _CHECKSUM}}}")

SCOPES: Final = (
    "messages:write",
    "broadcasts:read",
    "broadcasts:write",
    "schedules:read",
    "schedules:write",
    "groups:read",
    "groups:write",
    "bots:read",
    "bots:write",
    "keys:read",
    "keys:write",
    "webhooks:read",
    "webhooks:write",
    "audit:read",
    "*",
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The whole key is shown once, where it is made; kept is only the digest."""

    env: str
    key_id: str
    text: str = field(repr=False)

    @classmethod
    def new(cls, env: str) -> Self:
        """`env` is a word of 2-8 small letters that tells a reader where the key is good."""
        key_id = _random(_ID)
        body = f"mst_{env}_{key_id}_{_random(_SECRET)}"
        return cls(env, key_id, body + _checksum(body))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None for anything that was never a key, found by its checksum and without a look-up."""
        found = _FORM.fullmatch(text)
        if found is None or _checksum(text[:-_CHECKSUM]) != text[-_CHECKSUM:]:
            return None
        return cls(found[1], found[2], text)

    @property
    def digest(self) -> bytes:
        """A fast hash is enough: there is nothing to guess in 256 random bits."""
        return hashlib.sha256(self.text.encode()).digest()


def grants(scopes: list[str], wanted: str) -> bool:
    """`x:write` holds `x:read`; `*` holds everything."""
    return "*" in scopes or wanted in scopes or wanted.replace(":read", ":write") in scopes


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(text: str) -> str:
    number, letters = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM):
        number, rest = divmod(number, 62)
        letters = _ALPHABET[rest] + letters
    return letters
