"""The whole system as processes on servers of its own, and this test process as its collector."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from common.ids import BotId
from common.keys import KeyRing, WebhookSecrets
from common.store.pool import Pool
from common.testing.otlp import OtlpCollector, ReceivedSpan
from common.testing.polling import eventually
from stack import http, verbs
from stack.keeper import Keeper
from stack.keys import Secrets
from stack.ports import LOOPBACK, free_ports
from stack.servers import Servers, Wish, start
from stack.services import SERVICES, Instance, Services
from stack.telegram import Simulator, start_simulator

PATH: Final = "/api/webhooks/telegram"
SECRET_HEADER: Final = "X-Telegram-Bot-Api-Secret-Token"


class Background:
    """An event loop of its own: session-wide things must not live on one test's."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="background", daemon=True)
        self._thread.start()

    def run(self, work: Any) -> Any:
        """The coroutine's result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def stop(self) -> None:
        """And what ran on it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@dataclass
class House:
    """Drives people in Telegram, and looks at everything that the system lets out."""

    servers: Servers
    services: Services
    simulator: Simulator
    collector: OtlpCollector
    secrets: Secrets
    logs: Path
    bot: dict[str, Any]
    instances: dict[str, Instance]
    ingress_metrics: int  # the port on which Prometheus, and nobody else, asks the ingress

    @property
    def ingress(self) -> str:
        """Where it listens."""
        return self.instances["ingress"].url

    @property
    def webhook_secret(self) -> str:
        """As Telegram was given it."""
        return WebhookSecrets(KeyRing.from_hex(self.secrets.webhook_keys)).secret(BotId(self.bot["id"]))

    def admin(self, method: str, path: str, **body: Any) -> Any:
        """The simulated Telegram's admin API."""
        return http.call(method, f"{self.simulator.url}/admin/{path}", None if method == "GET" else body)

    def writes(self, user: int, text: str, **content: Any) -> int:
        """A user writes to the bot; the update's id."""
        answer = self.admin("POST", "messages", bot_id=self.bot["id"], user_id=user, text=text, **content)
        return int(answer["update_ids"][str(self.bot["id"])])

    def calls(self, user: int) -> list[dict[str, Any]]:
        """What the bot did to that user."""
        found: list[dict[str, Any]] = self.admin("GET", f"effects?bot_id={self.bot['id']}&chat_id={user}")["effects"]
        return found

    def texts(self, user: int) -> list[str]:
        """What the bot said, in order."""
        return [c["params"]["text"] for c in self.calls(user) if c["method"] == "sendMessage" and c["status"] == "ok"]

    async def said(self, user: int, count: int, *, within: float = 15) -> list[str]:
        """Once the bot has said that much."""

        def enough() -> list[str]:
            found = self.texts(user)
            return found if len(found) >= count else []

        return await eventually(enough, within=within, what=f"{count} messages to {user}")

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        """Somebody posts to the webhook, with the right secret unless told otherwise."""
        wanted = {SECRET_HEADER: self.webhook_secret, **headers}
        return httpx.post(self.ingress + PATH, content=body, headers=wanted, trust_env=False, timeout=10)

    async def trace(self, trace_id: str, *services: str) -> list[ReceivedSpan]:
        """Once spans of those services have arrived and no parent is missing."""

        def whole() -> list[ReceivedSpan]:
            spans = self.collector.of_trace(trace_id)
            known = {span.span_id for span in spans} | {""}
            complete = {s.service for s in spans} >= set(services) and all(s.parent_id in known for s in spans)
            return spans if complete else []

        return await eventually(whole, within=10, what=f"trace {trace_id} over {services}")

    async def group_of(self, chat_id: int) -> int:
        """The id under which a chat has registered itself."""

        async def found() -> int | None:
            rows = await self.rows(f"SELECT group_id FROM groups WHERE chat_id = {chat_id}")  # noqa: S608 (an int)
            return int(rows[0]["group_id"]) if rows else None

        return await eventually(found, what=f"the group of chat {chat_id}")

    async def rows(self, query: str) -> list[dict[str, Any]]:
        """Of the system's database."""
        pool = Pool(self.servers.database_url, name="muster-e2e", max_size=1, timeout=5)
        try:
            async with pool.transaction("look") as tx:
                return [dict(row) for row in await tx.fetch(query)]
        finally:
            await pool.close()

    def log(self, name: str) -> str:
        """All that a process has written."""
        return (self.logs / f"{name}.log").read_text()

    def metrics(self, instance: Instance) -> str:
        """What Prometheus reads of a worker."""
        return httpx.get(f"{instance.url}/metrics", trust_env=False).text

    @contextmanager
    def deaf_collector(self) -> Iterator[str]:
        """An endpoint that takes connections and never answers."""
        with socket.create_server((LOOPBACK, 0)) as listening:
            yield f"http://{LOOPBACK}:{listening.getsockname()[1]}"

    def restored(self) -> None:
        """Everything runs again, whatever a test did."""
        self.admin("DELETE", "faults")
        for server in (self.servers.postgres, self.servers.rabbitmq):
            if not server.pids():
                server.start()
        for instance in self.services.dead():
            if instance in self.instances.values():
                self.services.restart(instance)
        self.services.wait_ready(list(self.instances.values()))


@contextmanager
def opened(folder: Path) -> Iterator[House]:
    """From nothing to a bot that answers; nothing is left of it."""
    background, collector = Background(), OtlpCollector()
    background.run(collector.__aenter__())
    try:
        with Keeper(folder / "run") as keeper:
            keeper.warden.remove(folder)  # also after kill -9 of this process
            yield _build(folder, keeper, collector)
    finally:
        background.run(collector.__aexit__(None, None, None))
        background.stop()


def _build(folder: Path, keeper: Keeper, collector: OtlpCollector) -> House:
    ports = dict(zip((*SERVICES, "telegram", "metrics"), free_ports(len(SERVICES) + 2), strict=True))
    logs, secrets = folder / "logs", Secrets.of(folder)
    with ThreadPoolExecutor() as pool:
        simulated = pool.submit(start_simulator, keeper, logs, ports["telegram"])
        servers = start(folder, keeper, Wish.private(fast=True))
        simulator = simulated.result()
        public_url = f"http://{LOOPBACK}:{ports['ingress']}"
        environment = {**_environment(servers, simulator, secrets, collector), "MUSTER_PUBLIC_URL": public_url}
        declared = pool.submit(verbs.declare_topology, environment, logs / "verbs.log")
        verbs.migrate(environment, logs / "verbs.log")
        bot = simulator.bot(folder / "bot.json")
        verbs.add_bot(environment, logs / "verbs.log", token=bot["token"], webhook=public_url + PATH)
        declared.result()
    services = Services(keeper, environment, logs)
    extra = {"MUSTER_METRICS_PORT": str(ports["metrics"])}  # read by the ingress alone
    instances = {name: services.start(name, port=ports[name], extra=extra) for name in SERVICES}
    services.wait_ready()
    return House(servers, services, simulator, collector, secrets, logs, bot, instances, ports["metrics"])


def _environment(servers: Servers, simulator: Simulator, secrets: Secrets, collector: OtlpCollector) -> dict[str, str]:
    return {
        **servers.environment,
        **collector.environment,
        "TELEGRAM_API_URL": simulator.url,
        "MUSTER_TELEGRAM_TIMEOUT": "3",
        "MUSTER_WEBHOOK_KEYS": secrets.webhook_keys,
        "MUSTER_ENCRYPTION_KEYS": secrets.encryption_keys,
        "MUSTER_LOG_LEVEL": "DEBUG",  # what a canary could sing in
    }
