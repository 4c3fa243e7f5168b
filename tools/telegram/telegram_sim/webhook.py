"""A bot's webhook: where its updates go and what went wrong lately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DEFAULT_CONNECTIONS = 40  # W3


@dataclass
class Webhook:
    """One setWebhook's worth of settings and the last failure."""

    url: str
    secret_token: str = ""
    max_connections: int = DEFAULT_CONNECTIONS
    last_error_date: int = 0
    last_error_message: str = ""
    attempts: int = 0
    gone_since: float | None = None  # first of an unbroken row of 410 answers (W8)

    def failed(self, message: str, *, now: float) -> None:
        """Notes a failure for getWebhookInfo (W12)."""
        self.last_error_date = int(now)
        self.last_error_message = message

    def info(self) -> dict[str, Any]:
        """The part of WebhookInfo that is the webhook's own."""
        fields: dict[str, Any] = {"url": self.url, "has_custom_certificate": False}
        if self.last_error_date:
            fields |= {"last_error_date": self.last_error_date, "last_error_message": self.last_error_message}
        return fields | {"max_connections": self.max_connections}
