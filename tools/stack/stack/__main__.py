"""`python -m stack …`: the tools behind the Makefile."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from stack import compose, helm, images, images_try, suite
from stack.check import check_command
from stack.down import down_command, logs_command, reset_command
from stack.errors import StackError
from stack.locks import lock_command
from stack.servers import cli as servers
from stack.smoke import smoke_command
from stack.up import up_command

VERBS: Final = (
    ("up", up_command, "the whole system, until Ctrl-C"),
    ("smoke", smoke_command, "up, one message, down; one line"),
    ("check", check_command, "format, lint, import rules, types"),
    ("down", down_command, "stop what runs"),
)


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb; a StackError becomes its story on standard error and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    commands = parser.add_subparsers(required=True)
    servers.add_parser(commands)
    suite.add_parser(commands)
    compose.add_parser(commands)
    images.add_parser(commands)
    images_try.add_parser(commands)
    helm.add_parser(commands)
    for name, act, text in VERBS:
        commands.add_parser(name, help=text).set_defaults(act=act)
    logs = commands.add_parser("logs", help="follow the logs")
    logs.add_argument("names", nargs="*", metavar="SERVICE")
    logs.set_defaults(act=logs_command)
    reset = commands.add_parser("reset", help="stop, and delete this checkout's data")
    reset.add_argument("--yes", action="store_true", help="without being asked")
    reset.set_defaults(act=reset_command)
    lock = commands.add_parser("lock", help="renew the requirement locks")
    lock.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    lock.add_argument("--check", action="store_true", help="only say whether they are stale")
    lock.set_defaults(act=lock_command)
    arguments = parser.parse_args(words)
    try:
        code: int = arguments.act(arguments)
    except BrokenPipeError:
        # Whoever read has enough (`make logs | head`); the interpreter's own flush at the end would say it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except StackError as error:
        print("\n".join(error.lines()), file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
