"""`migrate` and `topology`: what must be there before any worker starts."""

from __future__ import annotations

import asyncio
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from common.bus import topology
from common.cli.output import tell
from common.errors import BrokerUnavailable, StoreUnavailable
from common.settings import BrokerSettings, DatabaseSettings
from common.store.migrate import available, migrate
from common.store.pool import Pool

_MIGRATION_TIMEOUT = 600.0  # seconds: an index on a large table takes its time
_AGAIN = 1.0  # seconds
_T = TypeVar("_T")


def add_verbs(verbs: Any) -> None:
    """To the parser."""
    migrating = verbs.add_parser("migrate", help="apply the database migrations that are missing (DATABASE_URL)")
    migrating.add_argument("--dry-run", action="store_true", help="only say what would be applied")
    _waiting(migrating)
    migrating.set_defaults(run=_migrate)
    declaring = verbs.add_parser("topology", help="declare the queues (AMQP_URL)")
    _waiting(declaring)
    declaring.set_defaults(run=_topology)


def _waiting(parser: ArgumentParser) -> None:
    what = "go on for so long while the server can't be reached (0): a new pod's first connections may be refused"
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help=what)


async def _migrate(options: Namespace) -> int:
    settings = DatabaseSettings.load()
    pool = Pool(settings.database_url.get_secret_value(), name="muster-migrate", max_size=1, timeout=_MIGRATION_TIMEOUT)
    try:
        names = await _patiently(options.wait, lambda: migrate(pool, available(), dry_run=options.dry_run))
    finally:
        await pool.close()
    tell(applied=[] if options.dry_run else names, pending=names if options.dry_run else [])
    return 0


async def _topology(options: Namespace) -> int:
    url = BrokerSettings.load().amqp_url.get_secret_value()
    tell(queues=await _patiently(options.wait, lambda: topology.declare(url)))
    return 0


async def _patiently(seconds: float, work: Callable[[], Awaitable[_T]]) -> _T:
    """Both are the same when they are begun anew."""
    until = time.monotonic() + seconds
    while True:
        try:
            return await work()
        except (StoreUnavailable, BrokerUnavailable):
            if time.monotonic() >= until:
                raise
        await asyncio.sleep(_AGAIN)
