"""`make smoke`: the whole system up on free ports, one message answered, everything down again."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from stack.console import Console
from stack.demo import first_message
from stack.errors import StackError
from stack.keeper import sweep
from stack.servers import Wish
from stack.servers.accounts import outside_home
from stack.servers.docker import remove_containers
from stack.signals import EndRequested, ends_raise
from stack.system import running

MARK: Final = "muster-smoke-"


def smoke_command(_: argparse.Namespace) -> int:
    """One line on standard output; progress and errors go to standard error; non-zero when anything is missing."""
    console = Console(sys.stderr)
    state = Path(tempfile.mkdtemp(prefix=MARK))
    state.chmod(0o711)
    try:
        with ends_raise(), running(state, Wish.from_environment(), console) as system:
            line = first_message(system).line
        _insist_on_nothing_left(state)
    except EndRequested:
        return 130
    except StackError as error:
        console.error(error.lines())
        return 1
    finally:
        remove_containers(state, volumes=True)
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(outside_home(state), ignore_errors=True)
    print(line)
    return 0


def _insist_on_nothing_left(state: Path) -> None:
    left = sweep(state / "run")
    if left:
        raise StackError(f"still running after the stop: {', '.join(left)}")
