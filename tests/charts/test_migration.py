"""What prepares database and queues: before the release, with its own way to them, as a hook or as a plain Job."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from matrix import WORKLOADS, muster
from rendering import CHARTS, Object, containers, of_kind, render, selected

# One Python is enough for what Helm renders; the first test on a machine fetches Helm.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

LOADS = [pytest.param(name, id=name) for name in WORKLOADS]
HOOK = "helm.sh/hook"


def test_schema_and_queues_come_before_the_workers_and_need_nothing_of_the_release() -> None:
    objects = muster("default")
    job = of_kind(objects, "Job")["muster-migration"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    spec = job["spec"]["template"]["spec"]
    assert [each["command"][3] for each in containers(spec)] == ["migrate", "topology"]
    assert {tuple(each["command"][4:]) for each in containers(spec)} == {("--wait", "60")}  # refused for a moment
    assert "serviceAccountName" not in spec
    made = {each["metadata"]["name"] for kind in ("Secret", "ConfigMap") for each in of_kind(objects, kind).values()}
    assert references(spec) & made == set()


@pytest.mark.parametrize("name", LOADS)
def test_a_job_before_the_release_may_reach_its_servers_before_the_release(name: str) -> None:
    objects = muster(name)
    job = next(iter(of_kind(objects, "Job").values()))
    labels = job["spec"]["template"]["metadata"]["labels"]
    hook = job["metadata"]["annotations"].get(HOOK)
    taking = {
        policy: each
        for policy, each in of_kind(objects, "NetworkPolicy").items()
        if selected(each["spec"]["podSelector"], labels) and "egress" in each["spec"]
    }
    # The one of the release keeps its name and is no hook: an upgrade would take it away, a rollback could not make it.
    assert set(taking) == {"muster-migration", *(["muster-migration-hook"] if hook else [])}
    assert "annotations" not in taking["muster-migration"]["metadata"]
    ports = {53, 5432} | ({5671} if name == "prod" else {5671, 5672})
    for each in taking.values():
        assert {port["port"] for rule in each["spec"]["egress"] for port in rule["ports"]} == ports
    if hook:
        told = taking["muster-migration-hook"]["metadata"]["annotations"]
        assert told[HOOK] == hook
        assert int(told["helm.sh/hook-weight"]) < int(job["metadata"]["annotations"]["helm.sh/hook-weight"])
        # One that stayed would bind the Job even after the policies were turned off.
        assert told["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"


@pytest.mark.parametrize("values", [{"migration": {"enabled": False}}, {"networkPolicy": {"enabled": False}}], ids=str)
def test_without_a_job_or_policies_there_is_no_policy_before_it(values: dict[str, Any]) -> None:
    assert "muster-migration-hook" not in of_kind(render("muster", values=values), "NetworkPolicy")


def test_without_hooks_each_pod_has_a_job_of_its_own(tmp_path: Path) -> None:
    # A Job's pod can't be changed: where a value changes it, the upgrade needs a Job with another name.
    shutil.copytree(CHARTS / "muster", tmp_path / "muster")
    chart = tmp_path / "muster" / "Chart.yaml"
    chart.write_text(chart.read_text("utf-8").replace("\nversion: 0.1.0\n", "\nversion: 0.1.1\n"), "utf-8")
    plain = {"migration": {"useHelmHooks": False}}
    [first] = of_kind(render("muster", values=plain), "Job").values()
    [newer] = of_kind(render("muster", values=plain, root=tmp_path), "Job").values()
    assert newer["metadata"]["labels"]["helm.sh/chart"] == "muster-0.1.1"
    assert newer["metadata"]["name"] == first["metadata"]["name"]
    assert newer["spec"] == first["spec"]
    for changed in (
        {"tracing": {"endpoint": "http://collector:4318"}},
        {"secrets": {"caBundle": {"name": "authorities", "key": "ca.crt"}}},
        {"secrets": {"databaseUrl": {"name": "another"}}},
        {"readOnlyRootFilesystem": False},
        {"image": {"pullPolicy": "Always"}},
        {"migration": {"useHelmHooks": False, "resources": {"limits": {"memory": "1Gi"}}}},
    ):
        [job] = of_kind(render("muster", values={**plain, **changed}), "Job").values()
        assert job["spec"] != first["spec"], changed
        assert job["metadata"]["name"] != first["metadata"]["name"], changed


def test_without_hooks_each_image_has_a_job_of_its_own() -> None:
    names = {
        tag: next(
            iter(of_kind(render("muster", values={"image": {"tag": tag}, "migration": {"useHelmHooks": False}}), "Job"))
        )
        for tag in ("1.0.0", "1.0.1")
    }
    assert names["1.0.0"] != names["1.0.1"]
    job = of_kind(muster("all on"), "Job")
    assert next(iter(job.values()))["metadata"]["annotations"] == {"argocd.argoproj.io/hook": "PreSync"}


def test_migrations_may_have_a_role_of_their_own() -> None:
    job = next(iter(of_kind(muster("prod"), "Job").values()))
    [migrate, topology] = containers(job["spec"]["template"]["spec"])
    assert migrate["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "muster-postgres", "key": "DATABASE_URL_UNPOOLED"}
    assert topology["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "muster-rabbitmq", "key": "AMQP_URL"}


def references(spec: Object) -> set[str]:
    """Names of Secrets and ConfigMaps that a pod needs."""
    found = {each.get("secret", {}).get("secretName") for each in spec["volumes"]}
    found |= {each.get("configMap", {}).get("name") for each in spec["volumes"]}
    for each in containers(spec):
        found |= {v.get("valueFrom", {}).get("secretKeyRef", {}).get("name") for v in each["env"]}
    return found - {None}
