"""`python -m common …`: what an operator would run by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stack.errors import StackError
from stack.services import child_environment


def migrate(environment: Mapping[str, str], log: Path) -> None:
    """Bring the database's schema to the newest version."""
    _run(["migrate"], environment, log)


def declare_topology(environment: Mapping[str, str], log: Path) -> None:
    """Declare queues, retry ladders and dead letters."""
    _run(["topology"], environment, log)


def add_bot(environment: Mapping[str, str], log: Path, *, token: str, webhook: str) -> Mapping[str, Any]:
    """Register a bot and set its webhook; the answer names its id and username."""
    answer = _run(["bot", "add", "--webhook-url", webhook], environment, log, token=token)
    found: Mapping[str, Any] = json.loads(answer.strip().splitlines()[-1])
    return found


def new_key(environment: Mapping[str, str], log: Path) -> str:
    """A key for the API that may do everything, in a hurry; it is in no log."""
    words = ["key", "new", "--name", "demo", "--scope", "*", "--per-second", "1000", "--burst", "1000"]
    answer = _run(words, environment, log, secret=True)
    return str(json.loads(answer.strip().splitlines()[-1])["key"])


def _hint(verb: str) -> str | None:
    variable = {"migrate": "DATABASE_URL", "topology": "AMQP_URL"}.get(verb)
    if variable is None:
        return None
    if os.environ.get(variable):
        return f"{variable} leads to a server that answers: are user, password and the path in it right?"
    return "make reset deletes this checkout's data and begins anew"


def _run(
    words: Sequence[str], environment: Mapping[str, str], log: Path, *, token: str = "", secret: bool = False
) -> str:
    log.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "common", *words],
        env={**child_environment(), **environment},
        input=token + "\n",  # by standard input: a command line can be read by every user
        capture_output=True,
        text=True,
        check=False,
    )
    with log.open("a") as file:
        said = "(a secret)\n" if secret else done.stdout
        file.write(f"$ python -m common {' '.join(words)}\n{said}{done.stderr}")
    if done.returncode != 0:
        said = done.stderr.strip() or f"it ended with exit code {done.returncode}; see {log}"
        raise StackError(f"python -m common {words[0]}: {said}", hint=_hint(words[0]))
    return done.stdout
