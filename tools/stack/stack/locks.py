"""The hashed requirement locks: how they are made, and how one sees that they are stale."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.errors import StackError
from stack.manifests import Manifest, distributions, read, resolved
from stack.state import checkout

PYTHON: Final = "3.11"  # the oldest one that the locks must fit
MARK: Final = "# inputs sha256: "
PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
IMAGES: Final = {
    "ingress": "muster-ingress",
    "tgms": "muster-tgms",
    "sender": "muster-sender",
    "dm": "muster-dm",
    "telegram": "muster-telegram-sim",
}


@dataclass(frozen=True)
class Lock:
    """One lock file and the requirements it is made from."""

    name: str
    requirements: Sequence[str]

    @property
    def digest(self) -> str:
        """Changes whenever the pyprojects ask for something else."""
        return hashlib.sha256("\n".join([PYTHON, *self.requirements]).encode()).hexdigest()

    def file(self, root: Path) -> Path:
        """Where it is."""
        return root / "requirements" / f"{self.name}.txt"


def locks(root: Path) -> list[Lock]:
    """All of them; `dev` is the union and comes first, because it fixes the versions of the others."""
    own = distributions(root)
    tools = read(root / "pyproject.toml")
    builds = sorted({requirement for manifest in own.values() for requirement in manifest.builds_with})
    installer = [
        requirement for group in tools.groups.values() for requirement in group if requirement.startswith("uv")
    ]
    everything = [*builds, *(word for group in tools.groups.values() for word in group), *_all(own)]
    return [
        Lock("dev", resolved(everything, own)),
        Lock("build", resolved([*builds, *installer], own)),
        Lock("reload", sorted(tools.groups["reload"])),
        *(Lock(name, resolved([distribution], own)) for name, distribution in IMAGES.items()),
    ]


def stale(root: Path) -> list[str]:
    """Which lock files no longer say what the pyprojects ask for, or are not there."""
    return [lock.name for lock in locks(root) if MARK + lock.digest not in _text(lock.file(root)).splitlines()]


def pins(text: str) -> Mapping[str, set[str]]:
    """The versions that a lock file names for each distribution; a universal lock may have several."""
    found: dict[str, set[str]] = {}
    for name, version in PIN.findall(text):
        found.setdefault(name, set()).add(version)
    return found


def renew(root: Path, *, upgrade: bool = False) -> None:
    """Resolve all of them again; without `upgrade` a version stays as long as it fits."""
    constraint: Path | None = None
    for lock in locks(root):
        file = lock.file(root)
        body = _compile(lock, existing=None if upgrade else file, constraint=constraint)
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"# Made by `make lock` from the pyprojects; not to be edited.\n{MARK}{lock.digest}\n{body}")
        constraint = constraint or file
        print(f"{file.relative_to(root)}: {len(pins(body))} distributions")


def lock_command(arguments: argparse.Namespace) -> int:
    """`python -m stack lock`."""
    if arguments.check:
        old = stale(checkout())
        print(f"stale: {', '.join(old)}; run make lock" if old else "the locks are fresh")
        return 1 if old else 0
    renew(checkout(), upgrade=arguments.upgrade)
    return 0


def _compile(lock: Lock, *, existing: Path | None, constraint: Path | None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "lock.txt")
        if existing is not None and existing.exists():
            output.write_text(existing.read_text())  # uv keeps the versions that it finds in its output
        words = ["pip", "compile", "-", "--universal", "--generate-hashes", "--python-version", PYTHON]
        words += ["--no-header", "--no-annotate", "--quiet", "--no-config", "--output-file", str(output)]
        if constraint is not None:
            words += ["--constraint", str(constraint)]
        uv = Path(sys.executable).with_name("uv")
        text = "\n".join(lock.requirements)
        done = subprocess.run(
            [str(uv), *words], input=text, text=True, capture_output=True, env=_environment(), cwd=folder, check=False
        )
        if done.returncode != 0:
            raise StackError(f"uv could not resolve requirements/{lock.name}.txt:\n{done.stderr.strip()}")
        return output.read_text()


def _environment() -> dict[str, str]:
    # Extra sources of one machine must not decide what everybody gets.
    leaks = {"UV_FIND_LINKS", "PIP_FIND_LINKS", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_PRERELEASE", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in leaks}


def _all(own: Mapping[str, Manifest]) -> list[str]:
    return [f"{name}[{','.join(manifest.extras)}]" for name, manifest in own.items()]


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""
