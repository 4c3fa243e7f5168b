"""Which addresses of the world outside may be called: public https ones, wherever their names lead at that moment."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from threading import Semaphore, Thread
from typing import Any, Final

MAX_LENGTH: Final = 2048
_HTTPS = re.compile(r"https://(?P<host>[A-Za-z0-9.-]+)(?::443)?(?:[/?][!-~]*)?")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_PRIVATE: Final = frozenset(
    {"local", "localhost", "localdomain", "internal", "intranet", "lan", "home", "corp", "private", "arpa", "onion",
     "test", "example", "invalid", "svc", "cluster"}
)  # fmt: skip
_NAT64: Final = IPv6Network("64:ff9b::/96")
_TUNNELS: Final = (IPv6Network("2002::/16"), IPv6Network("2001::/32"), IPv6Network("::/96"), IPv6Network("fec0::/10"))


class NameThreads(Executor):
    """For look-ups, which can't be stopped: `most` at once, then OSError; nothing else waits for a name that hangs.

    Daemons, each for one look-up: the interpreter would wait for a pool's threads at its end.
    """

    def __init__(self, most: int) -> None:
        self._free = Semaphore(most)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Never waits."""
        if not self._free.acquire(blocking=False):
            raise OSError("too many names are being looked up")
        found = Future[Any]()
        found.set_running_or_notify_cancel()  # who gives up waiting cancels nothing
        Thread(target=self._work, args=(found, partial(fn, *args, **kwargs)), name="a name", daemon=True).start()
        return found

    def _work(self, found: Future[Any], look_up: Callable[[], Any]) -> None:
        try:
            found.set_result(look_up())
        except BaseException as error:  # noqa: BLE001 (whoever waits has it)
            found.set_exception(error)
        finally:
            self._free.release()


def public_https(url: str) -> str:
    """The same; ValueError says what is wrong without repeating it."""
    found = _HTTPS.fullmatch(url) if len(url) <= MAX_LENGTH and not set(url) & set('\\<>"`{}|^') else None
    if found is None:
        raise ValueError("must be an https address without user, port or spaces")
    labels = found["host"].lower().split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("must name a public host")
    # A last label that begins with a digit makes the whole an address in numbers: 127.1, 0x7f.1.
    if labels[-1][0].isdigit() or labels[-1] in _PRIVATE:
        raise ValueError("must name a public host")
    return url


def host_of(url: str) -> str:
    """Of an address that `public_https` let through."""
    found = _HTTPS.fullmatch(url)
    return found["host"].lower() if found else ""


def is_public(text: str) -> bool:
    """Whether an IP address is one of the internet's, also where it wraps another one."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return _is_public(address)


async def resolve(host: str, threads: NameThreads) -> list[str]:
    """The host's addresses, each once; OSError where there are none to be had. Its caller bounds the time."""
    # With its last dot, without which a cluster's search domains are tried as well.
    look_up = partial(socket.getaddrinfo, f"{host}.", 443, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(threads, look_up)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def resolve_public(host: str, threads: NameThreads) -> list[str]:
    """As `resolve`; ValueError where any of them is not public: one that is and one that is not is somebody's trick."""
    found = await resolve(host, threads)
    if not found or not all(is_public(address) for address in found):
        raise ValueError("its host has an address that is not public")
    return found


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if address in _NAT64:
            return _is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.scope_id is not None or any(address in tunnel for tunnel in _TUNNELS):
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
