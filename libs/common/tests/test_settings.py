"""Settings come from the environment; what is wrong with them is told by the variable's name and never by its value."""

from __future__ import annotations

import pytest
from common.cli.bot import BotSettings
from common.errors import ConfigurationError
from common.settings import DatabaseSettings, TelegramSettings, WorkerSettings

DATABASE, BROKER = "postgresql://u:canary@h/d", "amqp://u:canary@h"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "AMQP_URL", "TELEGRAM_API_URL", "MUSTER_DATABASE_URL", "MUSTER_WEBHOOK_KEYS"):
        monkeypatch.delenv(name, raising=False)


def test_every_missing_variable_is_named_as_it_has_to_be_set() -> None:
    with pytest.raises(ConfigurationError) as missing:
        BotSettings.load()
    text = str(missing.value)
    assert "DATABASE_URL: field required" in text
    assert "MUSTER_WEBHOOK_KEYS: field required" in text
    assert "MUSTER_ENCRYPTION_KEYS: field required" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MUSTER_PREFETCH", "canary"),
        ("MUSTER_PREFETCH", "0"),
        ("MUSTER_GRACE", "-1"),
        ("MUSTER_LOG_LEVEL", "canary"),
        ("MUSTER_HEALTH_PORT", "70000"),
    ],
)
def test_a_wrong_value_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("DATABASE_URL", DATABASE)
    monkeypatch.setenv("AMQP_URL", BROKER)
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as wrong:
        WorkerSettings.load()
    assert f"{name}: " in str(wrong.value)
    assert "canary" not in str(wrong.value)
    assert wrong.value.__cause__ is None
    assert wrong.value.__suppress_context__


@pytest.mark.parametrize("url", ["ftp://x", "https://u:canary@h", "https://h/path", "https://h?x=canary", "canary"])
def test_a_bot_api_url_that_could_leak_or_mislead_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TELEGRAM_API_URL", url)
    with pytest.raises(ConfigurationError) as wrong:
        TelegramSettings.load()
    assert "TELEGRAM_API_URL" in str(wrong.value)
    assert "canary" not in str(wrong.value)


def test_the_plain_name_wins_and_the_prefixed_one_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_DATABASE_URL", "postgresql://prefixed")
    assert DatabaseSettings.load().database_url.get_secret_value() == "postgresql://prefixed"
    monkeypatch.setenv("DATABASE_URL", "postgresql://plain")
    assert DatabaseSettings.load().database_url.get_secret_value() == "postgresql://plain"


def test_no_repr_shows_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", DATABASE)
    monkeypatch.setenv("AMQP_URL", BROKER)
    settings = WorkerSettings.load()
    assert "canary" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_settings_are_not_changed_at_run_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", DATABASE)
    settings = DatabaseSettings.load()
    with pytest.raises(ValueError, match="frozen"):
        settings.database_pool_max = 7  # type: ignore[misc]  # what is tested
