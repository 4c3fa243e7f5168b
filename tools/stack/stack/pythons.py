"""Which newer interpreters this machine has, wherever they were put."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

NEWER: Final = ((3, 12), (3, 13))
PROBE: Final = "import sys, ssl, ensurepip, venv; print(sys.version_info[0], sys.version_info[1], sys.executable)"

Version = tuple[int, int]


def newer_pythons() -> dict[Version, Path]:
    """The interpreters of the versions that are tested beside the default one, each really started once."""
    wanted = [version for version in NEWER if version > sys.version_info[:2]]
    found = {version: [probe(path, version) for path in candidates(version)] for version in wanted}
    return {version: next(filter(None, paths)) for version, paths in found.items() if any(paths)}


def candidates(version: Version) -> Iterator[Path]:
    """Where one might be: the PATH, pyenv's folder, and what uv knows; nothing is downloaded."""
    name = f"python{version[0]}.{version[1]}"
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version[0]}.{version[1]}*/bin/{name}"), reverse=True)
    uv = Path(sys.executable).with_name("uv")
    words = [str(uv), "python", "find", "--no-python-downloads", f"{version[0]}.{version[1]}"]
    answer = subprocess.run(words, capture_output=True, text=True, check=False) if uv.exists() else None
    if answer is not None and answer.returncode == 0:
        yield Path(answer.stdout.strip())


def probe(path: Path, version: Version) -> Path | None:
    """The interpreter behind that path; None where it is a shim that leads nowhere, or another version."""
    try:
        answer = subprocess.run([str(path), "-c", PROBE], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    major, minor, executable = [*answer.stdout.split(maxsplit=2), "", "", ""][:3]
    return Path(executable.strip()) if (major, minor) == tuple(map(str, version)) else None
