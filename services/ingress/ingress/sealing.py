"""Makes and seals the secrets of webhooks: cryptography is loaded by the first request that needs it."""

from __future__ import annotations

import base64
import secrets

from common.keys import KeyRing
from common.store.webhooks import Sealed

_BYTES = 32


def new_secret(keys: str, webhook_id: int) -> tuple[str, Sealed]:
    """As Standard Webhooks writes it, and as it is kept; `keys` is MUSTER_WEBHOOK_KEYS."""
    from common.telegram.secrets import SigningVault

    text = f"whsec_{base64.b64encode(secrets.token_bytes(_BYTES)).decode()}"
    return text, Sealed(*SigningVault(KeyRing.from_hex(keys)).seal(webhook_id, text))
