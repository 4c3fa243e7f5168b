"""Groups as operators list and change them. `within` hides the groups of any other bot."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, time
from typing import Any

from common.store.groups import SENDABLE
from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group with its settings; the window is in its timezone, and open at any time without one."""

    group_id: int
    bot_id: int
    chat_id: int
    kind: str
    title: str
    tags: list[str]
    variables: dict[str, Any] = field(repr=False)
    timezone: str
    window_from: time | None
    window_to: time | None
    final_message_allowed: bool
    phase: str
    health: str
    missing_rights: list[str]
    failures: int
    out_reason: str | None
    migrated_to: int | None
    created_at: datetime
    updated_at: datetime

    def settings(self) -> dict[str, Any]:
        """What `save` writes, for the audit trail."""
        names = ("tags", "variables", "timezone", "window_from", "window_to", "final_message_allowed", "out_reason")
        return {name: value for name, value in asdict(self).items() if name in names}


@dataclass(frozen=True, slots=True)
class Filter:
    """None asks for any."""

    bot_id: int | None = None
    tag: str | None = None
    phase: str | None = None
    sendable: bool | None = None
    health: str | None = None
    chat_id: int | None = None


_COLUMNS = (
    "group_id, bot_id, chat_id, kind, title, tags, variables, timezone, window_from, window_to, final_message_allowed, "
    "phase, health, missing_rights, failures, out_reason, migrated_to, created_at, updated_at"
)


async def page(tx: Tx, wanted: Filter, *, within: list[int] | None, after: int, limit: int) -> list[GroupRow]:
    """By id."""
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS} FROM groups g
           WHERE group_id > $1 AND ($2::bigint[] IS NULL OR bot_id = ANY($2::bigint[]))
               AND ($3::bigint IS NULL OR bot_id = $3) AND ($4::text IS NULL OR tags @> ARRAY[$4::text])
               AND ($5::text IS NULL OR phase = $5)
               AND ($6::boolean IS NULL OR $6 = ({SENDABLE}))
               AND ($7::text IS NULL OR health = $7) AND ($8::bigint IS NULL OR chat_id = $8)
           ORDER BY group_id LIMIT $9""",  # noqa: S608 (our own columns)
        after,
        within,
        wanted.bot_id,
        wanted.tag,
        wanted.phase,
        wanted.sendable,
        wanted.health,
        wanted.chat_id,
        limit,
    )
    return [GroupRow(**dict(row)) for row in rows]


async def get(tx: Tx, group_id: int, within: list[int] | None) -> GroupRow | None:
    """Not locked."""
    row = await tx.fetchrow(
        f"""SELECT {_COLUMNS} FROM groups
           WHERE group_id = $1 AND ($2::bigint[] IS NULL OR bot_id = ANY($2::bigint[]))""",  # noqa: S608 (as above)
        group_id,
        within,
    )
    return GroupRow(**dict(row)) if row else None


async def lock(tx: Tx, group_id: int, within: list[int] | None) -> GroupRow | None:
    """As `get`, until the transaction's end."""
    row = await tx.fetchrow(
        f"""SELECT {_COLUMNS} FROM groups
           WHERE group_id = $1 AND ($2::bigint[] IS NULL OR bot_id = ANY($2::bigint[])) FOR UPDATE""",  # noqa: S608
        group_id,
        within,
    )
    return GroupRow(**dict(row)) if row else None


async def add(tx: Tx, bot_id: int, chat_id: int, *, title: str, kind: str) -> int | None:
    """The new id; None where the chat is registered already, by whatever bot."""
    group_id: int | None = await tx.fetchval(
        """INSERT INTO groups (bot_id, chat_id, title, kind) VALUES ($1, $2, $3, $4)
           ON CONFLICT (chat_id) DO NOTHING RETURNING group_id""",
        bot_id,
        chat_id,
        title,
        kind,
    )
    return group_id


async def save(tx: Tx, row: GroupRow) -> GroupRow:
    """The settings; a group that is let in again begins without failures.

    With another window or time zone what waits for the old one is looked at again. So is what waits for something else:
    floods are kept by the group's turn and the bot's row as well, and other waits are short.
    """
    saved = await tx.fetchrow(
        f"""WITH waiting AS (
               UPDATE deliveries d SET not_before = to_timestamp(0)
               FROM broadcasts b, groups was
               WHERE b.state NOT IN ('cancelled', 'done') AND d.broadcast_id = b.broadcast_id AND d.group_id = $1
                   AND d.state = 'pending' AND d.not_before > now() AND was.group_id = $1
                   AND (was.timezone, was.window_from, was.window_to) IS DISTINCT FROM ($4::text, $5::time, $6::time))
           UPDATE groups SET tags = $2, variables = $3, timezone = $4, window_from = $5, window_to = $6,
               final_message_allowed = $7, out_reason = $8::text,
               failures = CASE WHEN out_reason IS NOT NULL AND $8::text IS NULL THEN 0 ELSE failures END,
               updated_at = now()
           WHERE group_id = $1 RETURNING {_COLUMNS}""",  # noqa: S608 (as above)
        row.group_id,
        row.tags,
        row.variables,
        row.timezone,
        row.window_from,
        row.window_to,
        row.final_message_allowed,
        row.out_reason,
    )
    return GroupRow(**dict(saved)) if saved else row


async def knows_timezone(tx: Tx, name: str) -> bool:
    """The database computes the windows, so its own list counts."""
    known: bool = await tx.fetchval("SELECT EXISTS (SELECT 1 FROM pg_timezone_names WHERE name = $1)", name)
    return known
