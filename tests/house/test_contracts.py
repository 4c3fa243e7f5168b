"""The import contracts of pyproject.toml: the tree keeps them, and each notices who breaks it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tree import ROOT

PACKAGES = ("libs/common/common", *(f"services/{name}/{name}" for name in ("ingress", "tgms", "sender", "dm")))
# A line for each contract that only this contract forbids, and where it is put.
CRIMES = {
    "Services share only common; common knows no service": ("dm/speaker.py", "import tgms.leader"),
    "Inside common: entries, runtime, adapters side by side, contracts, words": (
        "common/bus/ordered.py",
        "import common.store.inbox",
    ),
    "Inside the ingress: entry, app, endpoints, what they stand on": ("ingress/body.py", "import ingress.webhook"),
    "Inside tgms: entry, loops, the leader, handlers": ("tgms/handlers.py", "import tgms.leader"),
    "Inside the sender: entry, handlers, the ledger, rules": ("sender/surprise.py", ""),
    "Inside dm: entry, dispatcher and job handler, conversations, their tools": (
        "dm/texts/__init__.py",
        "import dm.calls",
    ),
    "Rules decide and never act": ("common/queues.py", "import aiohttp"),
    "SQL has one home": ("sender/handlers.py", "import asyncpg"),
    "AMQP has one home": ("tgms/relay.py", "import aio_pika"),
    "aiogram speaks only in dm": ("tgms/housekeeping.py", "import aiogram"),
    "Tokens are opened in one place": ("dm/session.py", "import cryptography"),
    "The ingress starts cold: no aiogram and no door to the Bot API, not even through others": (
        "ingress/flush.py",
        "import common.runtime",
    ),
    "Test doubles never ship": ("common/health.py", "import pytest"),
    "The simulated Telegram is nobody's: it knows nothing of Muster": ("telegram_sim/clock.py", "import common.ids"),
    "The command line is a client: HTTP is all it has": ("muster_cli/figures.py", "import common.ids"),
}


def test_every_contract_is_tried() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    assert {contract["name"] for contract in settings["contracts"]} == CRIMES.keys()


def test_the_tree_keeps_them() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.timeout(60)
def test_each_contract_sees_its_crime(tmp_path: Path) -> None:
    for package in (*PACKAGES, "tools/telegram/telegram_sim", "tools/cli/muster_cli"):
        shutil.copytree(ROOT / package, tmp_path / Path(package).name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for place, line in CRIMES.values():
        with (tmp_path / place).open("a") as file:
            file.write(f"\n{line}\n")
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout
    text = " ".join(done.stdout.split())
    assert [name for name in CRIMES if f"{name} BROKEN" not in text] == []


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["lint-imports", "--no-logo", "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200", "PATH": venv_first()},
        capture_output=True,
        text=True,
        check=False,
    )


def venv_first() -> str:
    """lint-imports is this environment's, whoever started the test."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
