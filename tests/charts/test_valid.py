"""Every set of values makes objects that every supported Kubernetes, KEDA and the Prometheus operator would take."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import kubernetes_validate.utils
import pytest
import yaml
from jsonschema import Draft202012Validator
from matrix import DEVINFRA, MUSTER, SUPPORTED, devinfra, muster
from rendering import CHARTS, NAMESPACE, Object, RefusedError, of_kind, render
from stack.helm import helm

# One Python is enough for what Helm renders; the first test on a machine fetches Helm.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CRDS = Path(__file__).parent / "crds"
EVERYTHING = [("muster", name) for name in MUSTER] + [("muster-devinfra", name) for name in DEVINFRA]

# It reads a megabyte of definitions again for each object.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)


@pytest.mark.parametrize(("chart", "name"), EVERYTHING)
def test_the_objects_are_valid(chart: str, name: str) -> None:
    objects = rendered(chart, name)
    assert [error for each in objects for error in errors(each)] == []


@pytest.mark.parametrize(("chart", "name"), EVERYTHING)
def test_every_object_is_named_once_and_has_its_place(chart: str, name: str) -> None:
    objects = rendered(chart, name)
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(names) == len(set(names))
    assert {each["metadata"]["namespace"] for each in objects} <= {NAMESPACE}
    assert all(each["metadata"]["labels"]["app.kubernetes.io/instance"] for each in objects)


@pytest.mark.parametrize("chart", ["muster", "muster-devinfra"])
def test_what_is_rendered_does_not_depend_on_the_clusters_version(chart: str) -> None:
    first, *others = (without_random(render(chart, kube=f"{version}.0")) for version in SUPPORTED)
    assert all(other == first for other in others)


@pytest.mark.parametrize("chart", ["muster", "muster-devinfra"])
def test_a_cluster_that_is_too_old_is_refused(chart: str) -> None:
    with pytest.raises(RefusedError, match=r"incompatible with Kubernetes v1\.32"):
        render(chart, kube="1.32.0")


@pytest.mark.parametrize("chart", ["muster", "muster-devinfra"])
def test_helm_finds_nothing_to_say(chart: str) -> None:
    folder = CHARTS / chart
    for file in sorted(folder.glob("values*.yaml")):
        words = [str(helm()), "lint", "--strict", "--quiet", str(folder), "--values", str(file)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, ""), file.name


def test_names_stay_within_63_characters() -> None:
    objects = render("muster", values={"monitoring": {"podMonitor": {"enabled": True}}}, release="r" * 53)
    assert max(len(each["metadata"]["name"]) for each in objects) <= 63
    assert [error for each in objects for error in errors(each)] == []


def test_a_misspelt_field_is_seen() -> None:
    scaled = of_kind(muster("default"), "ScaledObject")["muster-sender"]
    wrong = {**scaled, "spec": {**scaled["spec"], "minReplicas": 1}}
    assert errors(scaled) == []
    assert len(errors(wrong)) == 1
    deployment = of_kind(muster("default"), "Deployment")["muster-tgms"]
    assert errors({**deployment, "spec": {**deployment["spec"], "replica": 1}}) != []


def rendered(chart: str, name: str) -> list[Object]:
    return muster(name) if chart == "muster" else devinfra(name)


def errors(thing: Object) -> list[str]:
    """What is wrong with it: by the project's own schema for the kinds of others, by each release's for Kubernetes'."""
    group, label = thing["apiVersion"].split("/")[0], f"{thing['kind']} {thing['metadata']['name']}"
    if group in {"keda.sh", "monitoring.coreos.com"}:
        found = crd(group, thing["kind"]).iter_errors(thing)
        return [f"{label}: {error.json_path} {error.message}" for error in found]
    return [f"{label}: {found}" for found in kubernetes_errors(json.dumps(thing, sort_keys=True))]


@cache
def kubernetes_errors(thing: str) -> list[str]:
    """Once for objects that many sets of values share."""
    wrong = []
    for version in SUPPORTED:
        try:
            kubernetes_validate.validate(json.loads(thing), version, strict=True)
        except kubernetes_validate.ValidationError as error:
            wrong.append(f"{version} {error.message}")
    return wrong


@cache
def crd(group: str, kind: str) -> Any:
    return Draft202012Validator(yaml.safe_load((CRDS / f"{group}.{kind}.yaml").read_text("utf-8")))


def without_random(objects: list[Object]) -> list[Object]:
    return [each for each in objects if each["kind"] != "Secret"]
