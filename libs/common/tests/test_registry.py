"""The bots with their tokens opened, remembered for a short while."""

from __future__ import annotations

import base64
import time

import pytest
from common.errors import Reject
from common.ids import BotId
from common.keys import KeyRing
from common.registry import BotRegistry
from common.store import bots
from common.telegram.secrets import TokenVault
from common.testing.builders import BOT_ID, FAKE_TOKEN, make_bot
from common.testing.postgres import Database

VAULT = TokenVault(KeyRing.from_base64(f"k1:{base64.b64encode(bytes(32)).decode()}"))


async def register(db: Database, token: str = FAKE_TOKEN) -> None:
    sealed, key = VAULT.seal(BOT_ID, token)
    async with db.transaction() as tx:
        await bots.save(tx, make_bot(token=sealed, token_key=key))


async def test_a_bots_token_is_opened_and_kept(db: Database) -> None:
    await register(db)
    registry = BotRegistry(db.pool, VAULT)
    assert (await registry.access(BOT_ID)).token == FAKE_TOKEN
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM bots")
    assert (await registry.access(BOT_ID)).token == FAKE_TOKEN
    assert (await registry.bot(BOT_ID)).username == "muster_bot"


async def test_a_replaced_token_is_noticed_after_a_while(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await register(db)
    registry = BotRegistry(db.pool, VAULT)
    await registry.access(BOT_ID)
    await register(db, FAKE_TOKEN + "X")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 31)
    assert (await registry.access(BOT_ID)).token == FAKE_TOKEN + "X"


async def test_an_unknown_bots_jobs_wait_in_the_dead_letters(db: Database) -> None:
    with pytest.raises(Reject, match="not registered"):
        await BotRegistry(db.pool, VAULT).access(BotId(1))


async def test_a_revoked_bot_is_forgotten_at_once_and_written_down(db: Database) -> None:
    await register(db)
    registry = BotRegistry(db.pool, VAULT)
    await registry.revoked(await registry.access(BOT_ID))
    with pytest.raises(Reject, match="revoked"):
        await registry.access(BOT_ID)
    with pytest.raises(Reject, match="revoked"):
        await BotRegistry(db.pool, VAULT).access(BOT_ID)
    await register(db)
    assert (await registry.access(BOT_ID)).token == FAKE_TOKEN


async def test_what_telegram_says_of_an_old_token_does_not_revoke_the_new_one(db: Database) -> None:
    await register(db)
    registry = BotRegistry(db.pool, VAULT)
    old = await registry.access(BOT_ID)
    await register(db, FAKE_TOKEN + "X")
    await registry.revoked(old)
    assert (await registry.access(BOT_ID)).token == FAKE_TOKEN + "X"
    await registry.revoked(old)
    assert (await registry.access(BOT_ID)).token == FAKE_TOKEN + "X"
