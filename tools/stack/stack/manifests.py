"""What the distributions of this checkout ask for, read from their pyprojects."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

OWN: Final = "muster-"
FOLDERS: Final = ("libs/*", "services/*", "tools/*")
REQUIREMENT: Final = re.compile(r"^\s*([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?")


@dataclass(frozen=True)
class Manifest:
    """One pyproject's dependency tables."""

    name: str
    folder: Path
    python: str
    requires: Sequence[str]
    extras: Mapping[str, Sequence[str]]
    builds_with: Sequence[str]
    groups: Mapping[str, Sequence[str]]


def read(file: Path) -> Manifest:
    """The tables of one pyproject."""
    data: dict[str, Any] = tomllib.loads(file.read_text())
    project = data["project"]
    return Manifest(
        name=project["name"],
        folder=file.parent,
        python=project["requires-python"],
        requires=project.get("dependencies", []),
        extras=project.get("optional-dependencies", {}),
        builds_with=data.get("build-system", {}).get("requires", []),
        groups=data.get("dependency-groups", {}),
    )


def distributions(root: Path) -> dict[str, Manifest]:
    """Every distribution of ours by its name."""
    files = sorted(file for pattern in FOLDERS for file in root.glob(f"{pattern}/pyproject.toml"))
    return {manifest.name: manifest for manifest in map(read, files)}


def resolved(requirements: Sequence[str], own: Mapping[str, Manifest]) -> list[str]:
    """Those requirements with ours replaced by what they ask for in turn: what an index has to be asked for."""
    return sorted(set(_walk(requirements, own)))


def _walk(requirements: Sequence[str], own: Mapping[str, Manifest]) -> Iterator[str]:
    for requirement in requirements:
        name, extras = _parse(requirement)
        if not name.startswith(OWN):
            yield requirement
            continue
        manifest = own[name]
        yield from _walk(manifest.requires, own)
        for extra in extras:
            yield from _walk(manifest.extras[extra], own)


def _parse(requirement: str) -> tuple[str, list[str]]:
    found = REQUIREMENT.match(requirement)
    if found is None:
        raise ValueError(f"not a requirement: {requirement!r}")
    name, extras = found.groups()
    return name.lower().replace("_", "-"), [extra.strip() for extra in (extras or "").split(",") if extra.strip()]
