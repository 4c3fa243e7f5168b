"""`key`: makes, lists, rotates and revokes keys for the API."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from common import key_changes
from common.api_key import SCOPES
from common.cli.output import operator, tell
from common.clock import utc_now
from common.key_changes import Actor, Wish
from common.settings import DatabaseSettings
from common.store import api_keys
from common.store.pool import Pool, Tx

_PAGE = 1000
_EPILOG = """examples:
  python -m common key new --name operations --scope '*'
  python -m common key new --name shop --scope messages:write --scope broadcasts:read --bot 123456789 --days 90
  python -m common key rotate ID --overlap-hours 24
  python -m common key revoke ID"""


def add_verbs(verbs: Any) -> None:
    """To the parser."""
    root = verbs.add_parser(
        "key",
        help="keys for the API: new, list, rotate, revoke",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = root.add_subparsers(required=True, metavar="ACTION")
    _add_new(actions)
    actions.add_parser("list", help="one line a key; no key is shown, for none is kept").set_defaults(run=_list)
    rotating = actions.add_parser("rotate", help="make a key with the same rights; the old one goes on for a while")
    rotating.add_argument("key_id", metavar="ID")
    rotating.add_argument("--overlap-hours", type=float, default=24.0, help="how long the old one is still good")
    rotating.add_argument("--env", default="live")
    rotating.set_defaults(run=_rotate)
    revoking = actions.add_parser("revoke", help="at once and for good")
    revoking.add_argument("key_id", metavar="ID")
    revoking.set_defaults(run=_revoke)


def _add_new(actions: Any) -> None:
    making = actions.add_parser("new", help="make a key and print it, once")
    making.add_argument("--name", required=True, help="what it is for")
    making.add_argument("--scope", action="append", required=True, choices=SCOPES, dest="scopes")
    making.add_argument("--bot", action="append", type=int, dest="bot_ids", help="limit it to this bot (repeatable)")
    making.add_argument("--days", type=float, help="until it expires; never without")
    making.add_argument("--per-second", type=float, default=20.0, help="requests")
    making.add_argument("--burst", type=int, default=60, help="requests at once")
    making.add_argument("--env", default="live", help="a word in the key that says where it is good")
    making.set_defaults(run=_new)


async def _new(options: Namespace) -> int:
    expires_at = utc_now() + timedelta(days=options.days) if options.days else None
    wish = Wish(options.name, options.scopes, options.bot_ids, expires_at, options.per_second, options.burst)
    async with _transaction() as tx:
        key, row = await key_changes.make(tx, wish, _actor(), env=options.env)
    tell(key=key.text, **asdict(row))
    return 0


async def _list(_: Namespace) -> int:
    async with _transaction() as tx:
        rows = await api_keys.page(tx, within=None, after="", limit=_PAGE)
    for row in rows:
        tell(**asdict(row))
    return 0


async def _rotate(options: Namespace) -> int:
    overlap = timedelta(hours=options.overlap_hours)
    async with _transaction() as tx:
        key, row = await key_changes.rotate(tx, options.key_id, _actor(), overlap=overlap, env=options.env)
    tell(key=key.text, **asdict(row))
    return 0


async def _revoke(options: Namespace) -> int:
    async with _transaction() as tx:
        row = await key_changes.revoke(tx, options.key_id, _actor())
    tell(**asdict(row))
    return 0


def _actor() -> Actor:
    return Actor(operator())


@asynccontextmanager
async def _transaction() -> AsyncIterator[Tx]:
    settings = DatabaseSettings.load()
    pool = Pool(
        settings.database_url.get_secret_value(), name="muster-cli", max_size=1, timeout=settings.database_timeout
    )
    try:
        async with pool.transaction("keys") as tx:
            yield tx
    finally:
        await pool.close()
