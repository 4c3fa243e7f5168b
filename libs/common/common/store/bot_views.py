"""Bots as the API shows them, without their tokens. `within` hides any other bot."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class BotView:
    """`flood_until` only while Telegram has told it to wait, `rate` what it may send a second now; `health` as the last
    check saw it.
    """

    bot_id: int
    username: str
    first_name: str
    state: str
    enabled: bool
    per_second: int
    rate: int
    flood_until: datetime | None
    groups: int
    webhook_url: str | None
    webhook_key: str | None
    webhook_set_at: datetime | None
    health: dict[str, Any] | None
    checked_at: datetime | None
    created_at: datetime

    @property
    def throttled(self) -> bool:
        """A flood is not over, or what it has taken from the rate has not come back."""
        return self.flood_until is not None or self.rate < self.per_second

    def settings(self) -> dict[str, Any]:
        """What changes make of it, for the audit trail."""
        names = ("username", "state", "enabled", "per_second", "webhook_url", "webhook_key")
        return {name: value for name, value in asdict(self).items() if name in names}


async def page(tx: Tx, *, within: list[int] | None, after: int, limit: int) -> list[BotView]:
    """By id."""
    rows = await tx.fetch(
        """SELECT b.bot_id, b.username, b.first_name, b.state, b.enabled, b.per_second,
               rate_for(b.per_second, b.learned, b.learned_at, now()) AS rate,
               CASE WHEN b.flood_until > now() THEN b.flood_until END AS flood_until,
               (SELECT count(*) FROM groups g WHERE g.bot_id = b.bot_id AND g.phase <> 'migrated') AS groups,
               b.webhook_url, b.webhook_key, b.webhook_set_at, b.health, b.checked_at, b.created_at
           FROM bots b WHERE b.bot_id > $1 AND ($2::bigint[] IS NULL OR b.bot_id = ANY($2::bigint[]))
           ORDER BY b.bot_id LIMIT $3""",
        after,
        within,
        limit,
    )
    return [BotView(**dict(row)) for row in rows]


async def missing(tx: Tx, bot_ids: list[int]) -> list[int]:
    """Those that there are none of."""
    rows = await tx.fetch(
        """SELECT w.bot_id FROM unnest($1::bigint[]) AS w (bot_id)
           WHERE NOT EXISTS (SELECT 1 FROM bots b WHERE b.bot_id = w.bot_id) ORDER BY w.bot_id""",
        bot_ids,
    )
    return [row["bot_id"] for row in rows]


async def get(tx: Tx, bot_id: int, within: list[int] | None) -> BotView | None:
    """None for one that is not there, or hidden."""
    found = await page(tx, within=[bot_id] if within is None or bot_id in within else [], after=bot_id - 1, limit=1)
    return found[0] if found else None
