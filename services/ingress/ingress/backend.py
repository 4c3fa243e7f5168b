"""What a request needs of the world, opened on its first use and kept while the instance lives."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from functools import cached_property

from common.addresses import NameThreads
from common.bus.publisher import Publisher
from common.keys import KeyRing, WebhookSecrets
from common.store.pool import Pool

from ingress.settings import IngressSettings


@dataclass
class Backend:
    """Made on the running loop; settings are read when something is first asked of it."""

    @cached_property
    def settings(self) -> IngressSettings:
        """ConfigurationError where they can't be used: requests are answered 503, the import is not touched."""
        return IngressSettings.load()

    @cached_property
    def secrets(self) -> WebhookSecrets:
        """Which bot a webhook's header proves."""
        return WebhookSecrets(KeyRing.from_hex(self.settings.webhook_keys.get_secret_value()))

    @cached_property
    def token_keys(self) -> KeyRing | None:
        """What bots' tokens are encrypted with; None where this ingress is not trusted with them."""
        keys = self.settings.encryption_keys
        return KeyRing.from_base64(keys.get_secret_value()) if keys else None

    @cached_property
    def pool(self) -> Pool:
        """Connects on first use."""
        settings = self.settings
        url = settings.database_url.get_secret_value()
        return Pool(url, name="muster-ingress", max_size=settings.database_pool_max, timeout=settings.database_timeout)

    @cached_property
    def publisher(self) -> Publisher:
        """Connects on first use."""
        url = self.settings.amqp_url.get_secret_value()
        return Publisher(url, "muster-ingress", timeout=self.settings.publish_timeout)

    @cached_property
    def slots(self) -> asyncio.Semaphore:
        """How many webhooks are handled at once: an instance takes any number otherwise."""
        return asyncio.Semaphore(self.settings.max_concurrent)

    @cached_property
    def names(self) -> NameThreads:
        """For hosts that clients name; the loop's own threads find the database and the broker."""
        return NameThreads(8)

    def check(self) -> None:
        """ConfigurationError for the first setting that can't be used; connects to nothing."""
        _ = (self.settings, self.secrets, self.token_keys, self.pool, self.publisher)

    async def close(self) -> None:
        """Only what was opened; within the platform's 500 ms."""
        opened = [self.__dict__[name] for name in ("publisher", "pool") if name in self.__dict__]
        with contextlib.suppress(TimeoutError):  # what hangs is cut by the end of the process
            await asyncio.wait_for(asyncio.gather(*(each.close() for each in opened), return_exceptions=True), 0.4)
