"""`python -m stack …`: the tools behind the Makefile."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from stack.errors import StackError
from stack.servers import cli as servers


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb; a StackError becomes its story on standard error and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    commands = parser.add_subparsers(required=True)
    servers.add_parser(commands)
    arguments = parser.parse_args(words)
    try:
        code: int = arguments.act(arguments)
    except StackError as error:
        print("\n".join(error.lines()), file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
