"""Tokens at rest."""

from __future__ import annotations

import base64

import pytest
from common.errors import ConfigurationError
from common.ids import BotId
from common.keys import KeyRing
from common.telegram.secrets import TokenVault
from common.testing.builders import BOT_ID, FAKE_TOKEN


def ring(*versions: str) -> KeyRing:
    keys = {version: base64.b64encode(version.encode().ljust(32, b".")).decode() for version in versions}
    return KeyRing.from_base64(",".join(f"{version}:{key}" for version, key in keys.items()))


def test_a_token_comes_back_and_is_not_in_what_is_stored() -> None:
    vault = TokenVault(ring("k1"))
    sealed, version = vault.seal(BOT_ID, FAKE_TOKEN)
    assert version == "k1"
    assert FAKE_TOKEN.encode() not in sealed
    assert vault.open(BOT_ID, sealed, version) == FAKE_TOKEN
    assert vault.seal(BOT_ID, FAKE_TOKEN)[0] != sealed


def test_an_old_key_still_opens_and_the_new_one_seals() -> None:
    sealed, version = TokenVault(ring("k1")).seal(BOT_ID, FAKE_TOKEN)
    both = TokenVault(ring("k2", "k1"))
    assert both.open(BOT_ID, sealed, version) == FAKE_TOKEN
    assert both.seal(BOT_ID, FAKE_TOKEN)[1] == "k2"


def test_a_row_moved_to_another_bot_does_not_open() -> None:
    vault = TokenVault(ring("k1"))
    sealed, version = vault.seal(BOT_ID, FAKE_TOKEN)
    with pytest.raises(ConfigurationError):
        vault.open(BotId(1), sealed, version)


def test_a_row_that_was_changed_does_not_open() -> None:
    vault = TokenVault(ring("k1"))
    sealed, version = vault.seal(BOT_ID, FAKE_TOKEN)
    with pytest.raises(ConfigurationError):
        vault.open(BOT_ID, sealed[:-1] + bytes([sealed[-1] ^ 1]), version)
    with pytest.raises(ConfigurationError):
        vault.open(BOT_ID, b"", version)


def test_a_missing_key_is_named() -> None:
    sealed, version = TokenVault(ring("k1")).seal(BOT_ID, FAKE_TOKEN)
    with pytest.raises(ConfigurationError, match="MUSTER_ENCRYPTION_KEYS lacks key k1"):
        TokenVault(ring("k2")).open(BOT_ID, sealed, version)
