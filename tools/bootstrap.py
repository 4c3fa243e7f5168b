"""From a Python and nothing else to a development environment; then hands over to `python -m stack`.

python3 tools/bootstrap.py              set up .venv, or see that it is up to date
python3 tools/bootstrap.py VERB …       the same, then python -m stack VERB …

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")
OWN = ("libs/*/pyproject.toml", "services/*/pyproject.toml", "tools/*/pyproject.toml")


class SetupError(Exception):
    """What could not be done, and what to do about it."""


def main() -> int:
    """Set up, then become the verb."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, default=Path(os.environ.get("MUSTER_VENV") or ROOT / ".venv"))
    parser.add_argument("--quiet", action="store_true", help="say nothing when there is nothing to do")
    parser.add_argument("verb", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    take_a_new_enough_python()
    try:
        with one_at_a_time():
            set_up(arguments.venv.absolute(), quiet=arguments.quiet or bool(arguments.verb))
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.verb:
        python = str(arguments.venv.absolute() / "bin" / "python")
        os.execv(python, [python, "-m", "stack", *arguments.verb])
    return 0


def take_a_new_enough_python() -> None:
    """Start again with a newer interpreter where the default one is too old."""
    if sys.version_info >= OLDEST:
        return
    newer = next(filter(None, map(shutil.which, NEWER)), None)
    if newer is None:
        version = ".".join(map(str, sys.version_info[:2]))
        sys.exit(f"Muster needs Python 3.11 or newer; this is {version} and no newer one is on the PATH")
    os.execv(newer, [newer, *sys.argv])


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two that start at once would mend the same environment under each other's feet."""
    file = ROOT / ".cache" / "setup.lock"
    file.parent.mkdir(exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(venv: Path, *, quiet: bool) -> None:
    """Make the environment what the locks say; a stamp makes the next time short."""
    stamp, wanted = venv / "muster-stamp", fingerprint()
    if stamp.exists() and stamp.read_text() == wanted and (venv / "bin" / "python").exists():
        if not quiet:
            print(f"{venv} is up to date")
        return
    stamp.unlink(missing_ok=True)
    step("Python environment", make_venv, venv)
    step("installer", install_uv, venv)
    step("locked distributions", install_locked, venv)
    step("Muster itself, editable", install_own, venv)
    stamp.write_text(wanted)


def fingerprint() -> str:
    """Changes with the locks, with our own distributions and with the interpreter."""
    digest = hashlib.sha256(sys.version.encode())
    for file in [*sorted((ROOT / "requirements").glob("*.txt")), *own_projects()]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def own_projects() -> list[Path]:
    """The pyprojects of our own distributions."""
    return sorted(file for pattern in OWN for file in ROOT.glob(pattern))


def make_venv(venv: Path) -> None:
    """A virtual environment; Debian keeps the module for it in a package of its own."""
    if importlib.util.find_spec("ensurepip") is None:
        install_packages(f"python3.{sys.version_info.minor}-venv")
    if not usable(venv):
        run([sys.executable, "-m", "venv", "--clear", str(venv)])


def usable(venv: Path) -> bool:
    """Whether there is an environment of this very version, with pip in it."""
    python = venv / "bin" / "python"
    if not python.exists():
        return False
    question = "import pip, sys; print(sys.version)"
    answer = subprocess.run([str(python), "-c", question], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() == sys.version.strip()


def install_packages(name: str) -> None:
    """apt-get, as root or by sudo where it asks for no password."""
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", name]
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    able = shutil.which("apt-get") and (not sudo or shutil.which("sudo"))
    if not able or subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode != 0:
        raise SetupError(f"Python's venv module is missing. As root: {' '.join(command)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if subprocess.run([*sudo, *command], env=environment, capture_output=True, check=False).returncode != 0:
        run([*sudo, "apt-get", "update", "-q"])
        run([*sudo, *command])


def install_uv(venv: Path) -> None:
    """The installer and the build backend, by pip, with their hashes."""
    lock = str(ROOT / "requirements" / "build.txt")
    words = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        "-r",
        lock,
    ]
    run([str(venv / "bin" / "python"), *words])


def install_locked(venv: Path) -> None:
    """Exactly what the development lock names, compiled, because every service is started many times."""
    lock = str(ROOT / "requirements" / "dev.txt")
    uv(venv, "pip", "sync", "--require-hashes", "--compile-bytecode", lock)


def install_own(venv: Path) -> None:
    """Our own distributions as links into this checkout; without an index, their needs are installed already."""
    links = [word for file in own_projects() for word in ("-e", str(file.parent))]
    uv(venv, "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", *links)


def uv(venv: Path, *words: str) -> None:
    """uv, for that environment and with no configuration but ours."""
    python = str(venv / "bin" / "python")
    run([str(venv / "bin" / "uv"), *words[:2], "--quiet", "--no-config", "--python", python, *words[2:]])


def run(command: list[str]) -> None:
    """Run a command; its output only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise SetupError(f"{' '.join(command)}\nfailed with exit code {done.returncode}:\n{done.stdout.strip()}")


def step(title: str, work: Callable[[Path], None], venv: Path) -> None:
    """Do one step; on a terminal its name is there while it lasts."""
    begun = time.monotonic()
    if sys.stderr.isatty():
        print(f"  … {title}", end="\r", file=sys.stderr, flush=True)
    work(venv)
    print(f"  ✓ {title:<44} {time.monotonic() - begun:6.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
