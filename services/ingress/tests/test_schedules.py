"""Schedules by API: made, shown, changed, removed, and what is refused."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from common.clock import utc_now
from ingress.api import schedules as routes

from .api import FIRST, SECOND, Api

BODY: dict[str, Any] = {
    "name": "Stand-up",
    "cron": "0 9 * * 1-5",
    "timezone": "Europe/Berlin",
    "message": {"type": "text", "text": "Good morning, {{title}}"},
    "targets": {"tags": ["berlin"], "exclude_group_ids": [7]},
    "priority": 7,
    "ttl_seconds": 600,
}


async def make(api: Api, *, key: str | None = None, **changes: Any) -> httpx.Response:
    return await api.ask("POST", "/api/schedules", key=key, json=BODY | changes)


async def test_a_schedule_shows_its_next_five_dates_in_its_own_time(api: Api) -> None:
    answer = await make(api)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    dates = [datetime.fromisoformat(text) for text in body["next_dates"]]
    assert len(dates) == 5
    assert all((at.hour, at.minute) == (9, 0) and at.weekday() < 5 for at in dates)
    assert utc_now() < dates[0] < dates[1] < dates[2] < dates[3] < dates[4]
    assert {text[-6:] for text in body["next_dates"]} <= {"+01:00", "+02:00"}
    assert (body["name"], body["enabled"], body["priority"], body["ttl_seconds"]) == ("Stand-up", True, 7, 600)
    assert body["targets"] == {
        "all": False, "group_ids": [], "tags": ["berlin"], "exclude_group_ids": [7], "exclude_tags": [],
    }  # fmt: skip
    assert body["message"] == {"method": "sendMessage", "params": {"text": "Good morning, {{title}}"}}
    [row] = await api.rows("schedules")
    assert row["next_at"] == dates[0]
    assert (body.pop("accepted"), body.pop("unknown_tags")) == (0, ["berlin"])
    assert (await api.ask("GET", f"/api/schedules/{body['schedule_id']}")).json() == body
    assert (await api.ask("GET", "/api/schedules")).json() == {"items": [body], "next_cursor": None}


async def test_whom_it_would_reach_is_said_when_it_is_made_or_changed(api: Api) -> None:
    await api.grow(FIRST, 2, tags=["berlin"])
    await api.grow(SECOND, 1, tags=["theirs"])
    key = await api.make_key("*", bot_ids=[FIRST])
    made = (await make(api, key=key, targets={"tags": ["berlin", "theirs"]})).json()
    assert (made["accepted"], made["unknown_tags"]) == (2, ["theirs"])
    path = f"/api/schedules/{made['schedule_id']}"
    changed = (await api.ask("PATCH", path, json={"targets": {"tags": ["brelin"], "exclude_tags": ["berlin"]}})).json()
    assert (changed["accepted"], changed["unknown_tags"]) == (0, ["brelin"])
    assert (await api.ask("PATCH", path, json={"targets": {"all": True}})).json()["accepted"] == 2


async def test_a_preview_writes_nothing_and_says_what_the_clocks_do(api: Api) -> None:
    asked = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}
    answer = await api.ask("POST", "/api/schedules:preview", json=asked)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["next_dates"]) == 5
    assert await api.rows("schedules") == []
    end = (utc_now() + timedelta(hours=49)).isoformat()
    ended = await api.ask("POST", "/api/schedules:preview", json=asked | {"ends_at": end})
    assert len(ended.json()["next_dates"]) == 2


async def test_its_next_date_is_next_by_the_databases_clock(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host an hour ahead left out what comes within the hour."""
    monkeypatch.setattr(routes, "utc_now", lambda: utc_now() + timedelta(hours=1))
    made = await make(api, cron="* * * * *", timezone="UTC")
    assert datetime.fromisoformat(made.json()["next_dates"][0]) <= utc_now() + timedelta(minutes=1)
    path = f"/api/schedules/{made.json()['schedule_id']}"
    moved = await api.ask("PATCH", path, json={"timezone": "Europe/Berlin"})
    assert datetime.fromisoformat(moved.json()["next_dates"][0]) <= utc_now() + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"cron": "0 9 * *"}, "cron"),
        ({"cron": "61 9 * * *"}, "cron"),
        ({"cron": "0 0 31 2 *"}, "cron"),
        ({"cron": "@daily"}, "cron"),
        ({"cron": "9" * 101}, "cron"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "localtime"}, "timezone"),
        ({"name": ""}, "name"),
        ({"message": {"type": "text", "text": "<b>", "parse_mode": "HTML"}}, "message.text"),
        ({"targets": {}}, "targets"),
        ({"targets": {"all": True, "tags": ["x"]}}, "targets"),
        ({"priority": 10}, "priority"),
        ({"ttl_seconds": 0}, "ttl_seconds"),
        ({"ends_at": "2030-01-01T00:00:00"}, "ends_at"),
        ({"send_at": "2030-01-01T00:00:00Z"}, "send_at"),
    ],
)
async def test_bad_input_is_refused_with_its_place(api: Api, changes: dict[str, Any], at: str) -> None:
    answer = await make(api, **changes)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "invalid_request"), answer.text
    assert [error["at"] for error in body["errors"]] == [at]
    assert await api.rows("schedules") == []


