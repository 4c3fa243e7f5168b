"""When what waits will be sent: the last of all, and the last of what nothing holds back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from common.clock import utc_now
from common.store import backlog
from common.store.backlog import Waiting
from common.store.holdups import Holdups
from common.store.pool import Tx
from pydantic import Field

from ingress.api.fields import Answer
from ingress.rules import eta


class Ends(Answer):
    """In seconds from now, as far as can be said."""

    eta_seconds: Annotated[
        int | None,
        Field(
            description="Until the last one is sent, after what other broadcasts, recalls and edits have before it; "
            "null while one of its bots is off, or it does not run."
        ),
    ] = None
    eta_unheld_seconds: Annotated[
        int | None,
        Field(
            description="The same without those of `held_by_reason`, which may wait for hours; null where nothing else "
            "waits, or it does not run."
        ),
    ] = None
    held_by_reason: Annotated[
        dict[str, int],
        Field(
            description="How many wait for more than their turn: `bot_off` until their bot is enabled or has a new "
            "token, `flood` as long as Telegram told it to, `later` for their send window or another attempt."
        ),
    ]


async def ends(  # noqa: PLR0913 (what an end follows from)
    tx: Tx,
    waiting: Waiting,
    held: Holdups,
    priority: int,
    *,
    begins: datetime,
    each: int,
    deep: int,
    broadcast_id: int = 0,
) -> Ends:
    """Of messages that wait, `each` for a group, of which it gets `deep` one after another."""
    ahead, now = await backlog.ahead(tx, waiting.by_bot, priority, broadcast_id=broadcast_id), utc_now()
    free = {bot: n - each * held.by_bot.get(bot, 0) for bot, n in waiting.by_bot.items()}
    free = {bot: n for bot, n in free.items() if n > 0}
    last, rates = None, waiting.rates
    if not held.endless:
        last = eta.seconds(
            waiting.by_bot, ahead, rates, begins=begins, now=now, quiet=held.quiet, opens=held.opens, deep=deep
        )
    unheld = eta.seconds(free, ahead, rates, begins=begins, now=now, deep=deep) if free else None
    return Ends(eta_seconds=last, eta_unheld_seconds=unheld, held_by_reason=held.by_reason)
