"""The whole system for one bench: the four services with tracing on, a simulated Telegram without limits, one bot."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.ids import BotId
from common.keys import KeyRing, WebhookSecrets
from common.store import bots
from common.store.pool import Pool
from stack import http, verbs
from stack.keys import Secrets
from stack.services import SERVICES, Instance, Services
from stack.system import WEBHOOK_PATH
from stack.telegram import Simulator, start_simulator

from bench.stage import Stage, free_port
from bench.usage import Memory, cpu_seconds, memory


@dataclass(frozen=True)
class Fleet:
    """Running, with a bot that is registered."""

    stage: Stage
    simulator: Simulator
    services: Services
    instances: Mapping[str, Instance]
    bot_id: int
    secret: str

    @property
    def webhook(self) -> str:
        """Where Telegram would post."""
        return self.instances["ingress"].url + WEBHOOK_PATH

    @property
    def effects(self) -> Path:
        """The simulated Telegram's log: a line for each call, with the time at which it arrived."""
        return self.stage.logs / "effects.jsonl"

    def users(self, count: int) -> list[int]:
        """Fresh ones, who have a dialogue with the bot already."""
        made = http.call("POST", f"{self.simulator.url}/admin/users", {"count": count, "first_name": "Ada"})["users"]
        for user in made:
            message = {"bot_id": self.bot_id, "user_id": user["id"], "text": "/start"}
            http.call("POST", f"{self.simulator.url}/admin/messages", message)
        return [int(user["id"]) for user in made]

    def memory(self) -> dict[str, Memory]:
        """Of each service, now."""
        return {name: memory(self.services.pid(instance)) for name, instance in self.instances.items()}

    def cpu(self) -> dict[str, float]:
        """Seconds so far, by part."""
        servers = self.stage.servers
        simulator = [c.identity.pid for c in self.stage.keeper.children if c.program.name == "telegram"]
        parts = {name: [self.services.pid(instance)] for name, instance in self.instances.items()}
        parts |= {"postgresql": servers.postgres.pids(), "rabbitmq": servers.rabbitmq.pids(), "telegram": simulator}
        return {name: cpu_seconds(pids) for name, pids in parts.items()}


def bring_up(stage: Stage) -> Fleet:
    """Returns when every service says that it is ready."""
    secrets, port, log = Secrets.of(stage.logs), free_port(), stage.logs / "verbs.log"
    environment = stage.environment | {
        "TELEGRAM_API_URL": f"http://127.0.0.1:{port}",
        "MUSTER_WEBHOOK_KEYS": secrets.webhook_keys,
        "MUSTER_ENCRYPTION_KEYS": secrets.encryption_keys,
        "MUSTER_COMMANDS_PER_MINUTE": "1000000",  # patience is another bench's subject
        "OTEL_EXPORTER_OTLP_ENDPOINT": stage.collector(),
    }
    simulator = start_simulator(stage.keeper, stage.logs, port)
    verbs.migrate(environment, log)
    verbs.declare_topology(environment, log)
    services = Services(stage.keeper, environment, stage.logs)
    instances = {name: services.start(name) for name in SERVICES}
    services.wait_ready()
    token = simulator.bot(stage.logs / "bot.json")["token"]
    url = instances["ingress"].url + WEBHOOK_PATH
    bot_id = int(verbs.add_bot(environment, log, token=token, webhook=url)["id"])
    asyncio.run(_without_limit(environment["DATABASE_URL"], BotId(bot_id)))
    secret = WebhookSecrets(KeyRing.from_hex(secrets.webhook_keys)).secret(BotId(bot_id))
    return Fleet(stage, simulator, services, instances, bot_id, secret)


async def _without_limit(database_url: str, bot_id: BotId) -> None:
    """Replies wait for their bot's send slots; how many it has is not what is measured."""
    pool = Pool(database_url, name="bench", max_size=1, timeout=10)
    async with pool.transaction("rate") as tx:
        await bots.change(tx, bot_id, per_second=1000)
    await pool.close()
