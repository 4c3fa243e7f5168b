"""The way to the Bot API for operations on bots: its libraries are imported by the first such request, for a cold
start would take a quarter longer with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from common.errors import AppError

from ingress.backend import Backend

if TYPE_CHECKING:
    from common.bot_admin import BotAdmin


@asynccontextmanager
async def bot_admin(backend: Backend) -> AsyncIterator[BotAdmin]:
    """With connections of its own that end with it: nothing is kept between these rare requests."""
    keys, settings = backend.token_keys, backend.settings
    if keys is None:
        raise setting_missing("MUSTER_ENCRYPTION_KEYS")
    library = await asyncio.to_thread(_import)
    server = {"url": settings.telegram_api_url, "timeout": settings.telegram_timeout}
    async with library.administering(backend.pool, keys, backend.secrets, **server) as admin:
        yield admin


def setting_missing(variable: str) -> AppError:
    """The operation is there, and this installation is not set up for it."""
    return AppError(
        "setting_missing", 503, f"this needs the setting {variable}, which the ingress does not have", setting=variable
    )


def _import() -> ModuleType:
    from common import bot_admin as library

    return library
