"""The door on a real broker and a real database, both behind proxies that can take them away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from aio_pika.abc import AbstractIncomingMessage
from common import addresses
from common.bus.publisher import Publisher
from common.envelope import Envelope
from common.ids import BotId
from common.keys import KeyRing, WebhookSecrets
from common.queues import DM_QUEUE, TGMS_QUEUE
from common.testing.postgres import Database
from common.testing.rabbitmq import Broker
from common.testing.servers import needed
from common.testing.tcp_proxy import TcpProxy
from ingress.app import create_app
from ingress.backend import Backend
from ingress.webhook import PATH, Webhook
from opentelemetry.trace import Span
from telegram_sim.testing import Simulation

from . import asgi, names
from .api import FIRST, SECOND, TOKEN_KEYS, Api, token_of
from .asgi import alive
from .updates import Update

BOT_ID = BotId(123456789)
OLD_KEY, NEW_KEY = f"1:{'11' * 32}", f"2:{'22' * 32}"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"


def secret(keys: str = NEW_KEY, bot_id: int = BOT_ID) -> str:
    """As setWebhook was given it."""
    return WebhookSecrets(KeyRing.from_hex(keys)).secret(BotId(bot_id))


class Diverted(Publisher):
    """To this test's own queues instead of the real ones."""

    names: Mapping[str, str]

    async def send(self, message: Envelope, *, routing_key: str | None = None, span: Span | None = None) -> None:
        """The envelope still says where the job belongs."""
        await super().send(message, routing_key=self.names[message.queue], span=span)


@dataclass
class Door:
    """Posts updates and looks at what became of them."""

    webhook: Webhook
    publisher: Diverted
    broker: Broker
    db: Database
    queues: dict[str, str]
    to_broker: TcpProxy
    to_database: TcpProxy

    async def post(self, update: Update | bytes, **headers: str | bytes) -> asgi.Answer:
        """As Telegram does, with this bot's secret unless told otherwise."""
        body = update if isinstance(update, bytes) else json.dumps(update).encode()
        return await asgi.request(self.webhook, PATH, headers={SECRET_HEADER: secret(), **headers}, body=body)

    async def job(self, queue: str = DM_QUEUE.name) -> AbstractIncomingMessage:
        """The next one in that queue."""
        return await self.broker.take(self.queues[queue])

    async def waiting(self) -> int:
        """Jobs in all queues."""
        return sum([await self.broker.depth(name) for name in self.queues.values()])

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """Oldest first."""
        async with self.db.transaction() as tx:
            return [dict(row) for row in await tx.fetch(f"SELECT * FROM {table} ORDER BY 1")]  # noqa: S608 (our own names)


@pytest.fixture(scope="session")
def queues() -> Iterator[dict[str, str]]:
    """A queue for each real one; declared once, for a quorum queue with its ladder takes longer than a test."""

    async def declare() -> dict[str, str]:
        broker = Broker(needed("AMQP_URL"))
        return {queue.name: (await broker.queue(queue)).name for queue in (DM_QUEUE, TGMS_QUEUE)}

    async def delete(names: Iterable[str]) -> None:
        async with Broker(needed("AMQP_URL")) as broker:
            for name in names:
                await broker.delete(name)

    names = asyncio.run(declare())
    yield names
    asyncio.run(delete(names.values()))


@pytest.fixture
async def door(
    db: Database, broker: Broker, queues: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Door]:
    """Open, with nothing connected yet."""
    for name in queues.values():
        await broker.purge(name)
    async with TcpProxy.before(broker.url) as to_broker, TcpProxy.before(db.url) as to_database:
        monkeypatch.setenv("AMQP_URL", to_broker.through(broker.url))
        monkeypatch.setenv("DATABASE_URL", to_database.through(db.url))
        monkeypatch.setenv("MUSTER_WEBHOOK_KEYS", f"{NEW_KEY},{OLD_KEY}")
        monkeypatch.setenv("MUSTER_ENCRYPTION_KEYS", f"k1:{'A' * 43}=")
        monkeypatch.setenv("MUSTER_DATABASE_TIMEOUT", "0.5")
        backend = Backend()
        backend.publisher = publisher = Diverted(to_broker.through(broker.url), "muster-test", timeout=1.0)
        publisher.names = queues
        yield Door(Webhook(backend), publisher, broker, db, queues, to_broker, to_database)
        to_broker.heal()
        to_database.heal()
        await backend.publisher.close()
        await backend.pool.close()


@pytest.fixture
async def telegram(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulation]:
    """A simulated one that the ingress talks to, with two bots in it."""
    async with Simulation() as running:
        for bot_id in (FIRST, SECOND):
            await running.admin("POST", "bots", token=token_of(bot_id), username=f"bot{bot_id}", first_name="Muster")
        monkeypatch.setenv("TELEGRAM_API_URL", running.url)
        monkeypatch.setenv("MUSTER_PUBLIC_URL", "http://127.0.0.1:1")
        yield running


@pytest.fixture
async def api(db: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """The whole application on a real database, with a key that may do everything and no bot yet."""
    monkeypatch.setenv("AMQP_URL", "amqp://127.0.0.1:1")
    monkeypatch.setenv("DATABASE_URL", db.url)
    monkeypatch.setenv("MUSTER_WEBHOOK_KEYS", NEW_KEY)
    monkeypatch.setenv("MUSTER_ENCRYPTION_KEYS", TOKEN_KEYS)
    monkeypatch.setattr(addresses, "resolve", names.resolve)
    app = create_app()
    async with alive(app), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://muster") as client:
        found = Api(client, db)
        found.key = await found.make_key("*", burst=1000)
        yield found
