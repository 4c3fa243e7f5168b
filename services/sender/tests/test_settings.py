"""What the sender refuses to start with."""

from __future__ import annotations

import pytest
from common.errors import ConfigurationError
from sender.settings import SenderSettings


def test_a_grace_that_cuts_sends_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a send that is cut off in the middle nobody knows the end."""
    for name in ("DATABASE_URL", "AMQP_URL", "MUSTER_ENCRYPTION_KEYS"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("MUSTER_GRACE", "24")
    with pytest.raises(ConfigurationError, match="MUSTER_GRACE must be 5 s more than MUSTER_TELEGRAM_TIMEOUT"):
        SenderSettings.load()
    monkeypatch.setenv("MUSTER_GRACE", "25")
    assert SenderSettings.load().grace == 25
