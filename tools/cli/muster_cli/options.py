"""What all verbs have in common: --url, --key-file, --timeout, --json, and a help that shows examples."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from muster_cli import kinds
from muster_cli.clean import clean
from muster_cli.client import Client
from muster_cli.errors import USAGE
from muster_cli.screen import Screen
from muster_cli.settings import Settings

_LONGEST_KEY = 250  # characters: the API takes 255, of which a command of several requests needs a few


@dataclass(frozen=True)
class Context:
    """What a verb works with."""

    options: argparse.Namespace
    settings: Settings
    client: Client
    screen: Screen


Verb = Callable[[Context], int]
Verbs = Any  # argparse keeps the class of its subparsers to itself
Arguments = Any  # and those of its groups of arguments


class Terse(argparse.ArgumentParser):
    """A slip is said without the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        """And where the options are."""
        self.exit(USAGE, f"{self.prog}: {clean(message)}\n  see {self.prog} --help\n")


class Parser(Terse):
    """Of a verb: words may stand between options, where argparse before Python 3.12 loses an optional one."""

    usual: str | None = None  # of a noun: the verb that is meant where none is given
    _mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """In two passes, options first; each of them comes by here again."""
        if self.usual is not None:
            return super().parse_known_args(self._with_verb(list(args)), namespace)
        if self._mixing:
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            found, unknown = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False
        if unknown:  # else the program's own parser would say it, which knows nothing of the verb
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def _with_verb(self, words: list[str]) -> list[str]:
        """A noun has no options but --help, so any other is its verb's."""
        given = bool(words) and (words[0] in {"-h", "--help"} or not words[0].startswith("-"))
        return words if given or self.usual is None else [self.usual, *words]


def common(parser: argparse.ArgumentParser, *, defaults: bool) -> None:
    """Before the verb as well as after it: only the first place has defaults, or the second would undo it."""
    group = parser.add_argument_group("connection and output")

    def add(name: str, default: Any, **rest: Any) -> None:
        group.add_argument(name, default=default if defaults else argparse.SUPPRESS, **rest)

    add("--url", None, metavar="URL", help="the API's address, in place of MUSTER_URL")
    add("--key-file", None, type=Path, metavar="PATH", help="holds the API key, in place of MUSTER_API_KEY")
    add("--timeout", 30.0, type=kinds.seconds, metavar="SECONDS", help="for one answer (30)")
    add(
        "--tries",
        None,
        type=kinds.tries,
        metavar="N",
        help="of one request where a further one is safe (5; watching 25)",
    )
    add("--json", False, action="store_true", help="one document, or one a line for lists; errors too, on stderr")


def group(verbs: Verbs, name: str, what: str) -> Verbs:
    """A noun with verbs of its own, of which `list` need not be said."""
    parser: Parser = verbs.add_parser(name, help=what, description=what, allow_abbrev=False)
    parser.usual = "list"
    return parser.add_subparsers(required=True, metavar="VERB", title="verbs (list where none is given)")


def leaf(verbs: Verbs, name: str, what: str, run: Verb, *examples: str) -> argparse.ArgumentParser:
    """A verb with its examples."""
    parser: Parser = verbs.add_parser(
        name,
        help=what,
        description=what,
        epilog="examples:\n" + "\n".join(f"  muster {example}" for example in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    common(parser, defaults=False)
    return parser


def limited(parser: argparse.ArgumentParser, usual: int) -> None:
    """For lists; 0 is no limit."""
    text = f"at most so many; 0 for all ({usual or 'all'})"
    parser.add_argument("--limit", type=kinds.count, default=usual, metavar="N", help=text)


def worded(group: Arguments, what: str) -> None:
    """For what says something: TEXT or --file, and its markup."""
    group.add_argument("text", nargs="?", type=kinds.text, metavar="TEXT", help=what)
    group.add_argument("--file", type=Path, metavar="PATH", help="holds the text (UTF-8)")
    markup = group.add_mutually_exclusive_group()
    markup.add_argument("--html", action="store_const", const="HTML", dest="parse_mode", help="Telegram's HTML")
    markup.add_argument(
        "--markdown", action="store_const", const="MarkdownV2", dest="parse_mode", help="Telegram's MarkdownV2"
    )


def buttoned(group: Arguments, what: str) -> None:
    """For what may have buttons."""
    group.add_argument("--button", type=kinds.button, action="append", dest="buttons", metavar="TEXT=URL", help=what)


def watchable(group: Arguments) -> None:
    """For what follows a broadcast."""
    text = "end after so long with exit code 6, wherever it is then: 90s, 15m, 2h"
    group.add_argument("--give-up-after", type=kinds.duration, metavar="DURATION", help=text)


def askable(parser: argparse.ArgumentParser) -> None:
    """For what asks."""
    parser.add_argument("--yes", action="store_true", help="don't ask")


def repeatable(parser: argparse.ArgumentParser) -> None:
    """For what happens once however often it is asked for."""
    text = "that of a command whose answer was lost: it is repeated, and its effect is not"
    parser.add_argument("--idempotency-key", metavar="KEY", type=_idempotency_key, help=text)


def _idempotency_key(value: str) -> str:
    if not (0 < len(value) <= _LONGEST_KEY and all("!" <= character <= "~" for character in value)):
        raise argparse.ArgumentTypeError("is 1 to 250 visible ASCII characters without spaces")
    return value
