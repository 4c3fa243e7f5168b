"""A database for tests that are no coroutines: hypothesis' state machines run their own loop."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from common.testing.postgres import fresh_database
from common.testing.servers import needed


@pytest_asyncio.fixture
async def lease_database(database_template: str) -> AsyncIterator[str]:
    """Its URL."""
    async with fresh_database(needed("DATABASE_URL"), template=database_template) as url:
        yield url