async def test_the_reason_is_told_in_words(api: Api) -> None:
    [error] = (await make(api, cron="61 9 * * *")).json()["errors"]
    assert error["what"] == "can't read the field: minute"
    [error] = (await make(api, cron="0 0 32 2 *")).json()["errors"]
    assert error["what"] == "can't read the field: day-of-month"
    [error] = (await make(api, cron="0 0 30 2 *")).json()["errors"]
    assert error["what"] == "this date never comes"
    [error] = (await make(api, timezone="Nowhere")).json()["errors"]
    assert error["what"] == "is no name of the time zone database, like Europe/Berlin"


async def test_one_that_ends_before_it_begins_is_refused(api: Api) -> None:
    answer = await make(api, ends_at=utc_now().isoformat())
    assert (answer.status_code, answer.json()["code"]) == (422, "never")


async def test_a_change_moves_the_next_date_only_where_it_must(api: Api) -> None:
    made = (await make(api)).json()
    path = f"/api/schedules/{made['schedule_id']}"
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE schedules SET next_at = now() - interval '1 s'")  # due at this moment
    text = await api.ask("PATCH", path, json={"message": {"type": "text", "text": "Moin"}, "ttl_seconds": None})
    assert text.json()["message"]["params"]["text"] == "Moin"
    assert text.json()["ttl_seconds"] is None
    [row] = await api.rows("schedules")
    assert row["next_at"] < utc_now()
    moved = await api.ask("PATCH", path, json={"cron": "0 18 * * *", "timezone": "Asia/Tokyo"})
    first = datetime.fromisoformat(moved.json()["next_dates"][0])
    assert (first.hour, first.utcoffset()) == (18, timedelta(hours=9))
    [row] = await api.rows("schedules")
    assert row["next_at"] == first > utc_now()


async def test_off_and_on_again(api: Api) -> None:
    made = (await make(api)).json()
    path = f"/api/schedules/{made['schedule_id']}"
    off = (await api.ask("PATCH", path, json={"enabled": False})).json()
    assert (off["enabled"], off["next_dates"]) == (False, [])
    assert (await api.rows("schedules"))[0]["next_at"] is None
    on = (await api.ask("PATCH", path, json={"enabled": True})).json()
    assert on["next_dates"] == made["next_dates"]
    over = (await api.ask("PATCH", path, json={"ends_at": "2020-01-01T00:00:00Z"})).json()
    assert (over["enabled"], over["next_dates"]) == (True, [])
    again = (await api.ask("PATCH", path, json={"ends_at": None})).json()
    assert again["next_dates"] == made["next_dates"]


async def test_a_change_of_the_zone_alone_is_read_with_the_rest(api: Api) -> None:
    made = (await make(api)).json()
    answer = await api.ask("PATCH", f"/api/schedules/{made['schedule_id']}", json={"cron": "0 0 31 2 *"})
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["at"], error["what"]) == ("cron", "this date never comes")


async def test_each_change_leaves_an_audit_row_without_the_message(api: Api) -> None:
    made = (await make(api)).json()
    path = f"/api/schedules/{made['schedule_id']}"
    await api.ask("PATCH", path, json={"enabled": False})
    gone = await api.ask("DELETE", path)
    assert gone.json()["schedule_id"] == made["schedule_id"]
    assert (await api.ask("GET", path)).status_code == 404
    entries = (await api.ask("GET", "/api/audit?limit=3")).json()["items"][::-1]
    assert [entry["action"] for entry in entries] == ["schedule.create", "schedule.change", "schedule.remove"]
    assert [(entry["before"] or {}).get("enabled") for entry in entries] == [None, True, False]
    assert {entry["object"] for entry in entries} == {f"schedule:{made['schedule_id']}"}
    assert "morning" not in str(entries)


async def test_one_that_is_removed_is_shown_without_dates_to_come(api: Api) -> None:
    made = (await make(api)).json()
    gone = (await api.ask("DELETE", f"/api/schedules/{made['schedule_id']}")).json()
    assert (made["enabled"], len(made["next_dates"])) == (True, 5)
    assert (gone["enabled"], gone["next_dates"], gone["cron"]) == (False, [], made["cron"])


