"""Bot tokens at rest: AES-256-GCM, bound to their bot, under a key that is named beside them."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.errors import ConfigurationError
from common.ids import BotId
from common.keys import KeyRing

_NONCE = 12  # bytes, NIST SP 800-38D's recommended length


class TokenVault:
    """Encrypts with the current key, decrypts with whichever a row names."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def seal(self, bot_id: BotId, token: str) -> tuple[bytes, str]:
        """(ciphertext, key version); a ciphertext moved to another bot's row does not open."""
        nonce = os.urandom(_NONCE)
        version = self._ring.current
        sealed = AESGCM(self._ring.keys[version]).encrypt(nonce, token.encode(), _purpose(bot_id))
        return nonce + sealed, version

    def open(self, bot_id: BotId, sealed: bytes, version: str) -> str:
        """The token; ConfigurationError where the key is missing or the row was tampered with."""
        key = self._ring.keys.get(version)
        if key is None:
            raise ConfigurationError(
                f"MUSTER_ENCRYPTION_KEYS lacks key {version}, which a bot's token is encrypted with"
            )
        try:
            return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], _purpose(bot_id)).decode()
        except (InvalidTag, ValueError):
            raise ConfigurationError(
                "a bot's token does not open: another key under the same name, or a row was changed"
            ) from None


def _purpose(bot_id: BotId) -> bytes:
    return f"bot-token:{bot_id}".encode()
