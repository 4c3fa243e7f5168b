"""What Telegram's 429s teach of each bot, in its row: every process adds to it, and every process obeys it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from common.congestion import ChatFlood, Refusal, Standing, Verdict, judge
from common.ids import BotId
from common.store.pool import Tx
from common.telemetry import metrics

_log = logging.getLogger(__name__)


async def note(tx: Tx, refusals: Sequence[Refusal]) -> None:
    """The row's lock puts the 429s of all processes in one order; by id, so that nobody waits in a ring."""
    for bot_id, some in groupby(sorted(refusals, key=lambda r: r.bot_id), key=lambda r: r.bot_id):
        row = await tx.fetchrow(
            """SELECT rate_for(per_second, learned, learned_at, clock_timestamp()) AS rate, flood_until, refusals,
                   clock_timestamp() AS now
               FROM bots WHERE bot_id = $1 FOR NO KEY UPDATE""",
            bot_id,
        )
        if row is not None:
            standing = Standing(row["rate"], row["flood_until"], [_chat_flood(each) for each in row["refusals"]])
            verdict = judge(standing, list(some), row["now"])
            await _save(tx, bot_id, verdict)
            if verdict.rate is not None:
                _tell(bot_id, verdict, row["now"])


async def stopped(tx: Tx, bot_id: BotId) -> timedelta | None:
    """How long a bot's flood lasts yet; None where there is none."""
    left: timedelta | None = await tx.fetchval(
        """SELECT flood_until - clock_timestamp() FROM bots WHERE bot_id = $1 AND flood_until > clock_timestamp()""",
        bot_id,
    )
    return left


async def _save(tx: Tx, bot_id: BotId, verdict: Verdict) -> None:
    await tx.execute(
        """UPDATE bots SET refusals = $2, flood_until = coalesce($3, flood_until), learned = coalesce($4, learned),
               learned_at = coalesce($3, learned_at)
           WHERE bot_id = $1""",
        bot_id,
        [{"chat_id": chat.chat_id, "at": chat.at, "until": chat.until} for chat in verdict.chats],
        verdict.flood_until,
        verdict.rate,
    )


def _tell(bot_id: BotId, verdict: Verdict, now: datetime) -> None:
    metrics.BOT_FLOODS.inc()
    wait = (verdict.flood_until or now) - now
    facts = {"bot_id": bot_id, "reason": verdict.reason, "rate": verdict.rate, "seconds": wait.total_seconds()}
    _log.warning("a bot is flooded", extra=facts)


def _chat_flood(kept: dict[str, Any]) -> ChatFlood:
    at, until = datetime.fromisoformat(kept["at"]), datetime.fromisoformat(kept["until"])
    return ChatFlood(kept["chat_id"], at, until)
