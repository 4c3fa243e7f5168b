"""Who takes part in the webhook bench."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from common.ids import BotId
from common.keys import KeyRing, WebhookSecrets
from common.queues import DM_QUEUE
from ingress.webhook import PATH
from stack.keeper import Child

from bench import npm
from bench.stage import Stage, free_port, progress

AMQPLIB = "amqplib@2.3.1"
_KEY = "1:" + "5a" * 32
_PEERS = Path(__file__).parent / "peers"
MUSTER, UNTRACED, BARE, FASTAPI, NODE = "muster", "muster_untraced", "bare_uvicorn", "fastapi_aiopika", "node_amqplib"
TITLES = {
    MUSTER: "Muster, tracing on",
    UNTRACED: "Muster, tracing off",
    BARE: "bare uvicorn, no publish",
    FASTAPI: "FastAPI + aio-pika",
    NODE: "node http + amqplib",
}


@dataclass(frozen=True)
class Contender:
    """Running, and where it is asked."""

    name: str
    url: str
    child: Child

    @property
    def publishes(self) -> bool:
        """All but the floor."""
        return self.name != BARE


def secret() -> str:
    """Of a bot that only the bench knows."""
    return WebhookSecrets(KeyRing.from_hex(_KEY)).secret(BotId(7000000001))


def start_all(stage: Stage, collector: str, names: Collection[str]) -> list[Contender]:
    """In the order in which they take turns; without node the others go on, and it is said."""
    starts: dict[str, Callable[[], Contender | None]] = {
        MUSTER: lambda: _muster(stage, MUSTER, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector}),
        FASTAPI: lambda: _uvicorn(stage, FASTAPI, "bench.peers.fastapi_aiopika:app"),
        NODE: lambda: _node(stage),
        BARE: lambda: _uvicorn(stage, BARE, "bench.peers.bare:app"),
        UNTRACED: lambda: _muster(stage, UNTRACED, {}),
    }
    found = [start() for name, start in starts.items() if name in names]
    return [contender for contender in found if contender is not None]


def _muster(stage: Stage, name: str, extra: dict[str, str]) -> Contender:
    port = free_port()
    env = {
        "MUSTER_HOST": "127.0.0.1",
        "MUSTER_PORT": str(port),
        "MUSTER_WEBHOOK_KEYS": _KEY,
        "MUSTER_ENCRYPTION_KEYS": "k1:" + "A" * 43 + "=",
    }
    return _started(stage, name, port, stage.python("ingress"), env | extra)


def _uvicorn(stage: Stage, name: str, app: str) -> Contender:
    port = free_port()
    argv = stage.python("uvicorn", app, "--host", "127.0.0.1", "--port", str(port), "--no-access-log")
    return _started(stage, name, port, [*argv, "--loop", "uvloop", "--http", "httptools"], {})


def _node(stage: Stage) -> Contender | None:
    modules = npm.modules("amqplib", AMQPLIB)
    if modules is None:
        progress("SKIPPED: node http + amqplib. It needs node and npm; ratio_to_node_amqplib will be null.")
        return None
    port = free_port()
    env = {"NODE_PATH": str(modules), "NODE_ENV": "production", "BENCH_PORT": str(port)}
    return _started(stage, NODE, port, ["node", str(_PEERS / "node_amqplib.cjs")], env)


def _started(stage: Stage, name: str, port: int, argv: list[str], env: dict[str, str]) -> Contender:
    progress(f"starting {TITLES[name]}")
    ours = {"BENCH_PATH": PATH, "BENCH_SECRET": secret(), "BENCH_QUEUE": DM_QUEUE.name}
    child = stage.start(name, argv, env | ours, ready=f"http://127.0.0.1:{port}/")
    return Contender(name, f"http://127.0.0.1:{port}{PATH}", child)
