"""compose.yaml and the ECS example against the services' settings; pinned versions said once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from deployments import SERVICES, compose, ecs_files, images_named, knowledge
from stack.compose import secrets_of
from tree import ROOT

WORKERS = ("tgms", "sender", "dm")
INTERPOLATION = re.compile(r"\$\{(\w+)(?::?([-?])([^}]*))?\}")


@pytest.mark.parametrize("service", SERVICES)
def test_compose_gives_each_service_what_it_reads(service: str) -> None:
    assert knowledge(service).wrong(compose()["services"][service]["environment"]) == []


@pytest.mark.parametrize("service", SERVICES)
def test_what_compose_gives_can_be_used(service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secrets = secrets_of(tmp_path)
    for name, value in compose()["services"][service]["environment"].items():
        monkeypatch.setenv(name, INTERPOLATION.sub(lambda m: secrets.get(m[1], m[3] if m[2] == "-" else ""), value))
    for each in knowledge(service).classes:
        each.load()


def test_no_secret_stands_in_compose_and_each_that_it_asks_for_is_given(tmp_path: Path) -> None:
    written = (ROOT / "compose.yaml").read_text("utf-8")
    asked = {name for name, how, _ in INTERPOLATION.findall(written) if how == "?"}
    assert asked == set(secrets_of(tmp_path))
    secret = re.compile(r"(PASS|PASSWORD|KEYS|_URL)$")
    for service in compose()["services"].values():
        for name, value in service.get("environment", {}).items():
            if secret.search(name) and not name.startswith("OTEL"):
                assert "${" in value, f"{name} is a literal"


@pytest.mark.parametrize("service", SERVICES)
def test_compose_is_as_strict_as_the_cluster(service: str) -> None:
    found = compose()["services"][service]
    assert found["read_only"]
    assert found["cap_drop"] == ["ALL"]
    assert found["tmpfs"] == ["/tmp"]  # noqa: S108 (inside the container)
    assert all(port.startswith("127.0.0.1:") for port in found.get("ports", []))
    assert seconds(found["stop_grace_period"]) > grace(service)


def test_compose_builds_from_our_dockerfiles() -> None:
    built = {name: it["build"]["dockerfile"] for name, it in compose()["services"].items() if "build" in it}
    assert set(built) == {*SERVICES, "telegram"}
    assert all((ROOT / file).is_file() for file in built.values())


@pytest.mark.parametrize("file", ecs_files(), ids=lambda file: file.stem)
def test_the_ecs_example_gives_each_worker_what_it_reads(file: Path) -> None:
    container = only_container(file)
    given = {each["name"]: each.get("value", "") for each in (*container["environment"], *container["secrets"])}
    assert knowledge(file.stem).wrong(given) == []
    assert not {each["name"] for each in container["environment"]} & {
        "DATABASE_URL",
        "AMQP_URL",
        "MUSTER_ENCRYPTION_KEYS",
    }


@pytest.mark.parametrize("file", ecs_files(), ids=lambda file: file.stem)
def test_the_ecs_example_is_as_strict_as_the_cluster(file: Path) -> None:
    container, values = only_container(file), {}
    values = {each["name"]: each["value"] for each in container["environment"]}
    assert container["readonlyRootFilesystem"]
    assert container["user"] == "10001:10001"
    assert container["linuxParameters"] == {"capabilities": {"drop": ["ALL"]}}
    assert float(values["MUSTER_GRACE"]) < container["stopTimeout"] <= 120  # Fargate's limit
    # ECS ends what is not healthy: while the database is away, that would be every worker.
    assert container["healthCheck"]["command"][3:] == ["common.healthcheck", values["MUSTER_HEALTH_PORT"], "/livez"]
    assert container["command"] == ["python", "-m", file.stem]


def test_the_ecs_example_has_every_worker_and_no_ingress() -> None:
    assert {file.stem for file in ecs_files()} == set(WORKERS)


def test_a_version_is_pinned_once() -> None:
    pinned = yaml.safe_load((ROOT / "k8s/versions.yaml").read_text("utf-8"))["images"]
    found = list(images_named())
    assert {part for _, part, _ in found} >= {"postgres", "rabbitmq", "jaeger"}
    assert [(file, part, image) for file, part, image in found if pinned[part] != image] == []
    for dockerfile in ROOT.glob("*/*/Dockerfile"):
        assert f"ARG PYTHON_IMAGE={pinned['python']}\n" in dockerfile.read_text("utf-8")
    node = yaml.safe_load((ROOT / "k8s/versions.yaml").read_text("utf-8"))["cluster"]["node"]
    nodes = yaml.safe_load((ROOT / "k8s/kind.yaml").read_text("utf-8"))["nodes"]
    assert {each["image"] for each in nodes} == {node}


def production() -> list[dict[str, Any]]:
    """Every object of the examples."""
    files = sorted((ROOT / "k8s" / "prod").glob("*.yaml"))
    return [each for file in files for each in yaml.safe_load_all(file.read_text("utf-8"))]


def test_the_examples_for_production_are_objects_with_names() -> None:
    assert [each for each in production() if not (each["apiVersion"] and each["metadata"]["name"])] == []


def test_the_broker_is_scraped_for_what_alerts_ask() -> None:
    [monitor] = [each for each in production() if each["kind"] == "ServiceMonitor"]
    pages = {each["path"]: each.get("params", {}).get("family", []) for each in monitor["spec"]["endpoints"]}
    told = (ROOT / "docs/observability.md").read_text("utf-8")
    assert set(pages) == {"/metrics", "/metrics/detailed"}
    assert f"/metrics/detailed?{'&'.join(f'family={name}' for name in pages['/metrics/detailed'])}`" in told
    [policy] = [each for each in production() if each["kind"] == "NetworkPolicy"]
    assert 15691 in [port["port"] for rule in policy["spec"]["ingress"] for port in rule.get("ports", [])]


def only_container(file: Path) -> dict[str, Any]:
    [container] = json.loads(file.read_text("utf-8"))["containerDefinitions"]
    return dict(container)


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def grace(service: str) -> float:
    name = "shutdown_grace" if service == "ingress" else "grace"
    return max(
        float(each.model_fields[name].default) for each in knowledge(service).classes if name in each.model_fields
    )
