"""Key rings, and the secrets by which a webhook names and proves its bot."""

from __future__ import annotations

import base64
import re

import pytest
from common.errors import ConfigurationError
from common.ids import BotId
from common.keys import KeyRing, WebhookSecrets
from hypothesis import given
from hypothesis import strategies as st

ONE, TWO = bytes(32), bytes(range(32))
RING = KeyRing({"2": TWO, "1": ONE})
SECRETS = WebhookSecrets(RING)
bots = st.integers(0, 2**63 - 1).map(BotId)


@given(bots)
def test_a_secret_names_its_bot_and_fits_telegrams_alphabet(bot: BotId) -> None:
    secret = SECRETS.secret(bot)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret)
    assert SECRETS.bot(secret.encode()) == bot


def test_during_a_rotation_both_keys_prove() -> None:
    old = WebhookSecrets(KeyRing({"1": ONE})).secret(BotId(7))
    assert SECRETS.bot(old.encode()) == 7
    assert SECRETS.secret(BotId(7)).split("_")[1] == "2"
    assert WebhookSecrets(KeyRing({"2": TWO})).bot(old.encode()) is None


@given(st.binary(max_size=300))
def test_any_other_bytes_prove_nothing(junk: bytes) -> None:
    assert SECRETS.bot(junk) is None


@given(bots, bots, st.integers(0, 80), st.integers(1, 255))
def test_a_secret_with_any_byte_changed_proves_nothing(bot: BotId, other: BotId, at: int, flip: int) -> None:
    secret = bytearray(SECRETS.secret(bot).encode())
    secret[at % len(secret)] ^= flip
    assert SECRETS.bot(bytes(secret)) is None
    foreign = f"{other}_{SECRETS.secret(bot).partition('_')[2]}"
    assert SECRETS.bot(foreign.encode()) == (bot if other == bot else None)


def test_d5_bytes_that_are_no_ascii_are_compared_too() -> None:
    """D5: compare_digest of str raises TypeError at the first such character, which is a 500 for anybody who asks."""
    secret = SECRETS.secret(BotId(7)).encode()
    for odd in (secret[:-1] + "ß".encode(), "ü".encode() + secret, b"7_2_\xff\xfe", "٣_2_x".encode()):
        assert SECRETS.bot(odd) is None


@pytest.mark.parametrize("zeros", [b"0", b"000"])
def test_one_bot_has_one_name(zeros: bytes) -> None:
    assert SECRETS.bot(zeros + SECRETS.secret(BotId(7)).encode()) is None


def test_rings_are_read_in_order() -> None:
    ring = KeyRing.from_hex(f"2:{TWO.hex()}, 1:{ONE.hex()}")
    assert (ring.current, ring.keys) == ("2", {"2": TWO, "1": ONE})
    encoded = base64.b64encode(TWO).decode()
    assert KeyRing.from_base64(f"k1:{encoded}").keys == {"k1": TWO}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "canary",
        "1:",
        ":00",
        "1:canary",
        f"1:{ONE.hex()}ab",
        f"1:{ONE.hex()},",
        f"k_1:{ONE.hex()}",
        f"1:{ONE.hex()[2:]}",
    ],
)
def test_what_is_no_ring_is_refused_by_its_variables_name(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        KeyRing.from_hex(text)
    assert "MUSTER_WEBHOOK_KEYS" in str(refused.value)
    assert "canary" not in str(refused.value)
    with pytest.raises(ConfigurationError, match="MUSTER_ENCRYPTION_KEYS"):
        KeyRing.from_base64(text)


def test_a_repr_shows_versions_only() -> None:
    assert repr(RING) == "KeyRing(2, 1)"
