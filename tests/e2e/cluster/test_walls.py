"""Who may connect to whom, what Pod Security refuses, and that no secret is anywhere but in the Secret."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pytest
from kubernetes.client.exceptions import ApiException

from .kube import PART, RESTRICTED, until
from .marks import marks
from .record import record
from .site import Site

pytestmark = marks(300)
# Where each may go. `anybody` is a pod of the namespace without a label of ours; the API server and the cloud's
# metadata address stand for all that nobody needs.
DOORS = {
    "postgres": ("muster-postgres", 5432),
    "rabbitmq": ("muster-rabbitmq", 5672),
    "management": ("muster-rabbitmq", 15672),
    "telegram": ("muster-telegram", 8081),
    "otlp": ("muster-jaeger", 4318),
    "jaeger": ("muster-jaeger", 16686),
    "prometheus": ("muster-prometheus", 9090),
    "mirror": ("muster-ingress", 80),
    "tgms": ("TGMS", 9090),
    "apiserver": ("kubernetes.default", 443),
    "metadata": ("169.254.169.254", 80),
}
OPEN = {
    "ingress": {"postgres", "rabbitmq", "telegram", "otlp"},
    "tgms": {"postgres", "rabbitmq", "telegram", "otlp"},
    "dm": {"postgres", "rabbitmq", "telegram", "otlp"},
    "sender": {"postgres", "rabbitmq", "telegram", "otlp"},
    "migration": {"postgres", "rabbitmq"},
    "test": {"postgres", "rabbitmq", "mirror"},
    "anybody": {"mirror", "apiserver"},
}
OURS = {
    "app.kubernetes.io/name": "muster",
    "app.kubernetes.io/instance": "muster",
    "app.kubernetes.io/part-of": "muster",
}
LIVING = ("ingress", "tgms", "dm")
KNOCK = """
import json, socket, sys
found = []
for door in sys.argv[1:]:
    name, host, port = door.split("|")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        found.append(name)
    except OSError:
        pass
print(json.dumps(found))
"""


def pod(name: str, image: str, labels: dict[str, str], words: Sequence[str]) -> dict[str, object]:
    """As strict as the namespace asks for."""
    container = {
        "name": "main",
        "image": image,
        "command": list(words),
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


@pytest.fixture
def knockers(site: Site) -> Iterator[dict[str, str]]:
    """A pod for each row: the running one, or one that sleeps under its labels."""
    cluster, image, made = site.cluster, f"muster-tgms:{site.wish.tag}", {}
    for row in OPEN:
        if row not in LIVING:
            labels = {} if row == "anybody" else OURS | {PART: row}
            made[row] = f"knocks-{row}"
            cluster.core.create_namespaced_pod(cluster.namespace, pod(made[row], image, labels, ["sleep", "600"]))
    try:
        for name in made.values():
            until(
                lambda name=name: cluster.core.read_namespaced_pod(name, cluster.namespace).status.phase == "Running",
                within=60,
                what=f"{name} runs",
            )
        yield made | {row: cluster.ready(row)[0] for row in LIVING}
    finally:
        for name in made.values():
            cluster.delete(name, grace=0)


def test_who_may_connect_to_whom(site: Site, knockers: dict[str, str]) -> None:
    cluster = site.cluster
    tgms = cluster.pods("tgms")[0].status.pod_ip
    doors = [f"{name}|{host.replace('TGMS', tgms)}|{port}" for name, (host, port) in DOORS.items()]
    seen: dict[str, set[str]] = {}

    def as_written() -> bool:  # policies take a moment to reach a new pod
        for row, name in knockers.items():
            seen[row] = set(json.loads(cluster.run(name, "python", "-c", KNOCK, *doors).replace("'", '"')))
        for row, itself in (("tgms", "tgms"), ("ingress", "mirror")):  # which no policy forbids
            seen[row] -= {itself}
        return seen == OPEN

    try:
        until(as_written, within=60, what="the connect matrix is as written")
    finally:
        record("connect_matrix", {row: {door: door in may for door in DOORS} for row, may in seen.items()})
    wrong = {row: (may ^ OPEN[row]) for row, may in seen.items() if may != OPEN[row]}
    assert wrong == {}


def test_pod_security_refuses_what_is_not_restricted(site: Site) -> None:
    cluster = site.cluster
    labels = cluster.core.read_namespace(cluster.namespace).metadata.labels
    assert {name: labels.get(name) for name in RESTRICTED} == RESTRICTED
    body = pod("privileged", f"muster-tgms:{site.wish.tag}", {}, ["true"])
    body["spec"]["containers"][0]["securityContext"] = {"privileged": True}  # type: ignore[index]
    with pytest.raises(ApiException) as refused:
        cluster.core.create_namespaced_pod(cluster.namespace, body)
    assert refused.value.status == 403
    assert 'violates PodSecurity "restricted' in json.loads(refused.value.body)["message"]
    warned = [each.message for each in cluster.core.list_namespaced_event(cluster.namespace).items]
    assert [text for text in warned if text and "violates PodSecurity" in text] == []
    assert {each.metadata.labels.get(PART) for each in cluster.pods()} >= {
        "ingress",
        "tgms",
        "dm",
        "postgres",
        "rabbitmq",
    }


def test_no_secret_is_in_a_manifest_or_a_log(site: Site) -> None:
    cluster = site.cluster
    kept = cluster.secret("muster")
    secrets = {name: value for name, value in kept.items() if name != "definitions.json" and len(value) >= 16}
    secrets |= {f"{name}'s key": value.partition(":")[2] for name, value in kept.items() if name.endswith("_KEYS")}
    infra = "\n---".join(
        each for each in site.helm("get", "manifest", "infra").split("\n---") if "\nkind: Secret" not in each
    )
    places = {
        "muster's manifest": site.helm("get", "manifest", "muster"),
        "muster's hooks": site.helm("get", "hooks", "muster"),
        "muster's values": site.helm("get", "values", "muster", "--all"),
        "infra's manifest without its Secret": infra,
        "infra's values": site.helm("get", "values", "infra", "--all"),
        "pods": str([each.to_dict() for each in cluster.core.list_namespaced_pod(cluster.namespace).items]),
        "ConfigMaps": str([each.data for each in cluster.core.list_namespaced_config_map(cluster.namespace).items]),
        **{f"{each.metadata.name}'s log": cluster.log(each.metadata.name) for each in cluster.pods()},
    }
    found = [f"{name} in {place}" for place, text in places.items() for name, value in secrets.items() if value in text]
    record("secrets", {"values": len(secrets), "places": len(places), "found": found})
    assert len(secrets) >= 7
    assert found == []
