"""Bots by API on a simulated Telegram: tokens go in and never come out, and webhooks are ours."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta
from typing import Any

import httpx
import pytest
from common.congestion import Refusal
from common.ids import BotId
from common.keys import KeyRing, WebhookSecrets
from common.store import congestion
from common.testing.polling import eventually
from ingress.webhook import PATH
from telegram_sim.testing import Simulation

from .api import FIRST, SECOND, VAULT, Api, token_of
from .conftest import NEW_KEY, OLD_KEY

TOKEN = token_of(FIRST)
OTHER = f"{FIRST}:BBF4keT0kenForTests-0123456789_abcd"


async def register(api: Api, token: str = TOKEN, **body: Any) -> httpx.Response:
    headers = body.pop("headers", {})
    return await api.ask("POST", "/api/bots", json={"token": token} | body, headers=headers)


async def hook(telegram: Simulation, bot_id: int = FIRST) -> Any:
    """As the simulated Telegram has it."""
    return telegram.stage.world.bots[bot_id].webhook


async def row(api: Api, bot_id: int = FIRST) -> dict[str, Any]:
    [found] = [row for row in await api.rows("bots") if row["bot_id"] == bot_id]
    return found


async def test_a_bot_is_checked_kept_encrypted_and_given_its_webhook(api: Api, telegram: Simulation) -> None:
    answer = await register(api, per_second=12)
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert (shown["bot_id"], shown["username"], shown["per_second"], shown["enabled"], shown["state"]) == (
        FIRST, f"bot{FIRST}", 12, True, "active",
    )  # fmt: skip
    assert (shown["webhook_url"], shown["webhook_key"]) == (f"http://127.0.0.1:1{PATH}", "2")
    assert shown == (await api.ask("GET", f"/api/bots/{FIRST}")).json()
    kept = await row(api)
    assert TOKEN.encode() not in kept["token"]
    assert VAULT.open(FIRST, kept["token"], kept["token_key"]) == TOKEN
    set_here = await hook(telegram)
    assert set_here.url == f"http://127.0.0.1:1{PATH}"
    assert WebhookSecrets(KeyRing.from_hex(NEW_KEY)).bot(set_here.secret_token.encode()) == FIRST
    assert {"chat_member", "message_reaction"} <= telegram.stage.world.bots[FIRST].updates.allowed  # W11
    actions = [entry["action"] for entry in await api.rows("audit")]
    assert actions[-2:] == ["bot.register", "bot.set_webhook"]


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ("canary", 422, "invalid_request"),
        ("", 422, "invalid_request"),
        (f"{FIRST}:canary", 422, "invalid_request"),
        (7, 422, "invalid_request"),
        (f"{FIRST}:CANARYCANARYCANARYCANARYCANARYCANARY", 422, "token_refused"),
        ("333333:CANARYCANARYCANARYCANARYCANARYCANARY", 422, "token_refused"),
        (f"9{'0' * 18}:CANARYCANARYCANARYCANARYCANARYCANARY", 422, "invalid_request"),
    ],
)
async def test_what_is_no_token_registers_nothing_and_is_not_repeated(
    api: Api, telegram: Simulation, caplog: pytest.LogCaptureFixture, token: Any, status: int, code: str
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = await register(api, token)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "canary" not in (answer.text + caplog.text).lower()
    assert await api.rows("bots") == []


async def test_the_token_is_in_no_answer_log_row_or_audit(
    api: Api, telegram: Simulation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = [(await register(api, headers={"Idempotency-Key": "k"})).text]
    texts += [(await api.ask("POST", f"/api/bots/{FIRST}:check")).text]
    await telegram.admin("PUT", "faults", rules=[{"kind": "garbage"}])
    texts += [(await register(api, headers={"Idempotency-Key": "l"})).text]
    for table in ("bots", "audit", "idempotent_results"):
        texts += [json.dumps(each, default=repr) for each in await api.rows(table)]
    secret = (await hook(telegram)).secret_token
    assert not [text for text in [*texts, caplog.text] if TOKEN in text or secret in text]
    assert texts[0].count(str(FIRST)) > 0  # the search can find something


async def test_the_same_request_again_is_answered_as_before_and_another_token_is_another_request(
    api: Api, telegram: Simulation
) -> None:
    key = {"Idempotency-Key": "order-7"}
    first = await register(api, headers=key)
    await telegram.admin("PUT", "faults", rules=[{"kind": "http_500"}])
    again = await register(api, headers=key)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    other = await register(api, token_of(SECOND), headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def reissue(telegram: Simulation) -> None:
    """As @BotFather does: the old token is dead, and the webhook was the old token's."""
    telegram.stage.world.bots[FIRST].token = OTHER
    telegram.stage.world.bots[FIRST].webhook = None


