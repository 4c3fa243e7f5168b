"""Bots with groups on a strict simulated Telegram, the brain and so many senders: what a broadcast passes through."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from common.bus.publisher import Publisher
from common.ids import BotId, JobId
from common.jobs import PlanBroadcast
from common.keys import KeyRing, WebhookSecrets
from common.queues import GROUP_MESSAGE_QUEUE
from common.records import Bot
from common.store import bots, broadcasts
from common.store.broadcasts import Targets
from common.store.pool import Pool
from common.telegram.secrets import TokenVault
from common.testing.postgres import fresh_database
from stack import verbs
from stack.keeper import Program, wait_until
from stack.keys import Secrets
from stack.servers import Servers
from stack.services import Instance, Services
from stack.system import WEBHOOK_PATH

from bench.stage import ROOT, Stage, answers, free_port
from bench.usage import cpu_seconds


@dataclass(frozen=True)
class Shape:
    """One case of a bench."""

    bots: int
    senders: int
    sends: int  # of each bot
    limits: str = "strict"
    latency: str = "20-80"
    voices: int = 0
    brains: int = 1


@dataclass
class Broadcasters:
    """Running; `effects` is the simulated Telegram's log."""

    shape: Shape
    telegram: str
    effects: Path
    services: Services
    instances: Sequence[Instance]
    session: aiohttp.ClientSession
    pool: Pool
    publisher: Publisher
    pids: Mapping[str, Sequence[int]]  # but for the servers'
    servers: Servers
    groups: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))  # by bot
    chats: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))  # the same at Telegram
    tokens: dict[int, str] = field(default_factory=dict, repr=False)

    async def admin(self, method: str, path: str, **body: Any) -> Any:
        """The simulated Telegram's admin API."""
        async with self.session.request(method, f"{self.telegram}/admin/{path}", json=body or None) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def broadcast(self, group_ids: Sequence[int], **options: Any) -> int:
        """Created and on its way to be planned."""
        content = {"method": "sendMessage", "params": {"text": "We meet at noon, {{title}}."}}
        async with self.pool.transaction("bench") as tx:
            number = await broadcasts.create(tx, Targets(group_ids=list(group_ids)), content, **options)
        await self.plan(number)
        return number

    async def plan(self, broadcast_id: int) -> None:
        """Orders it."""
        job = PlanBroadcast(broadcast_id=broadcast_id)
        await self.publisher.publish(GROUP_MESSAGE_QUEUE, job, job_id=JobId(f"plan:{broadcast_id}"))

    async def fill(self, count: int) -> None:
        """So many groups that exist in the database alone, shared out evenly to the bots."""
        async with self.pool.transaction("bench") as tx:
            await tx.execute(
                """INSERT INTO groups (bot_id, chat_id, title)
                   SELECT ($1::bigint[])[1 + n % cardinality($1::bigint[])], -1009000000000 - n, 'Group ' || n
                   FROM generate_series(1, $2::int) n""",
                list(self.tokens),
                count,
            )
            await tx.execute("ANALYZE groups")

    async def states(self, broadcast_id: int) -> Counter[str]:
        """Deliveries by state."""
        async with self.pool.transaction("bench") as tx:
            rows = await tx.fetch(
                "SELECT state, count(*) AS n FROM deliveries WHERE broadcast_id = $1 GROUP BY state", broadcast_id
            )
        return Counter({row["state"]: row["n"] for row in rows})

    async def sent(self) -> list[int]:
        """By broadcast, all at one moment."""
        async with self.pool.transaction("bench") as tx:
            rows = await tx.fetch(
                """SELECT count(*) FILTER (WHERE state = 'sent') AS n FROM deliveries
                   GROUP BY broadcast_id ORDER BY broadcast_id"""
            )
        return [row["n"] for row in rows]

    async def done(self, broadcast_id: int, *, within: float) -> None:
        """Waits for its end."""
        async with asyncio.timeout(within):
            while True:
                async with self.pool.transaction("bench") as tx:
                    found = await broadcasts.get(tx, broadcast_id)
                if found is not None and found.state in {"done", "cancelled"}:
                    return
                await asyncio.sleep(0.5)

    def calls(self) -> list[dict[str, Any]]:
        """Every call so far, with the time at which it arrived."""
        return [json.loads(line) for line in self.effects.read_text("utf-8").splitlines()]

    def processes(self) -> dict[str, Sequence[int]]:
        """Now: a database has one for each connection."""
        servers = {"postgresql": self.servers.postgres.pids(), "rabbitmq": self.servers.rabbitmq.pids()}
        return {**self.pids, **servers}

    def cpu(self) -> dict[str, float]:
        """Seconds so far, by part."""
        return {name: cpu_seconds(pids) for name, pids in self.processes().items()}