async def test_the_same_request_twice_makes_one(api: Api) -> None:
    ask = {"json": BODY, "headers": {"Idempotency-Key": "k1"}}
    answers = [await api.ask("POST", "/api/schedules", **ask) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(await api.rows("schedules")) == 1


async def test_a_limited_keys_schedule_stays_limited_whoever_changes_it(api: Api) -> None:
    await api.grow(FIRST, 1)
    await api.grow(SECOND, 1)
    limited, other = [await api.make_key("*", bot_ids=[bot]) for bot in (FIRST, SECOND)]
    made = (await make(api, key=limited, targets={"all": True})).json()
    path = f"/api/schedules/{made['schedule_id']}"
    assert (await api.ask("GET", path, key=other)).status_code == 404
    assert (await api.ask("GET", "/api/schedules", key=other)).json()["items"] == []
    changed = await api.ask("PATCH", path, json={"targets": {"all": True, "exclude_tags": ["x"]}})  # by a key for all
    assert changed.status_code == 200
    [row] = await api.rows("schedules")
    assert row["bot_ids"] == [FIRST]


async def test_runs_come_in_pages_the_newest_first(api: Api) -> None:
    made = (await make(api)).json()
    async with api.db.transaction() as tx:
        await tx.execute(
            """INSERT INTO schedule_runs (schedule_id, due_at, reason)
               SELECT $1, to_timestamp(n * 60), 'missed by more than an hour' FROM generate_series(1, 5) n""",
            made["schedule_id"],
        )
    path, seen, cursor = f"/api/schedules/{made['schedule_id']}/runs", [], ""
    while True:
        page = (await api.ask("GET", f"{path}?limit=2{cursor}")).json()
        seen += [datetime.fromisoformat(item["due_at"]) for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [datetime.fromtimestamp(n * 60, UTC) for n in (5, 4, 3, 2, 1)]
    listed = b64decode((await api.ask("GET", f"{path}?limit=2")).json()["next_cursor"] + "==").partition(b":")[0]
    for strange in (b"9223372036854775807", b"-9223372036854775807", b"9" * 30, b"x"):
        forged = urlsafe_b64encode(listed + b":" + strange).rstrip(b"=").decode()
        assert (await api.ask("GET", f"{path}?cursor={forged}")).json()["code"] == "invalid_cursor"


async def test_a_variable_that_no_group_has_is_refused_where_there_are_groups(api: Api) -> None:
    message = {"type": "text", "text": "hi {{nosuch}}"}
    early = await make(api, message=message)
    assert early.status_code == 201, "nobody is there yet, who comes may have it"
    [group] = await api.grow(FIRST, 1, tags=["berlin"])
    refused = [await make(api, message=message)]
    fine = (await make(api)).json()["schedule_id"]
    refused.append(await api.ask("PATCH", f"/api/schedules/{fine}", json={"message": message}))
    path = f"/api/schedules/{early.json()['schedule_id']}"
    refused.append(await api.ask("PATCH", path, json={"targets": {"all": True}}))
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_variable"), answer.text
        assert answer.json()["variables"] == ["nosuch"]
    assert (await api.ask("PATCH", path, json={"enabled": False})).status_code == 200, "it can always be stopped"
    assert (await api.ask("PATCH", f"/api/groups/{group}", json={"variables": {"nosuch": 1}})).status_code == 200
    assert (await make(api, message=message)).status_code == 201


@pytest.mark.parametrize(
    "change", [{"enabled": True}, {"cron": BODY["cron"]}, {"ends_at": None, "message": {"type": "text", "text": "x"}}]
)
async def test_a_change_drops_no_occurrence_that_is_due(api: Api, change: dict[str, Any]) -> None:
    made = (await make(api)).json()
    due = await overdue(api)
    answer = await api.ask("PATCH", f"/api/schedules/{made['schedule_id']}", json=change)
    assert answer.status_code == 200, answer.text
    assert [row["next_at"] for row in await api.rows("schedules")] == [due]
    assert await api.rows("schedule_runs") == []


@pytest.mark.parametrize(
    "change",
    [{"enabled": False}, {"ends_at": "2020-01-01T00:00:00Z"}, {"cron": "0 18 * * *"}, {"timezone": "Asia/Tokyo"}],
)
async def test_an_occurrence_that_is_due_and_is_none_any_more_is_noted(api: Api, change: dict[str, Any]) -> None:
    made = (await make(api)).json()
    due = await overdue(api)
    await api.ask("PATCH", f"/api/schedules/{made['schedule_id']}", json=change)
    [row] = await api.rows("schedules")
    assert row["next_at"] is None or row["next_at"] > utc_now()
    noted = [(row["due_at"], row["reason"]) for row in await api.rows("schedule_runs")]
    assert noted == [(due, "the schedule was changed before it ran")]


async def overdue(api: Api) -> datetime:
    """The leader was away for twenty minutes."""
    async with api.db.transaction() as tx:
        due: datetime = await tx.fetchval("UPDATE schedules SET next_at = now() - interval '20 min' RETURNING next_at")
    return due
