"""The only door to addresses that clients chose: https, public at the moment of the call, no redirects, no cookies."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from common.addresses import NameThreads, public_https, resolve_public

from tgms.rules.telling import Answer

TIMEOUT = 10.0  # seconds for one request, from the look-up of the name to the answer's first bytes
_NAMES = 100  # look-ups at once: about as many as there may be webhooks, each of which has one at a time
Resolve = Callable[[str], Awaitable[list[str]]]


class Outbound:
    """Opens its session on first use; every request has a connection of its own, so that each looks anew."""

    def __init__(
        self, *, timeout: float = TIMEOUT, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._resolver = Pinned(resolve or partial(resolve_public, threads=NameThreads(_NAMES)))
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Never raises for what the other side does; of its answer only the status is read."""
        try:
            public_https(url)  # it was when it was registered; whoever can write rows is not trusted with the network
        except ValueError:
            return Answer(None, "its url can't be used")
        try:
            async with self._opened().post(url, data=body, headers=headers, allow_redirects=False) as response:
                return Answer(response.status, retry_after=_seconds(response.headers.get("Retry-After")))
        except Refused:
            return Answer(None, "its host is not public")
        except TimeoutError:
            return Answer(None, "no answer in time")
        except aiohttp.ClientConnectorDNSError:
            return Answer(None, "its host is not known")
        except (aiohttp.ClientSSLError, ssl.SSLError, ssl.CertificateError):
            return Answer(None, "TLS failed")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(None, f"no connection ({type(error).__name__})")  # the text of these quotes the address

    async def aclose(self) -> None:
        """Ends every connection."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0, force_close=True, use_dns_cache=False, resolver=self._resolver, ssl=self._tls or True
            )
            # trust_env stays False: a proxy would look up the name itself, and go wherever that leads.
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                max_line_size=8190,
            )
        return self._session


class Refused(Exception):  # noqa: N818 (a fact)
    """A name that leads to an address that is not public."""


class Pinned(AbstractResolver):
    """aiohttp connects to what this answers and to nothing else: what is checked is what is called.

    One look-up a name at a time, whoever waits for it: a thread that hangs can't be stopped.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._running: dict[str, asyncio.Task[list[str]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """OSError for a name that is not known, Refused for one that leads inside."""
        try:
            found = await asyncio.shield(self._look_up(host))
        except ValueError:
            raise Refused from None
        return [_result(host, address, port) for address in found]

    def _look_up(self, host: str) -> asyncio.Task[list[str]]:
        task = self._running.get(host)
        if task is None:
            task = self._running[host] = asyncio.create_task(_listed(self._resolve(host)))
            task.add_done_callback(lambda done: self._forget(host, done))
        return task

    def _forget(self, host: str, done: asyncio.Task[list[str]]) -> None:
        del self._running[host]
        if not done.cancelled():
            done.exception()  # whoever waited has it; nobody may be left

    async def close(self) -> None:
        """Nothing is open."""


async def _listed(found: Awaitable[list[str]]) -> list[str]:
    return await found


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=numeric)


def _seconds(header: str | None) -> float:
    """Only the form in seconds; a date's would trust another clock."""
    return float(header) if header and header.isascii() and header.isdigit() and len(header) < 7 else 0.0
