"""`migrate` and `topology`: what must be there before any worker starts."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from common.bus import topology
from common.cli.output import tell
from common.settings import BrokerSettings, DatabaseSettings
from common.store.migrate import available, migrate
from common.store.pool import Pool

_MIGRATION_TIMEOUT = 600.0  # seconds: an index on a large table takes its time


def add_verbs(verbs: Any) -> None:
    """To the parser."""
    migrating = verbs.add_parser("migrate", help="apply the database migrations that are missing (DATABASE_URL)")
    migrating.add_argument("--dry-run", action="store_true", help="only say what would be applied")
    migrating.set_defaults(run=_migrate)
    declaring = verbs.add_parser("topology", help="declare the queues (AMQP_URL)")
    declaring.set_defaults(run=_topology)


async def _migrate(options: Namespace) -> int:
    settings = DatabaseSettings.load()
    pool = Pool(settings.database_url.get_secret_value(), name="muster-migrate", max_size=1, timeout=_MIGRATION_TIMEOUT)
    try:
        names = await migrate(pool, available(), dry_run=options.dry_run)
    finally:
        await pool.close()
    tell(applied=[] if options.dry_run else names, pending=names if options.dry_run else [])
    return 0


async def _topology(_: Namespace) -> int:
    settings = BrokerSettings.load()
    tell(queues=await topology.declare(settings.amqp_url.get_secret_value()))
    return 0
