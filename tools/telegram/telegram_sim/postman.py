"""Posts one body to a webhook over kept-alive connections and says what came back."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from telegram_sim.clock import Clock
from telegram_sim.webhook import Webhook

ANSWER_TIMEOUT = 60  # seconds without an answer that count as a failure (W5)
KEEP_ALIVE = 50  # seconds an idle connection stays open
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 the header's name is no secret
BODY_CAP = 1 << 20  # bytes read of an answer


@dataclass(frozen=True)
class Answer:
    """What a webhook said; status 0 when it said nothing, and then the connection is lost too."""

    status: int
    error: str = ""
    retry_after: int = 0
    body: bytes = b""
    keeps_connection: bool = True

    @property
    def ok(self) -> bool:
        """Only 2xx counts; a redirect is a failure."""
        return 200 <= self.status <= 299


class Postman:
    """One HTTP client for all webhooks."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.answer_timeout: float = ANSWER_TIMEOUT
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE)
        self.session = aiohttp.ClientSession(connector=connector, skip_auto_headers=["User-Agent", "Accept"])

    async def close(self) -> None:
        """Closes all connections."""
        await self.session.close()

    async def post(self, hook: Webhook, body: bytes) -> Answer:
        """One delivery attempt."""
        headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip, deflate"}
        if hook.secret_token:
            headers[SECRET_HEADER] = hook.secret_token
        timeout = aiohttp.ClientTimeout(total=self.clock.real(self.answer_timeout))
        try:
            async with self.session.post(
                hook.url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                return await read_answer(response)
        except TimeoutError:
            return Answer(0, "Read timeout expired", keeps_connection=False)
        except aiohttp.ClientConnectorDNSError:
            return Answer(0, "Failed to resolve host: Name or service not known", keeps_connection=False)
        except aiohttp.ClientConnectorError:
            return Answer(0, "Connection refused", keeps_connection=False)
        except (aiohttp.ClientError, ValueError) as error:
            return Answer(0, f"Connection closed: {type(error).__name__}", keeps_connection=False)


async def read_answer(response: aiohttp.ClientResponse) -> Answer:
    """The status, Retry-After and the body's beginning."""
    body = await response.content.read(BODY_CAP)
    after = response.headers.get("Retry-After", "")
    return Answer(
        response.status,
        error="" if response.ok else f"Wrong response from the webhook: {response.status} {response.reason}",
        retry_after=int(after) if after.isdecimal() else 0,
        body=body,
        keeps_connection=response.headers.get("Connection", "").lower() != "close",
    )
