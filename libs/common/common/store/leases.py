"""One holder at a time, by the database's clock, with an epoch that fences whoever held it before."""

from __future__ import annotations

from datetime import timedelta

from common.errors import LeaseLost
from common.ids import Epoch
from common.store.pool import Tx


async def acquire(tx: Tx, name: str, holder: str, ttl: timedelta) -> Epoch | None:
    """Takes or renews; the epoch grows by one with each change of holder. None while another holds it.

    A renewal leaves the epoch alone, which is in a unique index: so it does not wait for the holder's own fenced
    transactions, however slow. Whoever takes the lease waits for them.
    """
    epoch = await tx.fetchval(
        """UPDATE leases SET expires_at = now() + $3::interval
           WHERE name = $1 AND holder = $2 AND expires_at > now() RETURNING epoch""",
        name,
        holder,
        ttl,
    )
    if epoch is None:
        epoch = await _take(tx, name, holder, ttl)
    return None if epoch is None else Epoch(epoch)


async def _take(tx: Tx, name: str, holder: str, ttl: timedelta) -> int | None:
    taken: int | None = await tx.fetchval(
        """UPDATE leases SET holder = $2, expires_at = now() + $3::interval, epoch = epoch + 1
           WHERE name = $1 AND expires_at <= now() RETURNING epoch""",
        name,
        holder,
        ttl,
    )
    if taken is None:  # the very first: another one's is in the way of two indexes, of which DO UPDATE could name one
        taken = await tx.fetchval(
            """INSERT INTO leases (name, holder, epoch, expires_at) VALUES ($1, $2, 1, now() + $3::interval)
               ON CONFLICT DO NOTHING RETURNING epoch""",
            name,
            holder,
            ttl,
        )
    return taken


async def release(tx: Tx, name: str, holder: str, epoch: Epoch) -> None:
    """So that the next one need not wait; a lease that is not ours stays."""
    await tx.execute(
        "UPDATE leases SET expires_at = now() WHERE name = $1 AND holder = $2 AND epoch = $3", name, holder, epoch
    )


async def fence(tx: Tx, name: str, epoch: Epoch) -> None:
    """LeaseLost unless the epoch is still ours; the lock keeps it so until this transaction ends."""
    ours = await tx.fetchval(
        "SELECT epoch = $2 AND expires_at > now() FROM leases WHERE name = $1 FOR KEY SHARE", name, epoch
    )
    if not ours:
        raise LeaseLost
