"""BotFather's tokens as text: `<bot id>:<secret>`. Standard library only, for the ingress starts cold with it."""

from __future__ import annotations

import re
from typing import Final

from common.ids import BotId

FORM: Final = r"^[1-9][0-9]{0,17}:[A-Za-z0-9_-]{30,100}$"
_FORM = re.compile(FORM)


def bot_of(token: str) -> BotId | None:
    """Whose it is, as the token itself says; None for what is no whole token."""
    return BotId(int(token.partition(":")[0])) if _FORM.fullmatch(token) else None
