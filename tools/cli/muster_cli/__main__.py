"""`muster`: reads the command line, does the verb, and ends with a code that scripts can use."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version

from muster_cli import options, settings
from muster_cli.client import Client
from muster_cli.errors import INTERRUPTED, REFUSED, Failure
from muster_cli.options import Context
from muster_cli.screen import Screen
from muster_cli.verbs import audit, bots, broadcasts, groups, keys, media, schedules, send, webhooks

_EPILOG = """examples:
  export MUSTER_URL=https://muster.example.org MUSTER_API_KEY=…
  muster send --tag berlin --dry-run 'We meet at noon.'
  muster broadcasts watch 12
  muster groups list --sendable no

exit codes: 0 done; 1 refused by the API; 2 usage, or not confirmed; 3 the API can't be reached;
            4 a watched broadcast has ended, and not everybody has got it;
            5 its content paused it, and no terminal is there; 6 it has not ended within --give-up-after"""
_BROKEN_PIPE = 141  # as shells count SIGPIPE


def main() -> None:
    """Console script."""
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """The exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a group's title may hold what this machine can't show
    given = parser().parse_args(_bound(words))
    screen = Screen(as_json=given.json)
    try:
        code = _do(given, screen)
        sys.stdout.flush()
    except Failure as failure:
        screen.failure(failure)
        return failure.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except OSError as error:
        screen.failure(Failure(REFUSED, f"standard output can't be written: {error.strerror}"))
        return REFUSED
    return code


def parser() -> argparse.ArgumentParser:
    """With all verbs."""
    top = options.Terse(
        prog="muster",
        description="Muster by its HTTP API: broadcasts, schedules, groups, bots, keys, webhooks and what was changed.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"muster {version('muster-cli')}")
    options.common(top, defaults=True)
    verbs = top.add_subparsers(required=True, metavar="VERB", title="verbs", parser_class=options.Parser)
    for each in (send, media, broadcasts, schedules, groups, bots, keys, webhooks, audit):
        each.add(verbs)
    return top


def _do(given: argparse.Namespace, screen: Screen) -> int:
    wanted = settings.load(given)
    if wanted.in_the_clear:
        screen.note("the API key travels unencrypted: use https where others can listen")
    with Client(wanted, screen.note) as client:
        code: int = given.run(Context(given, wanted, client, screen))
    return code


def _bound(words: Sequence[str]) -> list[str]:
    """`--copy -100123:42` as one word: argparse takes what begins with a minus and is no number for an option."""
    bound: list[str] = []
    for word in words:
        if bound and bound[-1] == "--copy" and re.fullmatch(r"-\d+:\d+", word):
            bound[-1] = f"--copy={word}"
        else:
            bound.append(word)
    return bound


if __name__ == "__main__":
    main()
