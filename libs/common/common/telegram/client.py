"""The only door to the Bot API: one call, one outcome; paced, traced, and never a token in what it says."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from opentelemetry import trace
from pydantic_core import to_json

from common import clock
from common.ids import BotId
from common.telegram import errors
from common.telegram.errors import Flood, Late, NotSent, TelegramError, Unknown
from common.telegram.floods import Pacer
from common.telemetry import metrics
from common.telemetry.children import child
from common.telemetry.spans import CurrentSpan

_tracer = trace.get_tracer("muster.telegram")
_JSON = {"Content-Type": "application/json"}
_SLOWEST = 512 * 1024  # bytes a second of an upload
_CONNECT = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class BotAccess:
    """Who calls; the token is in no repr."""

    bot_id: BotId
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in memory; its content is in no repr."""

    name: str
    mime: str
    content: bytes = field(repr=False)


def upload_time(size: int, timeout: float) -> float:
    """Seconds that a call with so many bytes of files may take."""
    return timeout + size / _SLOWEST


class BotApi:
    """Opens its connections on first use; `timeout` bounds one call, in seconds."""

    def __init__(self, base_url: str, *, timeout: float, pacer: Pacer) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._patience = aiohttp.ClientTimeout(total=timeout, sock_connect=_CONNECT)
        self._pacer = pacer
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self, bot: BotAccess, method: str, params: Mapping[str, Any] | None = None, *, before: float | None = None
    ) -> Any:
        """The raw `result`; one of `telegram.errors` otherwise. Cancelled in the middle of it, the call is in doubt.

        Late where it is not begun `before` then, by `clock.uptime`: a process or its machine may be stopped
        anywhere, and wake hours later.
        """
        return await self._call(bot, method, params, to_json(params or {}), self._patience, before)

    async def upload(
        self,
        bot: BotAccess,
        method: str,
        params: Mapping[str, Any],
        files: Mapping[str, Upload],
        *,
        before: float | None = None,
    ) -> Any:
        """A call with files, each named in `params` as attach://<name>. Its time grows with their size."""
        form = aiohttp.FormData(quote_fields=False)
        for name, value in params.items():
            form.add_field(name, value if isinstance(value, str) else to_json(value).decode())
        for name, file in files.items():
            # A file object: of bytes aiohttp warns, and it quotes what it can't serialise.
            form.add_field(name, io.BytesIO(file.content), filename=file.name, content_type=file.mime)
        size = sum(len(file.content) for file in files.values())
        patience = aiohttp.ClientTimeout(total=upload_time(size, self._timeout), sock_connect=_CONNECT)
        return await self._call(bot, method, params, form, patience, before)

    async def _call(
        self,
        bot: BotAccess,
        method: str,
        params: Mapping[str, Any] | None,
        body: bytes | aiohttp.FormData,
        patience: aiohttp.ClientTimeout,
        before: float | None,
    ) -> Any:
        chat_id = (params or {}).get("chat_id")
        chat = chat_id if isinstance(chat_id, int) else None
        await self._pacer.wait(bot.bot_id, chat)
        started = time.perf_counter()
        with CurrentSpan(_tracer, f"telegram {method}", trace.SpanKind.CLIENT) as span:
            if span.is_recording():
                span.set_attributes({"rpc.system": "telegram", "rpc.method": method, "muster.bot_id": bot.bot_id})
            late = before is not None and clock.uptime() > before
            answer = Late() if late else await self._exchange(bot, method, body, patience)
            outcome = answer.outcome if isinstance(answer, TelegramError) else "ok"
            child(metrics.TELEGRAM_SECONDS, method, outcome).observe(time.perf_counter() - started)
            if isinstance(answer, TelegramError):
                span.set_attribute("error.type", outcome)
                span.set_status(trace.StatusCode.ERROR)
                if isinstance(answer, Flood):
                    self._pacer.note(bot.bot_id, chat, answer)
                raise answer
            return answer

    async def close(self) -> None:
        """Ends its connections."""
        if self._session is not None:
            await self._session.close()

    async def _exchange(
        self, bot: BotAccess, method: str, body: bytes | aiohttp.FormData, patience: aiohttp.ClientTimeout
    ) -> Any | TelegramError:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=200, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(connector=connector)
        url = f"{self._base_url}/bot{bot.token}/{method}"
        try:
            # A redirect would carry the token elsewhere, and aiohttp follows ten of them.
            async with self._session.post(
                url,
                data=body,
                headers=_JSON if isinstance(body, bytes) else None,
                allow_redirects=False,
                timeout=patience,
            ) as response:
                return errors.outcome(response.status, await response.read(), response.headers.get("Retry-After"))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return NotSent(f"no connection to Telegram ({type(error).__name__})")
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            # After the request was written. Only the type: the text of these quotes the URL and so the token
            # (reliability C2).
            return Unknown(f"no readable answer from Telegram ({type(error).__name__})")
