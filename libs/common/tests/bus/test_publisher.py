"""Publishing against a real broker, straight and through a network that fails."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from common.bus import publisher as publishing
from common.bus.publisher import Publisher
from common.errors import BrokerUnavailable, Unroutable
from common.ids import JobId
from common.jobs import ProcessPrivateMessage
from common.queues import DM_QUEUE, Queue
from common.testing.builders import make_envelope, make_private_job
from common.testing.polling import eventually
from common.testing.rabbitmq import Broker
from common.testing.tcp_proxy import TcpProxy
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TIMEOUT = 1.0  # seconds for both attempts
JOB = make_private_job()


@pytest.fixture
async def queue(broker: Broker) -> Queue[ProcessPrivateMessage]:
    return await broker.queue(DM_QUEUE)


@pytest.fixture
async def proxy(broker: Broker) -> AsyncIterator[TcpProxy]:
    async with TcpProxy.before(broker.url) as between:
        yield between


@pytest.fixture
async def publisher(broker: Broker, proxy: TcpProxy) -> AsyncIterator[Publisher]:
    ours = Publisher(proxy.through(broker.url), "test", timeout=TIMEOUT)
    yield ours
    await ours.close()


@pytest.fixture
async def patient(broker: Broker, proxy: TcpProxy) -> AsyncIterator[Publisher]:
    """Takes no broker for dead that other tests keep busy."""
    ours = Publisher(proxy.through(broker.url), "test", timeout=10 * TIMEOUT)
    yield ours
    await ours.close()


async def test_what_is_confirmed_is_in_the_queue_with_its_envelope(
    broker: Broker, queue: Queue[ProcessPrivateMessage], publisher: Publisher
) -> None:
    await publisher.publish(queue, JOB, job_id=JobId("tg:1:2"))
    message = await broker.take(queue.name)
    assert queue.adapter.validate_json(message.body) == JOB
    assert message.type == JOB.kind
    assert message.delivery_mode == 2
    assert message.content_type == "application/json"
    assert message.timestamp is not None
    headers = dict(message.headers)
    published = headers.pop("published_ms")
    assert isinstance(published, int)
    assert abs(published / 1000 - time.time()) < 60
    headers.pop("x-delivery-count", None)  # the broker's own
    headers.pop("traceparent", None)  # where another test turned tracing on
    assert headers == {"job_id": "tg:1:2", "attempt": 1, "queue": queue.name, "x-schema": 1}


async def test_a_queue_that_is_missing_is_said_at_once(publisher: Publisher) -> None:
    with pytest.raises(Unroutable):
        await publisher.send(make_envelope(queue="nobody.listens"))


@pytest.mark.parametrize("size", [0, 1, 131_063, 131_064, 131_065, 262_128, 1024 * 1024, 3 * 1024 * 1024])
async def test_bodies_of_any_size_arrive_whole(
    broker: Broker, queue: Queue[ProcessPrivateMessage], publisher: Publisher, size: int
) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    await publisher.send(make_envelope(queue=queue.name, body=body[:size]))
    assert (await broker.take(queue.name)).body == body[:size]


async def test_hundreds_at_once_share_one_connection(
    broker: Broker, queue: Queue[ProcessPrivateMessage], patient: Publisher, proxy: TcpProxy
) -> None:
    await asyncio.gather(*(patient.send(make_envelope(queue=queue.name)) for _ in range(300)))
    await eventually(lambda: is_depth(broker, queue.name, 300))
    assert proxy.accepted == 1


async def test_a_caller_that_gives_up_does_not_disturb_the_others(
    broker: Broker, queue: Queue[ProcessPrivateMessage], patient: Publisher, proxy: TcpProxy
) -> None:
    await patient.ping()
    sends = [asyncio.create_task(patient.send(make_envelope(queue=queue.name))) for _ in range(100)]
    await asyncio.sleep(0)  # written, and not yet confirmed
    sends[0].cancel()
    results = await asyncio.gather(*sends, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert set(results[1:]) == {None}
    assert proxy.accepted == 1
    await eventually(lambda: is_depth(broker, queue.name, 100))


async def test_after_a_reset_the_second_attempt_has_a_fresh_connection(
    broker: Broker, queue: Queue[ProcessPrivateMessage], publisher: Publisher, proxy: TcpProxy
) -> None:
    await publisher.send(make_envelope(queue=queue.name))
    proxy.freeze("up")
    waiting = asyncio.create_task(publisher.send(make_envelope(queue=queue.name)))
    await asyncio.sleep(0)
    proxy.heal()
    proxy.reset()
    await waiting
    assert proxy.accepted == 2
    assert await broker.depth(queue.name) >= 2


@pytest.mark.parametrize("directions", [("up",), ("down",), ("up", "down")], ids="-".join)
async def test_a_peer_that_went_silent_costs_the_time_box_and_no_more(
    publisher: Publisher, proxy: TcpProxy, queue: Queue[ProcessPrivateMessage], directions: tuple[str, ...]
) -> None:
    await publisher.send(make_envelope(queue=queue.name))
    proxy.freeze(*directions)  # type: ignore[arg-type]
    started = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        await publisher.send(make_envelope(queue=queue.name))
    assert time.monotonic() - started < TIMEOUT + 1
    assert proxy.accepted == 2
    proxy.heal()
    await publisher.send(make_envelope(queue=queue.name))


async def test_a_slow_broker_keeps_its_connection(
    publisher: Publisher, proxy: TcpProxy, queue: Queue[ProcessPrivateMessage]
) -> None:
    await publisher.ping()
    proxy.delay = 0.1
    await asyncio.gather(*(publisher.send(make_envelope(queue=queue.name)) for _ in range(5)))
    assert proxy.accepted == 1


async def test_a_broker_that_is_away_is_said_at_once_and_found_again(
    broker: Broker, queue: Queue[ProcessPrivateMessage], publisher: Publisher, proxy: TcpProxy
) -> None:
    proxy.refuse = True
    started = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        await publisher.send(make_envelope(queue=queue.name))
    assert time.monotonic() - started < TIMEOUT / 2
    proxy.heal()
    await publisher.send(make_envelope(queue=queue.name))
    assert await broker.depth(queue.name) == 1


async def test_a_port_where_nobody_listens() -> None:
    nobody = Publisher("amqp://guest:guest@127.0.0.1:1/", "test", timeout=TIMEOUT)
    with pytest.raises(BrokerUnavailable, match="no connection to the broker: ConnectionRefusedError"):
        await nobody.send(make_envelope())
    with pytest.raises(BrokerUnavailable):
        await nobody.ping()


async def test_a_wrong_password_is_in_no_message(broker: Broker) -> None:
    host = broker.url.rpartition("@")[2]
    stranger = Publisher(f"amqp://guest:canary@{host}", "test", timeout=TIMEOUT)
    with pytest.raises(BrokerUnavailable) as refused:
        await stranger.send(make_envelope())
    assert "canary" not in str(refused.value)


async def test_ping_gives_up_in_time(publisher: Publisher, proxy: TcpProxy) -> None:
    proxy.freeze()
    with pytest.raises(BrokerUnavailable):
        await publisher.ping()


async def test_after_close_nothing_is_left_open(publisher: Publisher, proxy: TcpProxy) -> None:
    await publisher.ping()
    await publisher.close()
    await eventually(lambda: proxy.connections == 0)


async def test_an_idle_connection_without_heartbeats_is_replaced_before_use(
    publisher: Publisher, proxy: TcpProxy, queue: Queue[ProcessPrivateMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    await publisher.send(make_envelope(queue=queue.name))
    monkeypatch.setattr(publishing, "HEARTBEAT", 0.001)  # as if the process had been frozen for longer than that
    await asyncio.sleep(0.01)
    await publisher.send(make_envelope(queue=queue.name))
    assert proxy.accepted == 2


async def test_amqps_is_verified_against_ssl_cert_file(
    broker: Broker, queue: Queue[ProcessPrivateMessage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, ca = certificate(tmp_path)
    async with TcpProxy.before(broker.url, tls=server) as proxy:
        url = proxy.through(broker.url, host="localhost").replace("amqp://", "amqps://")
        stranger = Publisher(url, "test", timeout=TIMEOUT)
        with pytest.raises(BrokerUnavailable, match="SSLCertVerificationError"):
            await stranger.send(make_envelope(queue=queue.name))
        monkeypatch.setenv("SSL_CERT_FILE", str(ca))
        trusting = Publisher(url, "test", timeout=TIMEOUT)
        await trusting.send(make_envelope(queue=queue.name, body=b"x" * 500_000))
        await trusting.close()
    assert len((await broker.take(queue.name)).body) == 500_000


async def is_depth(broker: Broker, name: str, depth: int) -> bool:
    return await broker.depth(name) == depth


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for localhost, and the file of the authority that signed it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "ca.pem"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private = folder / "key.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return context, pem
