"""Webhooks out by API: registered, changed, rotated, tested, replayed, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
from datetime import timedelta
from typing import Any

import httpx
import pytest
from common.clock import utc_now
from common.keys import KeyRing
from common.store import broadcasts, events, webhook_messages, webhooks
from common.store.broadcasts import Targets
from common.telegram.secrets import SigningVault
from ingress.api import webhooks as routes
from ingress.backend import Backend

from . import names
from .api import FIRST, SECOND, Api
from .conftest import NEW_KEY

BODY: dict[str, Any] = {"url": "https://hooks.shop.com/in?token=t0ps3cret", "kinds": ["broadcast.cancelled"]}
VAULT = SigningVault(KeyRing.from_hex(NEW_KEY))


async def make(api: Api, *, key: str | None = None, **changes: Any) -> httpx.Response:
    return await api.ask("POST", "/api/webhooks", key=key, json=BODY | changes)


async def cancelled(api: Api, bot_ids: list[int] | None = None) -> int:
    async with api.db.transaction() as tx:
        broadcast_id = await broadcasts.create(tx, Targets(all_groups=True, bot_ids=bot_ids), {"method": "x"})
        assert await broadcasts.cancel(tx, broadcast_id)
    return broadcast_id


async def cancelled_and_undone(api: Api) -> None:
    async with api.db.transaction() as tx:
        broadcast_id = await broadcasts.create(tx, Targets(all_groups=True), {"method": "x"})
        assert await broadcasts.cancel(tx, broadcast_id)
        raise ZeroDivisionError


async def test_its_secret_is_shown_once_and_kept_sealed(api: Api) -> None:
    answer = await make(api)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret[6:], validate=True)) == 32
    assert (await api.ask("GET", f"/api/webhooks/{made['webhook_id']}")).json() == made
    assert (await api.ask("GET", "/api/webhooks")).json() == {"items": [made], "next_cursor": None}
    [row] = await api.rows("webhooks")
    assert secret.encode() not in row["secret"]
    assert VAULT.open(row["webhook_id"], row["secret"], row["secret_key"]) == secret


async def test_a_rotation_has_two_live_secrets_and_no_third(api: Api) -> None:
    made = (await make(api)).json()
    path = f"/api/webhooks/{made['webhook_id']}:rotate_secret"
    second = await api.ask("POST", path, json={"overlap_seconds": 60})
    assert second.status_code == 201, second.text
    assert second.json()["secret"] != made["secret"]
    assert second.json()["old_until"] is not None
    [row] = await api.rows("webhooks")
    assert VAULT.open(row["webhook_id"], row["old_secret"], row["old_secret_key"]) == made["secret"]
    third = await api.ask("POST", path, json={})
    assert (third.status_code, third.json()["code"]) == (409, "already_rotating")
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE webhooks SET old_until = now() - interval '1 s'")
    assert (await api.ask("POST", path, json={"overlap_seconds": 60})).status_code == 201


async def test_without_an_overlap_a_rotation_ends_every_old_secret_at_once(api: Api) -> None:
    made = (await make(api)).json()
    path = f"/api/webhooks/{made['webhook_id']}:rotate_secret"
    await api.ask("POST", path, json={"overlap_seconds": 30 * 86400})
    cut = await api.ask("POST", path, json={"overlap_seconds": 0})
    assert (cut.status_code, cut.json()["old_until"]) == (201, None)
    await cancelled(api)
    async with api.db.transaction() as tx:
        [claim] = await webhook_messages.claim(tx, {}, turns=4, hold=timedelta(seconds=30))
    [alone] = claim.secrets
    assert VAULT.open(made["webhook_id"], alone.secret, alone.key) == cut.json()["secret"]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.shop.com/in", "https://10.0.0.8/", "https://[::1]/", "https://localhost/", "https://127.1/",
        "https://hooks.shop.com:8443/", "https://user@hooks.shop.com/", "https://metadata.google.internal/",
        "https://inside.shop.com/", "https://metadata.shop.com/", "https://mixed.shop.com/", "https://mapped.shop.com/",
        "https://nat64.shop.com/", "https://loop.shop.com/", "https://shared.shop.com/", "https://unknown.shop.com/",
        "https://" + "a" * 64 + ".com/", "https://hooks.shop.com/" + "a" * 2048, "https://hooks.shop.com/a b", "", "x",
    ],
)  # fmt: skip
async def test_only_public_https_addresses_are_taken(api: Api, url: str) -> None:
    answer = await make(api, url=url)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert [error["at"] for error in answer.json()["errors"]] == ["url"]
    assert await api.rows("webhooks") == []
    made = (await make(api)).json()
    changed = await api.ask("PATCH", f"/api/webhooks/{made['webhook_id']}", json={"url": url})
    assert changed.status_code == 422
    [row] = await api.rows("webhooks")
    assert row["url"] == BODY["url"]


async def test_a_name_that_leads_inside_is_answered_like_one_that_is_not_known(api: Api) -> None:
    answers = [await make(api, url=f"https://{host}.shop.com/") for host in ("inside", "unknown", "mixed")]
    assert len({str(answer.json()["errors"]) for answer in answers}) == 1


async def test_names_that_hang_hold_up_neither_the_database_nor_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hanging.wait(20))
    monkeypatch.setattr(routes, "_PATIENCE", 0.5)
    backend, loop = Backend(), asyncio.get_running_loop()
    checks = [asyncio.create_task(routes._check_host(backend, f"https://n{n}.shop.com/")) for n in range(40)]
    await asyncio.sleep(0)
    try:
        await asyncio.wait_for(loop.run_in_executor(None, int), 5)  # as asyncpg's look-up of its server
        problems = await asyncio.wait_for(asyncio.gather(*checks, return_exceptions=True), 10)
    finally:
        hanging.set()
    assert {getattr(problem, "code", problem) for problem in problems} == {"invalid_request"}


@pytest.mark.parametrize(
    "changes", [{"kinds": []}, {"kinds": ["delivery.read"]}, {"bot_ids": []}, {"secret": "mine"}, {"url": None}]
)
async def test_bad_input_is_refused(api: Api, changes: dict[str, Any]) -> None:
    assert (await make(api, **changes)).status_code == 422


async def test_public_addresses_of_both_kinds_are_taken(api: Api) -> None:
    assert (await make(api, url="https://six.shop.com/")).status_code == 201


async def test_a_limited_keys_webhook_hears_of_its_bots_alone(api: Api) -> None:
    limited, other = [await api.make_key("*", bot_ids=[bot]) for bot in (FIRST, SECOND)]
    made = (await make(api, key=limited)).json()
    assert made["bot_ids"] == [FIRST]
    path = f"/api/webhooks/{made['webhook_id']}"
    assert (await api.ask("GET", path, key=other)).status_code == 404
    assert (await api.ask("POST", f"{path}:test", key=other)).status_code == 404
    assert (await make(api, key=limited, bot_ids=[SECOND])).json()["code"] == "beyond_bots"
    assert (await make(api, bot_ids=[SECOND])).json()["bot_ids"] == [SECOND]
    wanted = await cancelled(api, [FIRST])
    await cancelled(api, [SECOND, 333333])
    await cancelled(api)
    listed = (await api.ask("GET", f"{path}/deliveries", key=limited)).json()["items"]
    assert len(listed) == 1
    [event] = await api.rows("events")
    assert event["data"]["broadcast_id"] == wanted


async def test_nothing_is_written_where_nobody_listens(api: Api) -> None:
    await make(api, kinds=["broadcast.paused", "delivery.sent"])
    await make(api, enabled=False)
    await cancelled(api)
    assert await api.rows("events") == await api.rows("webhook_messages") == []


async def test_the_event_goes_with_what_it_tells(api: Api) -> None:
    made = (await make(api)).json()
    with pytest.raises(ZeroDivisionError):
        await cancelled_and_undone(api)
    assert await api.rows("events") == []
    broadcast_id = await cancelled(api)
    [event] = await api.rows("events")
    assert event["data"] == {"broadcast_id": broadcast_id, "state": "cancelled", "reason": None, "total": 0}
    [item] = (await api.ask("GET", f"/api/webhooks/{made['webhook_id']}/deliveries?state=pending")).json()["items"]
    assert (item["kind"], item["state"], item["attempts"]) == ("broadcast.cancelled", "pending", 0)
    assert item["event_ids"] == [f"evt_{event['event_id']}"]


async def test_a_test_event_goes_to_that_webhook_alone(api: Api) -> None:
    first, second = [(await make(api)).json() for _ in range(2)]
    answer = await api.ask("POST", f"/api/webhooks/{first['webhook_id']}:test")
    assert answer.status_code == 202, answer.text
    [message] = await api.rows("webhook_messages")
    assert (message["webhook_id"], message["kind"]) == (first["webhook_id"], "webhook.test")
    assert answer.json() == {"event_id": f"evt_{message['event_ids'][0]}"}
    await api.ask("PATCH", f"/api/webhooks/{second['webhook_id']}", json={"enabled": False})
    off = await api.ask("POST", f"/api/webhooks/{second['webhook_id']}:test")
    assert (off.status_code, off.json()["code"]) == (409, "wrong_state")


async def test_a_replay_tells_the_same_events_again(api: Api) -> None:
    made = (await make(api, bot_ids=[FIRST])).json()
    await make(api, kinds=["broadcast.cancelled", "broadcast.paused"])
    for bots in ([FIRST], [FIRST], None):
        await cancelled(api, bots)
    path = f"/api/webhooks/{made['webhook_id']}:replay"
    an_hour = (utc_now() - timedelta(hours=1)).isoformat()
    assert (await api.ask("POST", path, json={"since": an_hour})).json() == {"events": 2, "more_after": None}
    assert (await api.ask("POST", path, json={"since": "2100-01-01T00:00:00Z"})).json()["events"] == 0
    own, _, foreign = [event["event_id"] for event in await api.rows("events")]
    one = await api.ask("POST", path, json={"event_id": f"evt_{own}"})
    assert (one.status_code, one.json()["events"]) == (202, 1)
    for event_id in (foreign, 999, 2**63 - 1):
        none = await api.ask("POST", path, json={"event_id": f"evt_{event_id}"})
        assert (none.status_code, none.json()["code"]) == (422, "event_not_found")
    listed = (await api.ask("GET", f"/api/webhooks/{made['webhook_id']}/deliveries")).json()["items"]
    assert len(listed) == 5
    assert [item["event_ids"] for item in listed].count([f"evt_{own}"]) == 3


@pytest.mark.parametrize(
    "body",
    [{}, {"since": "2026-01-01T00:00:00Z", "event_id": "evt_1"}, {"since": "2026-01-01T00:00:00"}, {"event_id": "1"},
     {"event_id": "evt_9999999999999999999"}, {"event_id": "evt_0"}, {"after": "1"},
     {"event_id": "evt_1", "after": "evt_1"}, {"since": "2026-01-01T00:00:00Z", "after": "evt_1"}],
)  # fmt: skip
async def test_a_replay_is_of_one_thing(api: Api, body: dict[str, Any]) -> None:
    made = (await make(api)).json()
    assert (await api.ask("POST", f"/api/webhooks/{made['webhook_id']}:replay", json=body)).status_code == 422


async def test_a_replay_gets_past_any_number_of_events_of_one_moment(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_messages, "MOST", 4)
    made = (await make(api, kinds=["delivery.failed"])).json()
    async with api.db.transaction() as tx:  # one statement ends many
        await events.tell(
            tx, [{"kind": "delivery.failed", "bot_ids": [1], "data": {"delivery_id": n}} for n in range(10)]
        )
        await tx.execute("DELETE FROM webhook_messages")
    path, body = f"/api/webhooks/{made['webhook_id']}:replay", {"since": "2026-01-01T00:00:00Z"}
    for count in (4, 4, 2):
        answer = (await api.ask("POST", path, json=body)).json()
        assert answer["events"] == count
        body = {"after": answer["more_after"]}
    assert answer["more_after"] is None
    told = [row["event_ids"] for row in await api.rows("webhook_messages")]
    assert told == [[row["event_id"]] for row in await api.rows("events")]
    gone = await api.ask("POST", path, json={"after": "evt_999"})
    assert (gone.status_code, gone.json()["code"]) == (422, "event_not_found")


async def test_what_was_replayed_once_under_a_key_is_not_replayed_twice(api: Api) -> None:
    made = (await make(api)).json()
    await cancelled(api)
    ask = {"json": {"since": "2026-01-01T00:00:00Z"}, "headers": {"Idempotency-Key": "k"}}
    answers = [await api.ask("POST", f"/api/webhooks/{made['webhook_id']}:replay", **ask) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(await api.rows("webhook_messages")) == 2


async def test_a_change_that_is_asked_again_is_answered_like_the_first(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = (await make(api)).json()
    path = f"/api/webhooks/{made['webhook_id']}"
    ask = {"json": {"url": "https://six.shop.com/in"}, "headers": {"Idempotency-Key": "k"}}
    first = await api.ask("PATCH", path, **ask)
    monkeypatch.setitem(names.ADDRESSES, "six.shop.com", [])  # its name server is away
    second = await api.ask("PATCH", path, **ask)
    await api.ask("DELETE", path)
    third = await api.ask("PATCH", path, **ask)
    assert [answer.status_code for answer in (first, second, third)] == [200] * 3
    assert first.json() == second.json() == third.json()


async def test_enabled_again_it_begins_anew(api: Api) -> None:
    made = (await make(api)).json()
    async with api.db.transaction() as tx:
        await tx.execute(
            """UPDATE webhooks SET enabled = false, disabled_reason = 'it failed for 3 days', failing_since = now(),
                   wants_until = now() + interval '7 days'"""
        )
    await cancelled(api)  # kept for it
    on = await api.ask("PATCH", f"/api/webhooks/{made['webhook_id']}", json={"enabled": True})
    assert (on.json()["enabled"], on.json()["disabled_reason"], on.json()["failing_since"]) == (True, None, None)
    assert len(await api.rows("webhook_messages")) == 1


@pytest.mark.parametrize(("change", "kept"), [({"kinds": BODY["kinds"]}, 1), ({"enabled": False}, 0)])
async def test_what_muster_disabled_is_kept_for_until_somebody_disables_it(
    api: Api, change: dict[str, Any], kept: int
) -> None:
    made = (await make(api)).json()
    async with api.db.transaction() as tx:
        assert await webhooks.disable(tx, made["webhook_id"], BODY["url"], "it failed for 3 days")
    answer = await api.ask("PATCH", f"/api/webhooks/{made['webhook_id']}", json=change)
    assert (answer.json()["enabled"], bool(answer.json()["disabled_reason"])) == (False, bool(kept))
    await cancelled(api)
    assert len(await api.rows("webhook_messages")) == kept


async def test_removed_nothing_is_told_to_it(api: Api) -> None:
    made = (await make(api)).json()
    await cancelled(api)
    path = f"/api/webhooks/{made['webhook_id']}"
    assert (await api.ask("DELETE", path)).status_code == 200
    assert (await api.ask("GET", path)).status_code == 404
    assert await api.rows("webhooks") == []
    await cancelled(api)
    async with api.db.transaction() as tx:  # the first one's request is there until it is pruned
        assert await webhook_messages.claim(tx, {}, turns=4, hold=timedelta(seconds=30)) == []
    assert len(await api.rows("events")) == 1


async def test_the_trail_has_the_host_and_neither_path_nor_secret(api: Api) -> None:
    made = (await make(api)).json()
    path = f"/api/webhooks/{made['webhook_id']}"
    await api.ask("POST", f"{path}:rotate_secret", json={})
    await api.ask("POST", f"{path}:test")
    await api.ask("POST", f"{path}:replay", json={"since": "2026-01-01T00:00:00Z"})
    await api.ask("PATCH", path, json={"kinds": ["delivery.failed"]})
    await api.ask("DELETE", path)
    entries = (await api.ask("GET", "/api/audit?limit=6")).json()["items"][::-1]
    words = ("create", "rotate_secret", "test", "replay", "change", "remove")
    assert [entry["action"] for entry in entries] == [f"webhook.{word}" for word in words]
    assert entries[0]["after"]["host"] == "hooks.shop.com"
    assert "t0ps3cret" not in str(entries)
    assert "whsec_" not in str(entries)


async def test_there_is_an_end_to_how_many_one_key_makes(api: Api) -> None:
    answers = [await make(api) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [201] * 10 + [409]
    assert answers[-1].json()["code"] == "too_many_webhooks"
