"""Key rings and the webhook secrets derived from them: standard library only, so that the ingress starts cold with
it.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from common.errors import ConfigurationError
from common.ids import BotId


@dataclass(frozen=True)
class KeyRing:
    """Keys by version, the first one current: new things are made with it, the others stay valid until taken out."""

    keys: dict[str, bytes]

    @property
    def current(self) -> str:
        """The version that new things are made with."""
        return next(iter(self.keys))

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """`2:<hex>,1:<hex>`; ConfigurationError without a word of the keys themselves."""
        return cls(_parse(text, bytes.fromhex, "MUSTER_WEBHOOK_KEYS", "hex"))

    @classmethod
    def from_base64(cls, text: str) -> Self:
        """`k2:<base64>,k1:<base64>`; ConfigurationError without a word of the keys themselves."""
        return cls(_parse(text, partial(base64.b64decode, validate=True), "MUSTER_ENCRYPTION_KEYS", "base64"))

    def derived(self, purpose: str) -> Self:
        """Keys for that purpose alone, under the same versions: they tell nothing of these."""
        return type(self)(
            {version: hmac.digest(key, f"derived:{purpose}".encode(), "sha256") for version, key in self.keys.items()}
        )

    def __repr__(self) -> str:
        """Versions only."""
        return f"KeyRing({', '.join(self.keys)})"


class WebhookSecrets:
    """Names and proves a bot without a look-up: `<bot_id>_<key_version>_<base64url HMAC-SHA256>`.

    Fits Telegram's alphabet for secret_token, 1-256 of A-Za-z0-9_- (Bot API, setWebhook).
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    @property
    def current(self) -> str:
        """The version of the key that `secret` uses."""
        return self._ring.current

    def secret(self, bot_id: BotId) -> str:
        """What setWebhook is given: made with the current key."""
        return self._derive(bot_id, self._ring.current)

    def bot(self, secret: bytes) -> BotId | None:
        """The bot that this header proves; None for any other bytes, in the same time wherever they differ."""
        name, _, rest = secret.partition(b"_")
        version, _, _ = rest.partition(b"_")
        if not (name.isdigit() and len(name) <= 19 and version.isalnum()):
            return None
        bot_id, key_version = BotId(int(name)), version.decode("ascii", "replace")
        if key_version not in self._ring.keys:
            return None
        return bot_id if hmac.compare_digest(secret, self._derive(bot_id, key_version).encode()) else None

    def _derive(self, bot_id: BotId, version: str) -> str:
        digest = hmac.digest(self._ring.keys[version], f"webhook:{bot_id}:{version}".encode(), "sha256")
        return f"{bot_id}_{version}_{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _parse(text: str, decode: Callable[[str], bytes], variable: str, alphabet: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for part in text.split(","):
        version, colon, value = part.strip().partition(":")
        try:
            key = decode(value)
        except ValueError:
            key = b""
        if not (colon and version.isalnum() and len(key) == 32):
            raise ConfigurationError(
                f"{variable} is `version:<32 bytes in {alphabet}>`, several with commas: `python -m common secrets`"
            )
        keys[version] = key
    return keys
