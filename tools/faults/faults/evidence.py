"""The database's side of a run. The one place of the battery with SQL: it reads what no service needs to read, and
lets time pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from common.store.pool import Pool

from faults.attribution import number_in
from faults.history import ReplyRow, Rows
from faults.recalls import Item
from faults.sendings import Row


async def gather(pool: Pool, bots: Sequence[int], since: datetime) -> Rows:
    """For these bots, and what is not any bot's since the run began."""
    async with pool.transaction("evidence") as tx:
        inbox = await tx.fetch("SELECT bot_id, update_id FROM inbox WHERE bot_id = ANY($1::bigint[])", bots)
        texts = await tx.fetch("SELECT text FROM feedback WHERE bot_id = ANY($1::bigint[])", bots)
        said = await tx.fetch(
            "SELECT bot_id, update_id, state, message_id FROM replies WHERE bot_id = ANY($1::bigint[])", bots
        )
        dead = await tx.fetchval("SELECT count(*) FROM dead_letters WHERE created_at >= $1", since)
        outbox = await tx.fetchval("SELECT count(*) FROM outbox")
    return Rows(
        inbox=frozenset((row["bot_id"], row["update_id"]) for row in inbox),
        told=Counter(number for row in texts if (number := number_in(row["text"])) is not None),
        replies=[ReplyRow(**dict(row)) for row in said],
        dead_letters=dead,
        outbox=outbox,
    )


async def age_floods(pool: Pool, bots: Sequence[int], seconds: float) -> None:
    """As if so much more time had passed since their floods: the rate comes back by the database's clock alone."""
    async with pool.transaction("age floods") as tx:
        await tx.execute(
            "UPDATE bots SET learned_at = learned_at - make_interval(secs => $2) WHERE bot_id = ANY($1::bigint[])",
            bots,
            seconds,
        )


async def now(pool: Pool) -> datetime:
    """By the database's clock."""
    async with pool.transaction("now") as tx:
        found: datetime = await tx.fetchval("SELECT clock_timestamp()")
    return found


async def outbox_rows(pool: Pool) -> int:
    """Jobs on their way to the broker."""
    async with pool.transaction("outbox rows") as tx:
        return int(await tx.fetchval("SELECT count(*) FROM outbox"))


async def unsettled(pool: Pool, bots: Sequence[int]) -> int:
    """Replies whose outcome is not written."""
    async with pool.transaction("unsettled") as tx:
        return int(
            await tx.fetchval(
                "SELECT count(*) FROM replies WHERE state = 'sending' AND bot_id = ANY($1::bigint[])", bots
            )
        )


async def marks(pool: Pool, bots: Sequence[int]) -> int:
    """Updates whose effects are committed."""
    async with pool.transaction("marks") as tx:
        return int(await tx.fetchval("SELECT count(*) FROM inbox WHERE bot_id = ANY($1::bigint[])", bots))


async def quarantined(pool: Pool, bot_id: int) -> set[bytes]:
    """The digests of what was kept."""
    async with pool.transaction("quarantined") as tx:
        return {row["digest"] for row in await tx.fetch("SELECT digest FROM quarantine WHERE bot_id = $1", bot_id)}


async def buried_jobs(pool: Pool, since: datetime) -> set[str]:
    """Whose dead letters there are."""
    async with pool.transaction("buried jobs") as tx:
        return {
            row["job_id"] for row in await tx.fetch("SELECT job_id FROM dead_letters WHERE created_at >= $1", since)
        }


async def lease(pool: Pool, name: str) -> tuple[str, int] | None:
    """The holder and its epoch, where the lease has not expired."""
    async with pool.transaction("lease") as tx:
        row = await tx.fetchrow("SELECT holder, epoch FROM leases WHERE name = $1 AND expires_at > now()", name)
    return None if row is None else (row["holder"], row["epoch"])


async def intents(pool: Pool, pid: int) -> set[int]:
    """Deliveries that a sender process has begun and not settled."""
    async with pool.transaction("intents of one") as tx:
        rows = await tx.fetch(
            "SELECT delivery_id FROM deliveries WHERE state = 'sending' AND split_part(owner, ':', 2) = $1", str(pid)
        )
    return {row["delivery_id"] for row in rows}


async def intents_in(pool: Pool, host: str) -> set[int]:
    """The same for all sender processes of one host, which a pod is."""
    async with pool.transaction("intents in one") as tx:
        rows = await tx.fetch(
            "SELECT delivery_id FROM deliveries WHERE state = 'sending' AND split_part(owner, ':', 1) = $1", host
        )
    return {row["delivery_id"] for row in rows}


