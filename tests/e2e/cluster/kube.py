"""One namespace of whatever cluster KUBECONFIG names: pods by what they do, and what to show when something fails."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

PART: Final = "app.kubernetes.io/component"
RESTRICTED: Final = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
_LOOK: Final = 0.25  # seconds
_LINES: Final = 25  # of each container's log, when something fails


class NoClusterError(Exception):
    """There is nothing to test in; never a reason to skip."""


def until(look: Callable[[], Any], *, within: float, what: str) -> Any:
    """The first true answer; AssertionError with the last one after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}")
        time.sleep(_LOOK)


@dataclass(frozen=True)
class Cluster:
    """Its API, and our namespace in it."""

    namespace: str

    @classmethod
    def of(cls, namespace: str) -> Cluster:
        """NoClusterError where KUBECONFIG names none that answers."""
        try:
            config.load_kube_config()
            client.VersionApi().get_code(_request_timeout=10)
        except Exception as error:
            raise NoClusterError(f"KUBECONFIG names no cluster that answers: {error}") from error
        return cls(namespace)

    @property
    def core(self) -> client.CoreV1Api:
        """A client of its own each time: streams change theirs, and threads share none."""
        return client.CoreV1Api(client.ApiClient())

    @property
    def apps(self) -> client.AppsV1Api:
        """Deployments."""
        return client.AppsV1Api(client.ApiClient())

    @property
    def custom(self) -> client.CustomObjectsApi:
        """KEDA's kinds."""
        return client.CustomObjectsApi(client.ApiClient())

    def make_namespace(self) -> None:
        """Where Pod Security refuses whatever is not restricted."""
        body = {"metadata": {"name": self.namespace, "labels": RESTRICTED}}
        try:
            self.core.create_namespace(body)
        except ApiException as error:
            if error.status != 409:
                raise
            self.core.patch_namespace(self.namespace, body)

    def drop_namespace(self, *, within: float = 120) -> None:
        """With all that is in it; returns when nothing is left."""

        def gone() -> bool:
            try:
                self.core.delete_namespace(self.namespace)
            except ApiException as error:
                if error.status == 404:
                    return True
                if error.status != 409:
                    raise
            return False

        until(gone, within=within, what=f"namespace {self.namespace} is gone")

    def pods(self, part: str | None = None) -> list[Any]:
        """Those of one component that are not on their way out, the oldest first."""
        selector = f"{PART}={part}" if part else ""
        found = self.core.list_namespaced_pod(self.namespace, label_selector=selector).items
        living = [pod for pod in found if pod.metadata.deletion_timestamp is None and pod.status.phase != "Succeeded"]
        return sorted(living, key=lambda pod: pod.metadata.creation_timestamp)

    def ready(self, part: str) -> list[str]:
        """Names of the component's pods that take work."""
        return [pod.metadata.name for pod in self.pods(part) if _is_ready(pod)]

    def delete(self, pod: str, *, grace: int | None = None) -> None:
        """`grace` 0 is a kill."""
        options = {} if grace is None else {"grace_period_seconds": grace}
        self.core.delete_namespaced_pod(pod, self.namespace, **options)

    def replicas(self, part: str) -> tuple[int, int]:
        """(wanted, ready) of the chart's Deployment."""
        found = self.apps.read_namespaced_deployment(f"muster-{part}", self.namespace)
        return found.spec.replicas or 0, found.status.ready_replicas or 0

    def secret(self, name: str) -> dict[str, str]:
        """Opened."""
        data = self.core.read_namespaced_secret(name, self.namespace).data
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def run(self, pod: str, *words: str) -> str:
        """A command in a pod: its standard output."""
        api = self.core
        return str(
            stream(
                api.connect_get_namespaced_pod_exec, pod, self.namespace, command=list(words),
                stdout=True, stderr=True, stdin=False, tty=False,
            )
        )  # fmt: skip

    def log(self, pod: str, *, lines: int | None = None, previous: bool = False) -> str:
        """What its first container has written; empty where it has none."""
        try:
            # Not the client's own decoding, which shows bytes as Python writes them.
            answer = self.core.read_namespaced_pod_log(
                pod, self.namespace, tail_lines=lines, previous=previous, _preload_content=False
            )
        except ApiException:
            return ""
        text: str = answer.data.decode(errors="replace")
        return text

    def story(self) -> Iterator[str]:
        """Pods, events, the last lines of every log."""
        yield f"pods of {self.namespace}:"
        pods = self.core.list_namespaced_pod(self.namespace).items
        for pod in pods:
            for each in pod.status.container_statuses or []:
                state = {name: told for name, told in (each.state.to_dict() if each.state else {}).items() if told}
                yield f"  {pod.metadata.name} {pod.status.phase} restarts {each.restart_count} {state}"
        yield "events:"
        events = self.core.list_namespaced_event(self.namespace).items
        for event in sorted(events, key=lambda each: each.metadata.creation_timestamp)[-40:]:
            yield f"  {event.last_timestamp} {event.involved_object.name} {event.reason}: {event.message}"
        for pod in pods:
            yield f"the last lines of {pod.metadata.name}:"
            yield from (f"  {line[:300]}" for line in self.log(pod.metadata.name, lines=_LINES).splitlines())


def _is_ready(pod: Any) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions or [])
