"""The leader looks at each bot by itself: what is wrong is noticed unasked, and no bot takes another's turn."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from common.bot_health import ALLOWED_UPDATES
from common.errors import LeaseLost
from common.ids import BotId
from common.keys import KeyRing
from common.records import Bot
from common.store import bots, census
from common.telegram.client import BotAccess, BotApi
from common.telegram.floods import FloodMemory
from common.telegram.secrets import TokenVault
from common.testing.polling import eventually
from common.testing.postgres import Database
from telegram_sim.testing import Simulation
from tgms.health import HealthWatch
from tgms.leader import Leader

VAULT = TokenVault(KeyRing.from_base64(f"k1:{base64.b64encode(bytes(32)).decode()}"))
URL = "http://127.0.0.1:1/api/webhooks/telegram"
AGO = "UPDATE bots SET checked_at = now() - interval '11 min'"


@dataclass
class Door:
    """The real one, which counts who goes through it and may hold them up on their way back."""

    api: BotApi
    calls: Counter[tuple[int, str]] = field(default_factory=Counter)
    inside: int = 0
    most_inside: int = 0
    held: Callable[[int, str], Awaitable[None]] | None = None

    async def call(self, access: BotAccess, method: str) -> Any:
        self.calls[access.bot_id, method] += 1
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            answer = await self.api.call(access, method)
            if self.held is not None:
                await self.held(access.bot_id, method)
        finally:
            self.inside -= 1
        return answer


@dataclass
class Post:
    """A watch over the bots of a simulated Telegram, round by round or as it runs by itself."""

    sim: Simulation
    db: Database
    door: Door
    watch: HealthWatch
    tokens: dict[int, str] = field(default_factory=dict)

    async def hire(self, *, webhook: bool = True) -> int:
        """One more bot, never looked at."""
        told = await self.sim.admin("POST", "bots")
        bot_id, token = BotId(told["id"]), str(told["token"])
        self.tokens[bot_id] = token
        sealed, key = VAULT.seal(bot_id, token)
        async with self.db.transaction() as tx:
            await bots.save(tx, Bot(bot_id, told["username"], "Muster", sealed, key))
            if webhook:
                await bots.webhook_set(tx, bot_id, URL, "1")
        if webhook:
            await self.sim.ok(token, "setWebhook", url=URL, allowed_updates=list(ALLOWED_UPDATES))
        return bot_id

    async def row(self, bot_id: int) -> dict[str, Any]:
        async with self.db.transaction() as tx:
            return dict(await tx.fetchrow("SELECT * FROM bots WHERE bot_id = $1", bot_id) or {})

    async def problems(self, bot_id: int) -> list[str] | None:
        """None where it has not been looked at."""
        health = (await self.row(bot_id))["health"]
        return None if health is None else list(health["problems"])

    async def execute(self, sql: str, *values: Any) -> None:
        async with self.db.transaction() as tx:
            await tx.execute(sql, *values)

    async def faults(self, *rules: dict[str, Any]) -> None:
        await self.sim.admin("PUT", "faults", rules=list(rules))

    def asked(self, bot_id: int) -> int:
        """How often it was looked at."""
        return self.door.calls[bot_id, "getMe"]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        loop = asyncio.create_task(self.watch.run(stop))
        try:
            yield
        finally:
            stop.set()
            await loop


@pytest.fixture
async def post(db: Database, leader: Leader) -> AsyncIterator[Post]:
    async with Simulation() as sim:
        api = BotApi(sim.url, timeout=2, pacer=FloodMemory())
        door: Any = Door(api)
        yield Post(sim, db, door, HealthWatch(db.pool, leader, door, VAULT))
        await api.close()


async def test_a_webhook_that_dies_is_noticed_though_nobody_asks(post: Post) -> None:
    bot_id = await post.hire()
    async with post.running():
        await eventually(lambda: post.asked(bot_id))
        assert await eventually(lambda: looked_at(post, bot_id)) == {"webhook": "ours", "problems": []}
        await post.sim.ok(post.tokens[bot_id], "deleteWebhook")
        await post.execute(AGO)
        await eventually(lambda: post.problems(bot_id))
    assert await post.problems(bot_id) == ["webhook_missing"]
    async with post.db.transaction() as tx:
        assert (await census.bots(tx)).problems == {"webhook_missing": 1}
        assert await tx.fetchval("SELECT count(*) FROM audit") == 0


async def looked_at(post: Post, bot_id: int) -> dict[str, Any] | None:
    health = (await post.row(bot_id))["health"]
    return health and {name: health[name] for name in ("webhook", "problems")}


@pytest.mark.parametrize(
    ("fate", "problem"),
    [
        ({"url": "http://127.0.0.1:1/another"}, "webhook_foreign"),
        ({"url": URL, "allowed_updates": ["message"]}, "updates_missing"),
    ],
)
async def test_whatever_becomes_of_a_webhook_has_its_word(post: Post, fate: dict[str, Any], problem: str) -> None:
    bot_id = await post.hire()
    post.sim.stage.world.bots[bot_id].webhook_set_at = 0.0  # which may be done once a second
    await post.sim.ok(post.tokens[bot_id], "setWebhook", **fate)
    await post.watch._round()
    assert await post.problems(bot_id) == [problem]


async def test_of_a_bot_without_a_webhook_of_ours_the_token_is_what_counts(post: Post) -> None:
    without, another, dead = [await post.hire(webhook=False) for _ in range(3)]
    await post.sim.ok(post.tokens[another], "setWebhook", url="http://127.0.0.1:1/another")
    post.sim.stage.world.bots[dead].token += "x"
    await post.watch._round()
    assert [await post.problems(each) for each in (without, another, dead)] == [[], [], ["token_revoked"]]
    assert [(await post.row(each))["health"]["webhook"] for each in (without, another)] == ["none", "unknown"]


async def test_a_revoked_token_ends_the_bot_and_one_that_is_revoked_or_off_is_not_asked(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    revoked, off, silent = [await post.hire() for _ in range(3)]
    post.sim.stage.world.bots[revoked].token += "x"
    await post.execute("UPDATE bots SET enabled = false WHERE bot_id = $1", off)
    await post.execute("UPDATE bots SET flood_until = now() + interval '1 min' WHERE bot_id = $1", silent)
    await post.watch._round()
    await post.execute(AGO)
    await post.watch._round()
    assert ((await post.row(revoked))["state"], await post.problems(revoked)) == ("revoked", ["token_revoked"])
    assert [post.asked(each) for each in (revoked, off, silent)] == [1, 0, 0]
    assert [record.getMessage() for record in caplog.records] == ["a bot's token is revoked"]
    await post.execute("UPDATE bots SET enabled = true, flood_until = now()")
    await post.watch._round()
    assert [post.asked(each) for each in (revoked, off, silent)] == [1, 1, 1]


async def test_a_few_at_once_the_longest_first_and_each_once_in_ten_minutes(post: Post) -> None:
    hired = [await post.hire(webhook=False) for _ in range(7)]
    for minutes, bot_id in zip((9, 12, 11, 14, 13), hired, strict=False):
        await post.execute(
            "UPDATE bots SET checked_at = now() - make_interval(mins => $2) WHERE bot_id = $1", bot_id, minutes
        )
    turns = []
    for _ in range(3):
        before = post.door.calls.copy()
        await post.watch._round()
        turns.append({hired.index(bot_id) for bot_id, method in post.door.calls - before if method == "getMe"})
    assert turns == [{5, 6, 3, 4}, {1, 2}, set()]
    assert post.door.most_inside == 4


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "http_429", "retry_after": 77},
        {"kind": "http_502_html"},
        {"kind": "garbage"},
        {"kind": "timeout_before"},
        {"kind": "error", "error_code": 400, "description": "Bad Request: no"},
    ],
    ids=lambda fault: str(fault["kind"]),
)
async def test_who_can_not_be_asked_stops_nobody_and_is_asked_again_when_it_is_its_turn(
    post: Post, fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("tgms.health.time", SimpleNamespace(monotonic=lambda: clock[0]))
    sick = await post.hire()
    await post.watch._round()
    seen = await post.row(sick)
    await post.execute(AGO)
    others = [await post.hire() for _ in range(5)]
    await post.faults({"bot_id": sick, "method": "getMe"} | fault)
    for _ in range(4):
        await post.watch._round()
    assert post.asked(sick) == 2
    assert [await post.problems(each) for each in others] == [[]] * 5
    assert (await post.row(sick))["health"] == seen["health"]
    clock[0] += 599
    await post.watch._round()
    assert post.asked(sick) == 2
    clock[0] += 2
    await post.watch._round()
    assert post.asked(sick) == 3
    assert [record.getMessage() for record in caplog.records] == ["a bot can't be looked at"]  # once an outage
    await post.faults()
    post.door.api._pacer = FloodMemory()
    clock[0] += 601
    await post.watch._round()
    assert (await post.row(sick))["checked_at"] > seen["checked_at"]
    assert post.watch._not_before == {}


async def test_a_key_that_is_gone_and_a_surprise_stop_nobody(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    lost, strange, well = [await post.hire() for _ in range(3)]
    await post.execute("UPDATE bots SET token_key = 'gone' WHERE bot_id = $1", lost)

    async def trip(bot_id: int, _: str) -> None:
        if bot_id == strange:
            raise ValueError("canary")

    post.door.held = trip
    async with post.running():
        await eventually(lambda: post.asked(well))
        await asyncio.sleep(1.2)  # two rounds
    assert [post.asked(each) for each in (lost, strange, well)] == [0, 1, 1]
    assert [await post.problems(each) for each in (lost, strange, well)] == [None, None, []]
    assert sorted(record.getMessage() for record in caplog.records) == ["a bot can't be looked at", "surprise"]
    assert "canary" not in str([record.__dict__ for record in caplog.records])


async def replace_webhook(post: Post, bot_id: int) -> None:
    async with post.db.transaction() as tx:
        await bots.webhook_set(tx, bot_id, URL, "2")


async def replace_token(post: Post, bot_id: int) -> None:
    sealed, key = VAULT.seal(BotId(bot_id), post.tokens[bot_id])
    async with post.db.transaction() as tx:
        await bots.save(tx, Bot(BotId(bot_id), "muster_bot", "Muster", sealed, key))


@pytest.mark.parametrize("change", [replace_webhook, replace_token])
async def test_what_was_seen_before_a_change_does_not_overwrite_it(
    post: Post, change: Callable[[Post, int], Awaitable[None]]
) -> None:
    """Nobody waits for Telegram in a transaction, so whoever changes the bot meanwhile need not wait either."""
    bot_id = await post.hire()
    await post.sim.ok(post.tokens[bot_id], "deleteWebhook")

    async def meanwhile(_: int, method: str) -> None:
        if method == "getWebhookInfo":
            post.door.held = None
            async with post.db.transaction() as tx:
                open_ones = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
                assert await tx.fetchval(f"{open_ones} AND datname = current_database()") == 0
            await change(post, bot_id)

    post.door.held = meanwhile
    await post.watch._round()
    assert post.door.held is None
    row = await post.row(bot_id)
    assert (row["health"], row["checked_at"]) == (None, None)
    await post.watch._round()  # at once: the change is to be looked at
    assert await post.problems(bot_id) == ["webhook_missing"]


async def test_a_revoked_token_that_was_replaced_meanwhile_ends_nothing(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    bot_id = await post.hire()
    old, post.sim.stage.world.bots[bot_id].token = post.tokens[bot_id], post.tokens[bot_id] + "x"
    post.tokens[bot_id] = old + "x"
    real = post.door.api.call

    async def replaced(access: BotAccess, method: str) -> Any:
        if access.token == old:
            await replace_token(post, bot_id)
        return await real(access, method)

    post.door.api.call = replaced  # type: ignore[method-assign,assignment]  # this one does it as late as it can be
    await post.watch._round()
    row = await post.row(bot_id)
    assert (row["state"], row["health"]) == ("active", None)
    assert caplog.records == []


async def test_who_does_not_lead_asks_nobody_and_who_lost_the_lease_writes_nothing(db: Database, post: Post) -> None:
    bot_id = await post.hire()
    follower: Any = HealthWatch(db.pool, Leader(db.pool, ttl=5), post.door, VAULT)  # type: ignore[arg-type]  # a double
    with pytest.raises(LeaseLost):
        await follower._round()
    assert post.asked(bot_id) == 0

    async def usurped(_: int, __: str) -> None:
        await post.execute("UPDATE leases SET epoch = epoch + 1, holder = 'another'")

    post.door.held = usurped
    with pytest.raises(LeaseLost):
        await post.watch._round()
    assert await post.problems(bot_id) is None


async def test_the_stop_does_not_wait_for_telegram(post: Post) -> None:
    bot_id = await post.hire()
    never = asyncio.Event()

    async def hangs(_: int, __: str) -> None:
        await never.wait()

    post.door.held = hangs
    async with post.running():
        await eventually(lambda: post.asked(bot_id))
        asked_at = time.monotonic()
    assert time.monotonic() - asked_at < 1


async def test_no_token_is_in_the_logs(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hired = [await post.hire() for _ in range(4)]
    post.sim.stage.world.bots[hired[0]].token += "x"
    await post.faults(
        {"bot_id": hired[1], "kind": "garbage"},
        {"bot_id": hired[2], "kind": "reset"},
        {"bot_id": hired[3], "kind": "error", "error_code": 400, "description": f"no {post.tokens[hired[3]]}"},
    )
    await post.watch._round()
    text = "".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert text.count("a bot can't be looked at") >= 3
    assert [token for token in post.tokens.values() if token in text] == []