async def open_deliveries(pool: Pool, bots: Sequence[int]) -> Counter[int]:
    """How many are still to end, by bot; a broadcast that is not planned yet counts all of its groups."""
    async with pool.transaction("open deliveries") as tx:
        rows = await tx.fetch(
            """SELECT bot_id, count(*) AS n FROM deliveries WHERE bot_id = ANY($1::bigint[])
                   AND state IN ('pending', 'slotted', 'sending') GROUP BY bot_id""",
            bots,
        )
        planning = await tx.fetch(
            """SELECT g.bot_id, count(*) AS n FROM broadcasts b JOIN groups g ON g.group_id = ANY(b.group_ids)
               WHERE b.state = 'planning' AND g.bot_id = ANY($1::bigint[]) GROUP BY g.bot_id""",
            bots,
        )
    return Counter({row["bot_id"]: row["n"] for row in rows}) + Counter({r["bot_id"]: r["n"] for r in planning})


async def ledger(pool: Pool, numbers: Mapping[int, int]) -> list[Row]:
    """Every delivery of these broadcasts; `numbers` has each broadcast's own."""
    async with pool.transaction("ledger") as tx:
        rows = await tx.fetch(
            """SELECT d.delivery_id, d.broadcast_id, g.chat_id, d.state, d.reason
               FROM deliveries d JOIN groups g USING (group_id) WHERE d.broadcast_id = ANY($1::bigint[])""",
            list(numbers),
        )
    return [Row(r["delivery_id"], numbers[r["broadcast_id"]], r["chat_id"], r["state"], r["reason"]) for r in rows]


async def ended_broadcasts(pool: Pool, bots: Sequence[int]) -> set[int]:
    """Those of these bots that are done."""
    async with pool.transaction("ended broadcasts") as tx:
        rows = await tx.fetch(
            """SELECT DISTINCT b.broadcast_id FROM broadcasts b JOIN deliveries d USING (broadcast_id)
               WHERE b.state = 'done' AND d.bot_id = ANY($1::bigint[])""",
            bots,
        )
    return {row["broadcast_id"] for row in rows}


async def open_recalls(pool: Pool, broadcast_ids: Sequence[int]) -> int:
    """Recalls of these broadcasts of which something is still to be done."""
    async with pool.transaction("open recalls") as tx:
        return int(
            await tx.fetchval(
                "SELECT count(*) FROM revisions WHERE finished_at IS NULL AND broadcast_id = ANY($1::bigint[])",
                broadcast_ids,
            )
        )


async def recalled(pool: Pool, broadcast_ids: Sequence[int]) -> list[Item]:
    """Every message that is known of these broadcasts, with what its recall says of it."""
    async with pool.transaction("recalled") as tx:
        rows = await tx.fetch(
            """SELECT g.chat_id, d.message_id, i.state FROM deliveries d JOIN groups g USING (group_id)
               LEFT JOIN revisions r ON r.broadcast_id = d.broadcast_id AND r.kind = 'recall'
               LEFT JOIN revision_items i ON i.revision_id = r.revision_id AND i.delivery_id = d.delivery_id
               WHERE d.broadcast_id = ANY($1::bigint[]) AND d.message_id IS NOT NULL""",
            broadcast_ids,
        )
    return [Item(row["chat_id"], row["message_id"], row["state"]) for row in rows]


async def holds(pool: Pool, bots: Sequence[int]) -> int:
    """Slots and turns of these bots that somebody has."""
    async with pool.transaction("holds") as tx:
        return int(
            await tx.fetchval(
                """SELECT (SELECT count(*) FROM bot_slots WHERE held_by IS NOT NULL AND bot_id = ANY($1::bigint[]))
                       + (SELECT count(*) FROM group_turns t JOIN groups g USING (group_id)
                          WHERE t.held_by IS NOT NULL AND g.bot_id = ANY($1::bigint[]))""",
                bots,
            )
        )


async def older_rows(pool: Pool, than: datetime, *, unpublished: bool) -> int:
    """Outbox rows from before that time that are not handled, or not even published."""
    async with pool.transaction("older rows") as tx:
        return int(
            await tx.fetchval(
                "SELECT count(*) FROM outbox WHERE created_at <= $1 AND (published_at IS NULL OR NOT $2)",
                than,
                unpublished,
            )
        )
