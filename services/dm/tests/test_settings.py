"""What the voice refuses to start with."""

from __future__ import annotations

import pytest
from common.errors import ConfigurationError
from dm.settings import DmSettings


def test_a_grace_that_cuts_calls_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is cut off in the middle is said once more by the next worker."""
    for name in ("DATABASE_URL", "AMQP_URL", "MUSTER_ENCRYPTION_KEYS"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("MUSTER_GRACE", "24")
    with pytest.raises(ConfigurationError, match="MUSTER_GRACE must be 5 s more than MUSTER_TELEGRAM_TIMEOUT"):
        DmSettings.load()
    monkeypatch.setenv("MUSTER_GRACE", "25")
    assert DmSettings.load().grace == 25
