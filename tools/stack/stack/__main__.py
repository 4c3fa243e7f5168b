"""`python -m stack …`: the tools behind the Makefile."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from stack.errors import StackError
from stack.locks import lock_command
from stack.servers import cli as servers


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb; a StackError becomes its story on standard error and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    commands = parser.add_subparsers(required=True)
    servers.add_parser(commands)
    lock = commands.add_parser("lock", help="renew the requirement locks")
    lock.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    lock.add_argument("--check", action="store_true", help="only say whether they are stale")
    lock.set_defaults(act=lock_command)
    arguments = parser.parse_args(words)
    try:
        code: int = arguments.act(arguments)
    except StackError as error:
        print("\n".join(error.lines()), file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
