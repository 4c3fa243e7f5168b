"""Charts rendered by the real Helm, once for each set of values, and what is asked of the objects again and again."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from stack.helm import helm

ROOT = Path(__file__).parents[2]
CHARTS = ROOT / "charts"
NAMESPACE = "somewhere"
Object = dict[str, Any]


class RefusedError(Exception):
    """Helm would not render it; the text is what a person sees."""


def render(
    chart: str,
    *files: str,
    values: Mapping[str, Any] | None = None,
    release: str = "muster",
    kube: str = "1.34.0",
    root: Path = CHARTS,
) -> list[Object]:
    """`files` are the chart's own values files, `values` come last."""
    return _render(root / chart, files, json.dumps(values or {}), release, kube)


@cache
def _render(chart: Path, files: tuple[str, ...], values: str, release: str, kube: str) -> list[Object]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as given:
        given.write(values)
        given.flush()
        words = ["template", release, str(chart), "--namespace", NAMESPACE, "--kube-version", kube]
        words += [word for file in (*(str(chart / name) for name in files), given.name) for word in ("--values", file)]
        done = subprocess.run([str(helm()), *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RefusedError(done.stderr)
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    """By name."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def pods(objects: list[Object]) -> Iterator[tuple[str, Object, Object]]:
    """(name, labels, spec) of every pod that the objects would make."""
    for each in objects:
        name = f"{each['kind']} {each['metadata']['name']}"
        if each["kind"] == "Pod":
            yield name, each["metadata"]["labels"], each["spec"]
        elif each["kind"] in {"Deployment", "StatefulSet", "Job"}:
            template = each["spec"]["template"]
            yield name, template["metadata"]["labels"], template["spec"]


def containers(spec: Object) -> list[Object]:
    """Of one pod, those that only run at its start too."""
    return [*spec.get("initContainers", []), *spec["containers"]]


def selected(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes what has these labels."""
    equal = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return equal and all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"]
        for each in selector.get("matchExpressions", [])
    )


def component(objects: list[Object], name: str, release: str = "muster") -> Object:
    """The Deployment of one service."""
    return of_kind(objects, "Deployment")[f"{release}-{name}"]


def environment(deployment: Object) -> dict[str, str]:
    """What its container is told; a value from a Secret is `secret:NAME/KEY`."""
    told = {}
    for each in deployment["spec"]["template"]["spec"]["containers"][0]["env"]:
        source = each.get("valueFrom", {}).get("secretKeyRef")
        told[each["name"]] = f"secret:{source['name']}/{source['key']}" if source else str(each.get("value", ""))
    return told
