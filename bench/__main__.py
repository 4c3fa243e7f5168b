"""`python -m bench webhook|dm|pacing|meetings|sender`: how fast Muster is, beside others, in one run."""

from __future__ import annotations

import argparse
import sys

from stack.errors import StackError

from bench import dm, meetings, pacing, sender, webhook
from bench.load import NoLoadGenerator


def main() -> int:
    """0 done, 1 something was wrong with what was measured, 2 bad usage."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="BENCH")
    for module in (webhook, dm, pacing, meetings, sender):
        name = module.__name__.rpartition(".")[2]
        verb = verbs.add_parser(name, help=module.__doc__, description=module.__doc__)
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    options = parser.parse_args()
    try:
        code: int = options.run(options)
    except (StackError, NoLoadGenerator) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
