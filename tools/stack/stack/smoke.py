"""`make smoke`: the whole system up on free ports, one message answered, everything down again."""

from __future__ import annotations

import argparse
import sys

from stack.console import Console
from stack.demo import first_message
from stack.errors import StackError
from stack.fleet import BOTS, GROUPS, Stage, first_broadcast
from stack.servers import Wish, temporary_state
from stack.signals import EndRequested, ends_raise
from stack.system import running


def smoke_command(_: argparse.Namespace) -> int:
    """One line on standard output; progress and errors go to standard error; non-zero when anything is missing."""
    console = Console(sys.stderr)
    try:
        with ends_raise():
            line = smoke(console)
    except EndRequested:
        return 130
    except StackError as error:
        console.error(error.lines())
        return 1
    print(line)
    return 0


def smoke(console: Console) -> str:
    """What came of it; an error also when anything is still there afterwards."""
    with temporary_state("muster-smoke-") as (state, keeper):
        with running(state, keeper, Wish.from_environment(), console) as system:
            line = first_message(system).line
            with console.step(f"{BOTS} bots with {GROUPS} groups each, and a broadcast to all of them") as step:
                line = f"{line}; {first_broadcast(Stage.of(system, state), step.note).line}"
        children = [child.identity for child in keeper.children]
    left = [str(who.pid) for who in children if who.alive()]
    if left or state.exists():
        raise StackError(f"still there after the stop: {' '.join(left)} {state}")
    return line
