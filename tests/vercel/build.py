"""Builds the ingress as Vercel does, without Vercel: the tracked tree in a scratch folder, the CLI from npm, uv of
its version.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".cache" / "vercel"
CLI = "vercel@60.1.3"  # newer ones pin packages that are not everywhere
UV = "uv==0.10.11"  # the one that this CLI would fetch
PROJECT = {
    "projectId": "prj_x",
    "orgId": "team_x",
    "projectName": "ingress",
    "settings": {"framework": "fastapi", "rootDirectory": "services/ingress"},
}


def python312() -> Path | None:
    """Vercel's default runtime; on PATH or under pyenv."""
    found = shutil.which("python3.12")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [*([Path(found)] if found else []), *sorted(pyenv.glob("3.12.*/bin/python3.12"))]
    return next(
        (p for p in candidates if subprocess.run([p, "-V"], capture_output=True, check=False).returncode == 0), None
    )


def build(scratch: Path, python: Path) -> Path:
    """The self-contained function's folder; RuntimeError with the CLI's last words where the build fails."""
    _install(python)
    _copy_tree(scratch)
    (scratch / ".vercel").mkdir()
    (scratch / ".vercel" / "project.json").write_text(json.dumps(PROJECT))
    path = os.pathsep.join(map(str, (TOOLS / "uv/bin", TOOLS / "node/node_modules/.bin", python.parent)))
    environment = {k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "DATABASE_URL", "AMQP_URL"}}
    environment |= {"VERCEL_TELEMETRY_DISABLED": "1", "CI": "1", "PATH": path + os.pathsep + os.environ["PATH"]}
    done = subprocess.run(
        ["vercel", "build", "--yes", "--prod", "--standalone"],
        cwd=scratch,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-2000:])
    return scratch / ".vercel" / "output" / "functions" / "fastapi.func"


def _install(python: Path) -> None:
    if not (TOOLS / "node/node_modules/.bin/vercel").exists():
        npm = ["npm", "install", "--prefix", str(TOOLS / "node"), "--no-save", "--no-audit", "--no-fund", CLI]
        subprocess.run(npm, check=True, capture_output=True, timeout=300)
    if not (TOOLS / "uv/bin/uv").exists():
        subprocess.run([python, "-m", "venv", TOOLS / "uv"], check=True)
        subprocess.run([TOOLS / "uv/bin/pip", "install", "-q", UV], check=True, timeout=300)


def _copy_tree(target: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)
