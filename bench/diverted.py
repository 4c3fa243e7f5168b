"""What took the other way: jobs that Muster put into its outbox because the broker was too slow to confirm."""

from __future__ import annotations

from common.store import outbox
from common.store.pool import Pool


async def diverted(url: str) -> int:
    """So far: no relay runs here, so they stay."""
    pool = Pool(url, name="muster-bench", max_size=1, timeout=10)
    try:
        async with pool.transaction("backlog") as tx:
            return (await outbox.backlog(tx)).pending
    finally:
        await pool.close()
