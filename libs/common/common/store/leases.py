"""One holder at a time, by the database's clock, with an epoch that fences whoever held it before."""

from __future__ import annotations

from datetime import timedelta

from common.errors import LeaseLost
from common.ids import Epoch
from common.store.pool import Tx


async def acquire(tx: Tx, name: str, holder: str, ttl: timedelta) -> Epoch | None:
    """Takes or renews; the epoch grows by one with each change of holder. None while another holds it."""
    epoch = await tx.fetchval(
        """INSERT INTO leases AS l (name, holder, epoch, expires_at) VALUES ($1, $2, 1, now() + $3::interval)
           ON CONFLICT (name) DO UPDATE SET
               holder = excluded.holder,
               expires_at = excluded.expires_at,
               epoch = CASE WHEN l.holder = excluded.holder AND l.expires_at > now() THEN l.epoch ELSE l.epoch + 1 END
           WHERE l.holder = excluded.holder OR l.expires_at <= now()
           RETURNING epoch""",
        name,
        holder,
        ttl,
    )
    return None if epoch is None else Epoch(epoch)


async def release(tx: Tx, name: str, holder: str, epoch: Epoch) -> None:
    """So that the next one need not wait; a lease that is not ours stays."""
    await tx.execute(
        "UPDATE leases SET expires_at = now() WHERE name = $1 AND holder = $2 AND epoch = $3", name, holder, epoch
    )


async def fence(tx: Tx, name: str, epoch: Epoch) -> None:
    """LeaseLost unless the epoch is still ours; the lock keeps it so until this transaction ends."""
    ours = await tx.fetchval(
        "SELECT epoch = $2 AND expires_at > now() FROM leases WHERE name = $1 FOR SHARE", name, epoch
    )
    if not ours:
        raise LeaseLost
