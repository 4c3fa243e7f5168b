"""`dlq`: the dead letters, looked at, replayed or discarded."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError, Namespace
from dataclasses import asdict
from typing import Any

from common.cli.output import tell
from common.settings import DatabaseSettings
from common.store import dead_letters
from common.store.pool import Pool

_MOST = 100_000


def add_verbs(verbs: Any) -> None:
    """To the parser."""
    root = verbs.add_parser("dlq", help="dead letters: list, replay, discard")
    actions = root.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the unresolved ones, oldest first; bodies are not shown")
    listing.add_argument("--limit", type=_limit, default=100, metavar="N", help="at most so many, from 1 (100)")
    listing.set_defaults(run=_list)
    for name, text in (
        ("replay", "publish again, with one more attempt"),
        ("discard", "keep the row, never publish it"),
    ):
        acting = actions.add_parser(name, help=text)
        acting.add_argument("ids", type=int, nargs="+", metavar="ID")
        acting.set_defaults(run=_resolve, act=getattr(dead_letters, name), word=f"{name}ed")


async def _list(options: Namespace) -> int:
    pool = _pool()
    try:
        async with pool.transaction("list dead letters") as tx:
            found = await dead_letters.unresolved(tx, options.limit + 1)
    finally:
        await pool.close()
    for letter in found[: options.limit]:
        tell(**asdict(letter))
    if len(found) > options.limit:
        sys.stderr.write(f"there are more than these {options.limit}: --limit N shows more\n")
    return 0


def _limit(value: str) -> int:
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:10]) <= _MOST):
        raise ArgumentTypeError(f"{value!r} is no number from 1 to {_MOST}")
    return int(value)


async def _resolve(options: Namespace) -> int:
    """1 where one of the ids is unknown or resolved already; the others are done all the same."""
    pool = _pool()
    missed = 0
    try:
        for each in options.ids:
            async with pool.transaction("resolve dead letter") as tx:
                done = await options.act(tx, each)
            missed += not done
            tell(dead_letter_id=each, result=options.word if done else "unknown or resolved already")
    finally:
        await pool.close()
    return 1 if missed else 0


def _pool() -> Pool:
    settings = DatabaseSettings.load()
    return Pool(
        settings.database_url.get_secret_value(), name="muster-cli", max_size=1, timeout=settings.database_timeout
    )
