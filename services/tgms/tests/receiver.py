"""Receivers of webhooks: real HTTPS servers on loopback under names of the internet, which check by the receivers' own
library.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import Webhook
from tgms import outbound
from tgms.outbound import Outbound

HANGS = 0  # in the place of a status: no answer


@dataclass
class Receiver:
    """Answers with the next of `answers`, and with the last one again and again."""

    host: str
    secret: str = ""
    answers: list[int | tuple[int, dict[str, str]]] = field(default_factory=lambda: [204])
    got: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    port: int = 0
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """As it is registered."""
        return f"https://{self.host}/in"

    @property
    def ids(self) -> list[str]:
        """What each request was called."""
        return [one["webhook-id"] for one in self.got]

    async def take(self, request: web.Request) -> web.Response:
        """Checked, kept, answered."""
        body = await request.read()
        told = Webhook(self.secret).verify(body, dict(request.headers))
        self.got.append({"webhook-id": request.headers["webhook-id"], "headers": dict(request.headers), **told})
        self.times.append(time.monotonic())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        if status == HANGS:
            self.hanging.set()
            await asyncio.sleep(60)
        return web.Response(status=status or 204, headers=headers)


@asynccontextmanager
async def listening(receivers: Iterable[Receiver], certificate: Path) -> AsyncIterator[None]:
    """Each on a port of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    runners = []
    for receiver in receivers:
        app = web.Application()
        app.router.add_post("/in", receiver.take)
        runners.append(runner := web.AppRunner(app, access_log=None, shutdown_timeout=0.1))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        receiver.port = runner.addresses[0][1]
    yield
    await asyncio.gather(*(runner.cleanup() for runner in runners))


def door(ports: dict[str, int], certificate: Path, patch: pytest.MonkeyPatch, **options: Any) -> Outbound:
    """To loopback, at the port that stands for the name's 443."""

    async def resolve(_: str) -> list[str]:
        return ["127.0.0.1"]

    real: Callable[[str, str, int], ResolveResult] = outbound._result
    patch.setattr(outbound, "_result", lambda host, address, port: real(host, address, ports.get(host, port)))
    return Outbound(resolve=resolve, tls=ssl.create_default_context(cafile=certificate), **options)


def certify(folder: Path, *hosts: str) -> Path:
    """A certificate that signs itself, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file = folder / "receiver.pem"
    file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem))
    return file