async def test_a_known_bot_keeps_its_token_until_it_is_replaced(api: Api, telegram: Simulation) -> None:
    await register(api)
    reissue(telegram)
    answer = await register(api, OTHER)
    assert (answer.status_code, answer.json()["code"]) == (409, "bot_exists")
    checked = (await api.ask("POST", f"/api/bots/{FIRST}:check")).json()
    assert (checked["state"], checked["health"]["problems"]) == ("revoked", ["token_revoked"])
    stuck = await api.ask("POST", f"/api/bots/{FIRST}:rotate_secret")
    assert (stuck.status_code, stuck.json()["code"]) == (409, "token_revoked")
    replaced = await api.ask("POST", f"/api/bots/{FIRST}:replace_token", json={"token": OTHER})
    assert (replaced.status_code, replaced.json()["state"]) == (200, "active"), replaced.text
    kept = await row(api)
    assert VAULT.open(FIRST, kept["token"], kept["token_key"]) == OTHER
    assert (await hook(telegram)).url == f"http://127.0.0.1:1{PATH}"
    wrong = await api.ask("POST", f"/api/bots/{FIRST}:replace_token", json={"token": token_of(SECOND)})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "token_of_another_bot")


async def test_a_token_whose_key_is_gone_can_be_replaced(api: Api, telegram: Simulation) -> None:
    await api.grow(FIRST, 0)
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE bots SET token_key = 'gone'")
    assert (await api.ask("POST", f"/api/bots/{FIRST}:check")).status_code == 503
    assert (await register(api)).status_code == 409
    assert (await api.ask("POST", f"/api/bots/{FIRST}:replace_token", json={"token": TOKEN})).status_code == 200
    assert (await api.ask("POST", f"/api/bots/{FIRST}:check")).status_code == 200


