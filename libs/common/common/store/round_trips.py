"""How long calls to Telegram took, of all processes together, by minute: half an hour of it is believed.

A busy moment's few hundred calls would hold waits of our own; a slower network is noticed in time.
"""

from __future__ import annotations

from common.store.pool import Tx
from common.window import Seen


async def exchange(tx: Tx, own: Seen) -> Seen:
    """Adds what one process has seen, and returns what all have."""
    if own.calls:
        await tx.execute(
            """INSERT INTO round_trips AS t (minute, calls, total, smallest)
               VALUES (date_trunc('minute', now()), $1, $2, $3)
               ON CONFLICT (minute) DO UPDATE SET calls = t.calls + excluded.calls, total = t.total + excluded.total,
                   smallest = least(t.smallest, excluded.smallest)""",
            own.calls,
            own.total,
            own.smallest,
        )
    [row] = await tx.fetch(
        """SELECT coalesce(sum(calls), 0)::bigint AS calls, coalesce(sum(total), 0) AS total,
               coalesce(min(smallest), 'Infinity') AS smallest
           FROM round_trips WHERE minute > now() - interval '30 min'"""
    )
    return Seen(**dict(row))


async def prune(tx: Tx) -> int:
    """What nobody asks for any more; how many minutes."""
    status = await tx.execute("DELETE FROM round_trips WHERE minute < now() - interval '1 hour'")
    return int(status.rpartition(" ")[2])
