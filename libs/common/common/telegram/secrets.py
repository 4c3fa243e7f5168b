"""Secrets at rest: AES-256-GCM, bound to whom they belong, under a key that is named beside them."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.errors import ConfigurationError
from common.ids import BotId
from common.keys import KeyRing

_NONCE = 12  # bytes, NIST SP 800-38D's recommended length


class _Vault:
    """Encrypts with the current key, decrypts with whichever a row names; what is sealed for one purpose opens for no
    other.
    """

    def __init__(self, ring: KeyRing, *, variable: str, what: str) -> None:
        self._ring = ring
        self._variable = variable
        self._what = what

    def _seal(self, purpose: str, secret: str) -> tuple[bytes, str]:
        nonce = os.urandom(_NONCE)
        version = self._ring.current
        sealed = AESGCM(self._ring.keys[version]).encrypt(nonce, secret.encode(), purpose.encode())
        return nonce + sealed, version

    def _open(self, purpose: str, sealed: bytes, version: str) -> str:
        key = self._ring.keys.get(version)
        if key is None:
            raise ConfigurationError(f"{self._variable} lacks key {version}, which {self._what} is encrypted with")
        try:
            return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose.encode()).decode()
        except (InvalidTag, ValueError):
            raise ConfigurationError(
                f"{self._what} does not open: another key under the same name, or a row was changed"
            ) from None


class TokenVault(_Vault):
    """Bots' tokens."""

    def __init__(self, ring: KeyRing) -> None:
        super().__init__(ring, variable="MUSTER_ENCRYPTION_KEYS", what="a bot's token")

    def seal(self, bot_id: BotId, token: str) -> tuple[bytes, str]:
        """(ciphertext, key version); a ciphertext moved to another bot's row does not open."""
        return self._seal(f"bot-token:{bot_id}", token)

    def open(self, bot_id: BotId, sealed: bytes, version: str) -> str:
        """The token; ConfigurationError where the key is missing or the row was tampered with."""
        return self._open(f"bot-token:{bot_id}", sealed, version)


class SigningVault(_Vault):
    """The secrets that sign what webhooks are told, under keys of their own: the ingress makes them, and has none of
    the bots' keys.
    """

    def __init__(self, ring: KeyRing) -> None:
        super().__init__(
            ring.derived("webhook-signing"), variable="MUSTER_WEBHOOK_KEYS", what="a webhook's signing secret"
        )

    @property
    def current(self) -> str:
        """The version that new ones are sealed with."""
        return self._ring.current

    def seal(self, webhook_id: int, secret: str) -> tuple[bytes, str]:
        """As a token, bound to its webhook."""
        return self._seal(f"webhook-signing:{webhook_id}", secret)

    def open(self, webhook_id: int, sealed: bytes, version: str) -> str:
        """The secret; ConfigurationError as for a token."""
        return self._open(f"webhook-signing:{webhook_id}", sealed, version)