@asynccontextmanager
async def bring_up(stage: Stage, shape: Shape, name: str) -> AsyncIterator[Broadcasters]:
    """A database, a Telegram and processes of its own for each case, on servers that are the stage's."""
    async with fresh_database(stage.servers.database_url) as database, aiohttp.ClientSession() as session:
        logs, port = stage.logs / name, free_port()
        secrets, log = Secrets.of(stage.logs), stage.logs / "verbs.log"
        environment = stage.environment | {
            "DATABASE_URL": database,
            "TELEGRAM_API_URL": f"http://127.0.0.1:{port}",
            "MUSTER_WEBHOOK_KEYS": secrets.webhook_keys,
            "MUSTER_ENCRYPTION_KEYS": secrets.encryption_keys,
            "MUSTER_COMMANDS_PER_MINUTE": "1000000",
        }
        await asyncio.to_thread(verbs.migrate, environment, log)
        await asyncio.to_thread(verbs.declare_topology, environment, log)
        words = ["--host", "127.0.0.1", "--port", str(port), "--log", str(logs / "effects.jsonl")]
        words += ["--limits", shape.limits, "--latency", shape.latency]
        logs.mkdir(parents=True)
        program = Program(
            "telegram", stage.python("telegram_sim", "serve", *words), logs / "telegram.log", stage.environment, ROOT
        )
        telegram = stage.keeper.start(program)
        services = Services(stage.keeper, environment, logs)
        pool = Pool(database, name="bench", max_size=2, timeout=60)
        publisher = Publisher(stage.servers.amqp_url, "bench", timeout=10)
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/admin/health"), telegram, timeout=30)
            kinds = [
                *["tgms"] * shape.brains,
                *["sender"] * shape.senders,
                *["dm"] * shape.voices,
                *["ingress"] * bool(shape.voices),
            ]
            instances = [services.start(kind) for kind in kinds]
            await asyncio.to_thread(services.wait_ready)
            pids = {kind: [services.pid(i) for i in instances if i.service == kind] for kind in dict.fromkeys(kinds)}
            pids["telegram"] = [telegram.identity.pid]
            url, vault = f"http://127.0.0.1:{port}", TokenVault(KeyRing.from_base64(secrets.encryption_keys))
            effects, servers = logs / "effects.jsonl", stage.servers
            this = Broadcasters(shape, url, effects, services, instances, session, pool, publisher, pids, servers)
            await _populate(this, vault)
            if shape.voices:
                await _listen(this, secrets)
            yield this
        finally:
            await asyncio.to_thread(services.stop_all)
            await publisher.close()
            await pool.close()
            stage.keeper.stop(telegram)


async def _listen(this: Broadcasters, secrets: Secrets) -> None:
    door = next(instance for instance in this.instances if instance.service == "ingress")
    derive = WebhookSecrets(KeyRing.from_hex(secrets.webhook_keys))
    for bot_id, token in this.tokens.items():
        params = {"url": door.url + WEBHOOK_PATH, "secret_token": derive.secret(BotId(bot_id))}
        async with this.session.post(f"{this.telegram}/bot{token}/setWebhook", json=params) as answer:
            answer.raise_for_status()


async def _populate(this: Broadcasters, vault: TokenVault) -> None:
    for _ in range(this.shape.bots):  # their groups one after the other: the simulated Telegram is one process
        made = await this.admin("POST", "bots")
        bot_id = BotId(made["id"])
        this.tokens[bot_id] = made["token"]
        sealed, key = vault.seal(bot_id, made["token"])
        members = [{"id": bot_id, "status": "administrator"}]
        answer = await this.admin("POST", "chats", count=max(1, this.shape.sends), title="Group", bots=members)
        chats = answer["chats"][: this.shape.sends]
        this.chats[bot_id] = [chat["id"] for chat in chats]
        async with this.pool.transaction("bench") as tx:
            await bots.save(tx, Bot(bot_id, made["username"], "Muster", sealed, key))
            rows = await tx.fetch(
                """INSERT INTO groups (bot_id, chat_id, title, kind)
                   SELECT $1, n.chat_id, n.title, 'supergroup'
                   FROM unnest($2::bigint[], $3::text[]) AS n (chat_id, title)
                   RETURNING group_id""",
                bot_id,
                this.chats[bot_id],
                [chat["title"] for chat in chats],
            )
        this.groups[bot_id] = [row["group_id"] for row in rows]