async def test_a_rotation_gives_telegram_a_secret_of_the_current_key(
    api: Api, telegram: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(api)
    ring = WebhookSecrets(KeyRing.from_hex(f"{NEW_KEY},{OLD_KEY}"))
    old = WebhookSecrets(KeyRing.from_hex(OLD_KEY)).secret(FIRST)
    telegram.stage.world.bots[FIRST].webhook.secret_token = old  # type: ignore[union-attr]  # it was set above
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE bots SET webhook_key = '1'")
    answer = await api.ask("POST", f"/api/bots/{FIRST}:rotate_secret")
    assert (answer.status_code, answer.json()["webhook_key"]) == (200, "2"), answer.text
    now = (await hook(telegram)).secret_token
    assert now != old
    assert [ring.bot(each.encode()) for each in (now, old)] == [FIRST, FIRST]  # both while the old key is in the ring


async def test_a_webhook_that_was_set_before_rows_remembered_it_is_known_by_its_address(
    api: Api, telegram: Simulation
) -> None:
    await api.grow(FIRST, 0)
    await telegram.ok(TOKEN, "setWebhook", url=f"http://127.0.0.1:1{PATH}", secret_token="old")
    answer = await api.ask("POST", f"/api/bots/{FIRST}:rotate_secret")
    assert (answer.status_code, answer.json()["webhook_key"]) == (200, "2"), answer.text
    assert (await hook(telegram)).secret_token != "old"


async def test_a_check_remembers_a_webhook_of_ours_for_the_next_token(api: Api, telegram: Simulation) -> None:
    await api.grow(FIRST, 0)
    await telegram.ok(TOKEN, "setWebhook", url=f"http://127.0.0.1:1{PATH}", secret_token="old")
    checked = (await api.ask("POST", f"/api/bots/{FIRST}:check")).json()
    assert (checked["health"]["webhook"], checked["webhook_url"]) == ("ours", f"http://127.0.0.1:1{PATH}")
    reissue(telegram)
    await api.ask("POST", f"/api/bots/{FIRST}:replace_token", json={"token": OTHER})
    assert (await hook(telegram)).url == f"http://127.0.0.1:1{PATH}"


async def test_a_check_sees_whose_webhook_it_is_and_what_waits(api: Api, telegram: Simulation) -> None:
    await register(api, webhook=False)
    path = f"/api/bots/{FIRST}:check"

    async def health() -> dict[str, Any]:
        answer = await api.ask("POST", path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["health"]
        return found

    assert (await health())["problems"] == ["webhook_missing"]
    await telegram.ok(TOKEN, "setWebhook", url="http://127.0.0.1:1/canary-of-another")
    foreign = await health()
    assert (foreign["webhook"], foreign["problems"]) == ("foreign", ["webhook_foreign"])
    assert "canary" not in json.dumps(await api.rows("bots"), default=repr)
    stays = await api.ask("POST", f"/api/bots/{FIRST}:rotate_secret")
    assert (stays.status_code, stays.json()["code"]) == (409, "webhook_not_ours")
    assert (await register(api)).json()["health"] is None
    assert (await health())["webhook"] == "ours"
    telegram.stage.world.bots[FIRST].updates.allowed = frozenset({"message"})
    ada = (await telegram.admin("POST", "users", first_name="Ada"))["users"][0]["id"]
    await telegram.admin("POST", "messages", bot_id=FIRST, user_id=ada, text="hello")

    async def failing() -> bool:
        found = await health()
        return found["problems"] == ["updates_missing", "delivery_failing"] and found["pending_updates"] == 1

    await eventually(failing)
    shown = (await api.ask("GET", f"/api/bots/{FIRST}")).json()["health"]
    assert shown["last_error"]
    assert "chat_member" in shown["missing_updates"]


async def test_a_check_keeps_nothing_where_the_webhook_was_set_meanwhile(api: Api, telegram: Simulation) -> None:
    await register(api)
    await telegram.ok(TOKEN, "deleteWebhook")
    await telegram.admin("PUT", "faults", rules=[], latency="300-300")
    checking = asyncio.create_task(api.ask("POST", f"/api/bots/{FIRST}:check"))

    async def half_asked() -> bool:
        return len((await telegram.admin("GET", "effects?method=getMe"))["effects"]) == 2  # the first registered it

    await eventually(half_asked)
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE bots SET webhook_set_at = now()")
    answer = await checking
    assert (answer.status_code, answer.json()["health"]) == (200, None)


@pytest.mark.parametrize(
    ("fault", "status", "code", "retry"),
    [
        ({"kind": "http_502_html"}, 503, "telegram_unavailable", "5"),
        ({"kind": "garbage"}, 503, "telegram_unavailable", "5"),
        ({"kind": "http_429", "retry_after": 77}, 503, "telegram_busy", "77"),
        ({"kind": "error", "error_code": 400, "description": "Bad Request: no"}, 422, "telegram_refused", None),
    ],
)
@pytest.mark.parametrize("method", ["getMe", "setWebhook"])
async def test_what_telegram_can_not_do_is_said_and_may_be_tried_again(
    api: Api, telegram: Simulation, method: str, fault: dict[str, Any], status: int, code: str, retry: str | None
) -> None:
    await telegram.admin("PUT", "faults", rules=[{"method": method} | fault])
    key = {"Idempotency-Key": "k"}
    answer = await register(api, headers=key)
    assert (answer.status_code, answer.json()["code"], answer.headers.get("retry-after")) == (status, code, retry)
    await telegram.admin("PUT", "faults", rules=[])
    assert (await register(api, headers=key)).status_code == 201
    assert (await hook(telegram)).url


async def test_telegram_away_is_503(api: Api, telegram: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_API_URL", "http://127.0.0.1:1")
    assert (await register(api)).json()["code"] == "telegram_unavailable"


@pytest.mark.parametrize(
    ("setting", "body"), [("MUSTER_ENCRYPTION_KEYS", {"webhook": False}), ("MUSTER_PUBLIC_URL", {})]
)
async def test_a_missing_setting_is_named(
    api: Api, telegram: Simulation, monkeypatch: pytest.MonkeyPatch, setting: str, body: dict[str, Any]
) -> None:
    monkeypatch.delenv(setting)
    answer = await register(api, **body)
    assert (answer.status_code, answer.json()["code"], answer.json()["setting"]) == (503, "setting_missing", setting)
    assert await api.rows("bots") == []
    assert (await api.ask("GET", "/api/bots")).status_code == 200


@pytest.mark.parametrize(
    "webhook",
    [
        f"http://bots.muster.dev{PATH}",
        f"https://u:p@bots.muster.dev{PATH}",
        f"https://127.0.0.1{PATH}",
        f"https://localhost{PATH}",
        "https://bots.muster.dev/elsewhere",
        f"https://bots.muster.dev{PATH}?canary=1",
        7,
        1,
        "yes",
        None,
    ],
)
async def test_a_webhook_leads_here_by_https_or_nowhere(api: Api, telegram: Simulation, webhook: Any) -> None:
    answer = await register(api, webhook=webhook)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "canary" not in answer.text


async def test_a_webhook_at_another_name_of_ours(api: Api, telegram: Simulation) -> None:
    url = f"https://bots.muster.dev{PATH}"
    assert (await register(api, webhook=url)).json()["webhook_url"] == url
    assert (await hook(telegram)).url == url


async def test_a_limited_key_registers_only_its_bots(api: Api, telegram: Simulation) -> None:
    key = await api.make_key("bots:write", bot_ids=[FIRST])
    answers = [
        await api.ask("POST", "/api/bots", key=key, json={"token": token_of(each), "webhook": False})
        for each in (FIRST, SECOND)
    ]
    assert [answer.status_code for answer in answers] == [201, 403]
    assert [row["bot_id"] for row in await api.rows("bots")] == [FIRST]


async def test_a_flood_is_shown_with_what_it_leaves_of_the_rate(api: Api, telegram: Simulation) -> None:
    await register(api)
    assert (await api.ask("POST", f"/api/bots/{FIRST}:check")).json()["health"]["problems"] == []
    refusals = [Refusal(BotId(FIRST), chat, timedelta(seconds=8)) for chat in (-1, -2, -3)]
    async with api.db.transaction() as tx:
        await congestion.note(tx, refusals)
    [shown] = (await api.ask("GET", "/api/bots")).json()["items"]
    assert (shown["per_second"], shown["rate"], shown["health"]["problems"]) == (30, 15, ["throttled"])
    assert shown["flood_until"] is not None
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE bots SET flood_until = now(), learned_at = now() - interval '4 min'")
    [shown] = (await api.ask("GET", "/api/bots")).json()["items"]
    assert (shown["rate"], shown["flood_until"], shown["health"]["problems"]) == (30, None, [])


async def test_a_flood_of_a_bot_that_was_never_checked_is_shown(api: Api) -> None:
    await api.grow(FIRST, 0)
    async with api.db.transaction() as tx:
        await congestion.note(tx, [Refusal(BotId(FIRST), -1, timedelta(seconds=70))])
    [shown] = (await api.ask("GET", "/api/bots")).json()["items"]
    health = shown["health"]
    assert (health["checked_at"], health["webhook"], health["problems"]) == (None, "unknown", ["throttled"])


async def test_how_fast_and_whether_at_all(api: Api) -> None:
    await api.grow(FIRST, 0)
    path = f"/api/bots/{FIRST}"
    changed = (await api.ask("PATCH", path, json={"per_second": 1000, "enabled": False})).json()
    assert (changed["per_second"], changed["enabled"]) == (1000, False)
    assert (await api.ask("PATCH", path, json={"enabled": True})).json()["per_second"] == 1000
    for wrong in ({"per_second": 0}, {"per_second": 1001}, {"per_second": None}, {"enabled": "no"}, {"token": TOKEN}):
        answer = await api.ask("PATCH", path, json=wrong)
        assert answer.status_code == 422, wrong
        assert TOKEN not in answer.text
    last = (await api.ask("GET", "/api/audit?limit=1")).json()["items"][0]
    assert (last["action"], last["before"]["enabled"], last["after"]["enabled"]) == ("bot.change", False, True)


async def test_a_bot_that_was_never_registered(api: Api, telegram: Simulation) -> None:
    path = f"/api/bots/{BotId(5)}"
    for method, suffix, body in (
        ("POST", ":check", None), ("POST", ":rotate_secret", None),
        ("POST", ":replace_token", {"token": TOKEN}), ("PATCH", "", {"enabled": True}),
    ):  # fmt: skip
        assert (await api.ask(method, path + suffix, json=body)).status_code == 404, suffix
