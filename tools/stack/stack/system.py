"""The whole system of one state directory, from servers to the first bot, brought up as fast as its parts allow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stack import verbs
from stack.collector import Collector, TraceBook
from stack.console import Console
from stack.errors import StackError
from stack.keeper import Child, Keeper
from stack.keys import Secrets
from stack.ports import LOOPBACK, remembered
from stack.servers import Server, Servers, Wish
from stack.servers.choice import choose
from stack.services import SERVICES, Services
from stack.telegram import Simulator, start_simulator

PORTS: Final = (*SERVICES, "telegram", "otlp")
WEBHOOK_PATH: Final = "/api/webhooks/telegram"
TITLES: Final = {"postgres": "PostgreSQL", "rabbitmq": "RabbitMQ"}


@dataclass(frozen=True)
class RealTelegram:
    """The bot that @BotFather made, and the address under which Telegram reaches this machine."""

    token: str
    public_url: str

    @classmethod
    def from_environment(cls) -> RealTelegram | None:
        """TELEGRAM_BOT_TOKEN and PUBLIC_URL; None without a token."""
        token, url = os.environ.get("TELEGRAM_BOT_TOKEN"), os.environ.get("PUBLIC_URL")
        if not token:
            return None
        # Telegram itself delivers to https only; a Bot API server of one's own takes http too.
        schemes = ("https://", "http://") if os.environ.get("TELEGRAM_API_URL") else ("https://",)
        if not url or not url.startswith(schemes):
            hint = "set PUBLIC_URL to the https:// address that leads here, or unset TELEGRAM_BOT_TOKEN to simulate"
            raise StackError("TELEGRAM_BOT_TOKEN is set, but Telegram needs an address to deliver to", hint=hint)
        return cls(token, url.rstrip("/"))


@dataclass(frozen=True)
class System:
    """Everything that runs."""

    servers: Servers
    services: Services
    book: TraceBook
    simulator: Simulator | None
    bot: Mapping[str, Any]
    ports: Mapping[str, int]
    logs: Path

    def dead(self) -> list[Child]:
        """Servers, services and simulator that ended although nobody asked them to."""
        return [child for child in self.services.keeper.children if not child.running]

    @property
    def ingress(self) -> str:
        """Where the ingress listens."""
        return f"http://{LOOPBACK}:{self.ports['ingress']}"


@contextmanager
def running(
    state: Path, keeper: Keeper, wish: Wish, console: Console, telegram: RealTelegram | None = None
) -> Iterator[System]:
    """Bring it up; whatever happens inside or on the way, the keeper's end is the end of everything."""
    ports = {**remembered(state / "ports.json", PORTS), **_wanted_ports()}
    with Collector(ports["otlp"], TraceBook()) as collector:
        build = _Build(state, keeper, console, ports, telegram)
        system = build.up(wish, collector)
        try:
            yield system
        finally:
            system.services.stop_all()


@dataclass
class _Build:
    """The way up: steps that need nothing of each other run at the same time."""

    state: Path
    keeper: Keeper
    console: Console
    ports: Mapping[str, int]
    telegram: RealTelegram | None

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    def up(self, wish: Wish, collector: Collector) -> System:
        """RabbitMQ takes longest: everything that needs only PostgreSQL happens meanwhile."""
        postgres, rabbitmq = choose(self.state, self.keeper, wish, lambda text: self.console.say(f"    {text}"))
        servers = Servers(postgres, rabbitmq)
        environment = self._environment(servers, collector)
        pool = ThreadPoolExecutor()
        simulated = pool.submit(self._simulator)
        broker = pool.submit(self._broker, rabbitmq, environment)
        bot = pool.submit(self._database, postgres, environment, simulated)
        # On an error nobody waits for the others here: the keeper ends what they wait for.
        pool.shutdown(wait=False)
        for done in as_completed((simulated, broker, bot)):
            done.result()
        services = self._services(environment)
        return System(servers, services, collector.book, simulated.result(), bot.result(), self.ports, self.logs)

    def _environment(self, servers: Servers, collector: Collector) -> Mapping[str, str]:
        secrets = Secrets.of(self.state)
        simulated = {} if self.telegram else {"TELEGRAM_API_URL": f"http://{LOOPBACK}:{self.ports['telegram']}"}
        return {
            **servers.environment,
            **simulated,
            "MUSTER_WEBHOOK_KEYS": os.environ.get("MUSTER_WEBHOOK_KEYS") or secrets.webhook_keys,
            "MUSTER_ENCRYPTION_KEYS": os.environ.get("MUSTER_ENCRYPTION_KEYS") or secrets.encryption_keys,
            "MUSTER_PUBLIC_URL": self._public_url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "200",  # ms: somebody is waiting for the picture
            "MUSTER_LOG_LEVEL": os.environ.get("MUSTER_LOG_LEVEL") or "INFO",
        }

    @property
    def _public_url(self) -> str:
        return self.telegram.public_url if self.telegram else f"http://{LOOPBACK}:{self.ports['ingress']}"

    def _simulator(self) -> Simulator | None:
        if self.telegram is not None:
            return None
        with self.console.step("simulated Telegram"):
            return start_simulator(self.keeper, self.logs, self.ports["telegram"], limits="strict")

    def _broker(self, rabbitmq: Server, environment: Mapping[str, str]) -> None:
        self._start(rabbitmq)
        with self.console.step("queues, retry ladders, dead letters"):
            verbs.declare_topology(environment, self.logs / "verbs.log")

    def _database(
        self, postgres: Server, environment: Mapping[str, str], simulated: Future[Simulator | None]
    ) -> Mapping[str, Any]:
        self._start(postgres)
        with self.console.step("migrations"):
            verbs.migrate(environment, self.logs / "verbs.log")
        simulator = simulated.result()
        with self.console.step("bot and its webhook") as step:
            bot = self._bot(environment, simulator)
            step.note(f"@{bot['username']}")
        return bot

    def _bot(self, environment: Mapping[str, str], simulator: Simulator | None) -> Mapping[str, Any]:
        log = self.logs / "verbs.log"
        if self.telegram is not None:
            webhook = self._public_url + WEBHOOK_PATH
            return verbs.add_bot(environment, log, token=self.telegram.token, webhook=webhook)
        if simulator is None:
            raise StackError("there is neither a simulated nor a real Telegram")
        token = simulator.bot(self.state / "bot.json")["token"]
        webhook = self._public_url + WEBHOOK_PATH
        return verbs.add_bot(environment, log, token=token, webhook=webhook)

    def _services(self, environment: Mapping[str, str]) -> Services:
        services = Services(self.keeper, environment, self.logs)
        with self.console.step(f"services {', '.join(SERVICES)}"):
            for name in SERVICES:
                services.start(name, port=self.ports[name])
            services.wait_ready()
        return services

    def _start(self, server: Server) -> None:
        with self.console.step(TITLES[server.name]) as step:
            step.note(server.origin)
            server.start()


def _wanted_ports() -> dict[str, int]:
    """MUSTER_PORT fixes the ingress's port, for a tunnel that leads to it."""
    wanted = os.environ.get("MUSTER_PORT")
    return {"ingress": int(wanted)} if wanted else {}
