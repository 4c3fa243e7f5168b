"""Both charts in the namespace, and the ways to what runs there."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from stack.helm import helm
from stack.state import checkout

from .forward import Forward
from .kube import Cluster

CHARTS: Final = checkout() / "charts"
PORTS: Final = {
    "telegram": 8081, "ingress": 8080, "postgres": 5432, "rabbitmq": 5672, "jaeger": 16686, "prometheus": 9090,
}  # fmt: skip
INSTALLING: Final = "300s"


@dataclass(frozen=True)
class Wish:
    """What the caller's environment says: the suite itself knows nothing of where it runs."""

    namespace: str
    tag: str
    infra_values: tuple[Path, ...]
    keep: bool
    restart_node_agent: tuple[str, ...]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Wish:
        """docs/cluster.md has a line for each variable."""
        files = environment.get("E2E_INFRA_VALUES", "").split()
        return cls(
            environment.get("E2E_NAMESPACE", "muster-e2e"),
            environment.get("IMAGE_TAG", "dev"),
            tuple(Path(file).resolve() for file in files),
            bool(environment.get("E2E_KEEP")),
            tuple(shlex.split(environment.get("E2E_RESTART_NODE_AGENT", ""))),
        )


@dataclass
class Site:
    """An installation, and how long its parts took."""

    cluster: Cluster
    wish: Wish
    seconds: dict[str, float] = field(default_factory=dict)
    forwards: dict[str, Forward] = field(default_factory=dict)

    def url(self, part: str) -> str:
        """HTTP of a component."""
        return self.forwards[part].url

    def dsn(self, key: str, part: str) -> str:
        """A URL from the charts' Secret, by way of this machine."""
        parts = urlsplit(self.cluster.secret("muster")[key])
        user, _, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self.forwards[part].port}"))

    def install(self) -> None:
        """From nothing, or over what is there."""
        self.cluster.make_namespace()
        infra = [CHARTS / "muster-devinfra" / "values-e2e.yaml", *self.wish.infra_values]
        self.timed("infra", *self._release("infra", "muster-devinfra", infra, {"telegram.image": self.telegram_image}))
        self.timed("muster", *self.muster())

    @property
    def telegram_image(self) -> str:
        """Built with the others."""
        return f"muster-telegram:{self.wish.tag}"

    def muster(self, **values: str) -> list[str]:
        """Helm's words for the chart of the four services; `__` in a name is a dot."""
        chosen = {name.replace("__", "."): value for name, value in values.items()}
        # Reached by port-forward: a port of the node would be somebody else's.
        own = {"image.tag": self.wish.tag, "components.ingress.service.type": "ClusterIP"}
        own["components.ingress.service.nodePort"] = "null"
        return self._release("muster", "muster", [CHARTS / "muster" / "values-e2e.yaml"], own | chosen)

    def _release(self, name: str, chart: str, files: list[Path], values: Mapping[str, str]) -> list[str]:
        words = ["upgrade", "--install", name, str(CHARTS / chart), "--wait", "--timeout", INSTALLING]
        words += [word for file in files for word in ("--values", str(file))]
        return words + [word for key, value in values.items() for word in ("--set", f"{key}={value}")]

    def helm(self, *words: str) -> str:
        """Its standard output; AssertionError with what it said when it failed."""
        argv = [str(helm()), "--namespace", self.cluster.namespace, *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"helm {words[0]} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def timed(self, what: str, *words: str) -> str:
        """The same, with its seconds kept."""
        begun = time.monotonic()
        try:
            return self.helm(*words)
        finally:
            self.seconds[what] = round(time.monotonic() - begun, 1)

    def verb(self, *words: str) -> str:
        """An operators' verb, in the brain's pod."""
        return self.cluster.run(self.cluster.ready("tgms")[0], "python", "-m", "common", *words)


@contextmanager
def opened(wish: Wish) -> Iterator[Site]:
    """Installed, with its ways open; the namespace goes at the end unless it is to be kept."""
    cluster = Cluster.of(wish.namespace)
    site = Site(cluster, wish)
    try:
        site.install()
        with ExitStack() as stack:
            site.forwards = {part: stack.enter_context(Forward(cluster, part, port)) for part, port in PORTS.items()}
            yield site
    except BaseException as error:
        if not site.forwards:  # no test runs that could tell it
            error.add_note("\n".join(cluster.story()))
        raise
    finally:
        if not wish.keep:
            cluster.drop_namespace()


def from_environment() -> Wish:
    """The process's own."""
    return Wish.of(os.environ)


def figures_folder() -> Path:
    """Where a run leaves what it measured."""
    folder = Path(os.environ.get("E2E_FIGURES", checkout() / ".cache" / "e2e"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
