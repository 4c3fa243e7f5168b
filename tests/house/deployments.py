"""What compose.yaml and the ECS example give each service, and what its settings classes know."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from common.settings import Settings
from pydantic import AliasChoices
from tree import ROOT

SERVICES = ("ingress", "tgms", "sender", "dm")
_FOREIGN = ("OTEL_",)  # OpenTelemetry's own


@dataclass
class Knowledge:
    """The variables that one service reads."""

    required: set[str] = field(default_factory=set)
    optional: set[str] = field(default_factory=set)
    classes: list[type[Settings]] = field(default_factory=list)

    def wrong(self, given: Mapping[str, object]) -> list[str]:
        """What is missing, and what nobody would read."""
        read = self.required | self.optional
        unread = [f"{name} is read by nobody" for name in given if name not in read and not name.startswith(_FOREIGN)]
        return [*(f"{name} is missing" for name in sorted(self.required - set(given))), *unread]


def knowledge(service: str) -> Knowledge:
    """From the classes in its `settings` module."""
    module, found = importlib.import_module(f"{service}.settings"), Knowledge()
    for _, each in inspect.getmembers(module, inspect.isclass):
        if not issubclass(each, Settings) or each.__module__ != module.__name__:
            continue
        found.classes.append(each)
        for name, info in each.model_fields.items():
            alias = info.validation_alias
            prefixed = f"{each.model_config.get('env_prefix', '')}{name}".upper()
            variable = str(alias.choices[0]) if isinstance(alias, AliasChoices) else prefixed
            (found.required if info.is_required() else found.optional).add(variable)
    return found


def compose() -> dict[str, Any]:
    """compose.yaml, its anchors resolved."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return found


def ecs_files() -> list[Path]:
    """One a worker."""
    return sorted((ROOT / "deploy" / "ecs").glob("*.json"))


def images_named() -> Iterator[tuple[str, str, str]]:
    """(file, part, image) wherever a third party's image is named, but in k8s/versions.yaml."""
    for name, service in compose()["services"].items():
        reference = service["image"]
        if not reference.startswith("muster-"):
            yield "compose.yaml", name, reference.partition(":-")[2].rstrip("}")
    values = yaml.safe_load((ROOT / "charts/muster-devinfra/values.yaml").read_text("utf-8"))
    for name, part in values.items():
        if isinstance(part, dict) and "image" in part and not part["image"].startswith("muster-"):
            yield "charts/muster-devinfra/values.yaml", name, part["image"]
