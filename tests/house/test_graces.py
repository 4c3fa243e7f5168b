"""Who says things at Telegram is not stopped in the middle of a call."""

from __future__ import annotations

import pytest
from common.errors import ConfigurationError
from common.settings import SpeakerSettings
from dm.settings import DmSettings
from sender.settings import SenderSettings


@pytest.mark.parametrize("settings", [SenderSettings, DmSettings])
def test_a_grace_that_cuts_calls_off_is_refused(
    settings: type[SpeakerSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "AMQP_URL", "MUSTER_ENCRYPTION_KEYS"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("MUSTER_GRACE", "24")
    with pytest.raises(ConfigurationError, match="MUSTER_GRACE must be 5 s more than MUSTER_TELEGRAM_TIMEOUT"):
        settings.load()
    monkeypatch.setenv("MUSTER_GRACE", "25")
    assert settings.load().grace == 25
