"""Broadcasts by API: lists, progress, deliveries, and steering with the state in the way."""

from __future__ import annotations

from typing import Any, get_args

import httpx
import pytest
from common.store import broadcasts, deliveries, steering
from common.store.broadcasts import State, Targets
from ingress.rules import steps

from .api import FIRST, SECOND, Api

CONTENT = {"method": "sendMessage", "params": {"text": "hello"}}


async def planned(api: Api, group_ids: list[int], **options: Any) -> int:
    """As the sender plans it."""
    targets = Targets(group_ids=group_ids, bot_ids=options.pop("bot_ids", None))
    async with api.db.transaction() as tx:
        broadcast_id = await broadcasts.create(tx, targets, options.pop("content", CONTENT), **options)
        await deliveries.plan(tx, broadcast_id, targets, limit=1000)
        await broadcasts.planned(tx, broadcast_id)
    return broadcast_id


async def settled(api: Api, broadcast_id: int, *states: str, final: str = "done") -> None:
    """Its deliveries end so, in order."""
    async with api.db.transaction() as tx:
        rows = await tx.fetch("SELECT delivery_id FROM deliveries WHERE broadcast_id = $1 ORDER BY 1", broadcast_id)
        for row, state in zip(rows, states, strict=True):
            await tx.execute(
                """UPDATE deliveries SET state = $2, settled_at = now(), message_id = CASE WHEN $2 = 'sent' THEN 5 END,
                   reason = CASE WHEN $2 = 'failed' THEN 'no_rights' END, attempts = 2 WHERE delivery_id = $1""",
                row["delivery_id"],
                state,
            )
        await tx.execute(
            "UPDATE broadcasts SET state = $2, finished_at = now() WHERE broadcast_id = $1", broadcast_id, final
        )


async def states(api: Api, broadcast_id: int) -> list[str]:
    return [row["state"] for row in await api.rows("deliveries") if row["broadcast_id"] == broadcast_id]


async def act(api: Api, broadcast_id: int, verb: str, **body: Any) -> httpx.Response:
    return await api.ask("POST", f"/api/broadcasts/{broadcast_id}:{verb}", json=body or None)


def outcome(answer: httpx.Response) -> dict[str, Any]:
    """Without the bound, which is a time."""
    return {name: value for name, value in answer.json().items() if name != "settled_before"}


async def test_progress_rate_and_eta(api: Api) -> None:
    broadcast_id = await planned(api, await api.grow(FIRST, 40))
    await settled(api, broadcast_id, *["sent"] * 5, *["pending"] * 35, final="running")
    shown = (await api.ask("GET", f"/api/broadcasts/{broadcast_id}")).json()
    assert shown["deliveries"] == {"sent": 5, "pending": 35}
    assert (shown["rate"], shown["eta_seconds"], shown["total"], shown["state"]) == (5, 2, 40, "running"), (
        "1 s at least"
    )
    assert shown["message"] == CONTENT
    assert shown["targets"] == {
        "all": False, "group_ids": api.groups[FIRST], "tags": [], "exclude_group_ids": [], "exclude_tags": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("message", "excerpt"),
    [
        ({"type": "text", "text": "a" * 60}, "sendMessage: " + "a" * 60),
        ({"type": "text", "text": "ä" * 61}, "sendMessage: " + "ä" * 60 + "…"),
        ({"type": "photo", "media": "https://example.org/1.png", "caption": "Here"}, "sendPhoto: Here"),
        ({"type": "copy", "from_chat_id": -1, "message_id": 2}, "copyMessage"),
        (
            {
                "type": "album",
                "media": [{"type": "photo", "media": "A" * 20, "caption": "b"}, {"type": "photo", "media": "B" * 20}],
            },
            "sendMediaGroup: b",
        ),
    ],
)
async def test_a_list_shows_how_each_begins(api: Api, message: dict[str, Any], excerpt: str) -> None:
    await api.grow(FIRST, 1)
    assert (await api.send(message=message)).status_code == 202
    [item] = (await api.ask("GET", "/api/broadcasts")).json()["items"]
    assert item["excerpt"] == excerpt


@pytest.mark.parametrize(("ago", "rate"), [((4, 2), 0.5), ((60, 2), 0.1), ((60, 50), 0)])
async def test_a_rate_is_measured_from_the_first_send(api: Api, ago: tuple[int, int], rate: float) -> None:
    broadcast_id = await planned(api, await api.grow(FIRST, 3))
    await settled(api, broadcast_id, "sent", "sent", "pending", final="running")
    async with api.db.transaction() as tx:
        for row, seconds in zip(await tx.fetch("SELECT delivery_id FROM deliveries ORDER BY 1"), ago, strict=False):
            await tx.execute(
                "UPDATE deliveries SET settled_at = now() - make_interval(secs => $2) WHERE delivery_id = $1",
                row["delivery_id"],
                seconds,
            )
    shown = (await api.ask("GET", f"/api/broadcasts/{broadcast_id}")).json()
    assert shown["rate"] == pytest.approx(rate, rel=0.1)


async def test_more_than_a_request_takes_are_asked_for_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "MOST", 2)
    broadcast_id = await planned(api, await api.grow(FIRST, 5))
    await settled(api, broadcast_id, *["failed"] * 3, *["unknown"] * 2)
    answers = [(await act(api, broadcast_id, "retry_failed")).json() for _ in range(2)]
    assert [(answer["deliveries"], answer["more"]) for answer in answers] == [(2, True), (1, False)]
    marked = (await act(api, broadcast_id, "resolve_unknown", outcome="sent")).json()
    assert (marked["deliveries"], marked["more"]) == (2, True), "nobody has looked whether there is a third"
    assert sorted(await states(api, broadcast_id)) == ["pending"] * 3 + ["sent"] * 2


async def test_lists_come_in_pages_the_newest_first(api: Api) -> None:
    groups = await api.grow(FIRST, 1)
    made = [await planned(api, groups) for _ in range(5)]
    seen, cursor = [], ""
    while True:
        page = (await api.ask("GET", f"/api/broadcasts?limit=2{cursor}")).json()
        seen += [item["broadcast_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made[::-1]


async def test_a_list_by_state(api: Api) -> None:
    groups = await api.grow(FIRST, 1)
    first, second = await planned(api, groups), await planned(api, groups)
    await act(api, second, "cancel")
    page = (await api.ask("GET", "/api/broadcasts?state=running")).json()
    assert [item["broadcast_id"] for item in page["items"]] == [first]


@pytest.mark.parametrize("cursor", ["x", "!!", "AAAA", "LTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk", "a" * 201, "4pyT"])
async def test_a_strange_cursor_is_refused(api: Api, cursor: str) -> None:
    assert (await api.ask("GET", "/api/broadcasts", params={"cursor": cursor})).status_code == 422


async def test_a_cursor_is_for_the_list_that_gave_it(api: Api) -> None:
    """Another list has other ids, and other filters another order of what is left: pages would be missing."""
    groups = await api.grow(FIRST, 2)
    first, second = await planned(api, groups), await planned(api, groups)
    path = f"/api/broadcasts/{first}/deliveries"
    cursor = (await api.ask("GET", f"{path}?limit=1&state=pending")).json()["next_cursor"]
    same = await api.ask("GET", f"{path}?state=pending&limit=200&cursor={cursor}")
    assert len(same.json()["items"]) == 1
    for other in (path, f"{path}?state=sent", f"/api/broadcasts/{second}/deliveries?state=pending", "/api/groups"):
        answer = await api.ask("GET", f"{other}{'&' if '?' in other else '?'}cursor={cursor}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor"), other
        assert answer.json()["detail"] == "this cursor was not given by this list"


async def test_deliveries_with_error_and_link(api: Api) -> None:
    first, second, _ = await api.grow(FIRST, 3)
    broadcast_id = await planned(api, api.groups[FIRST])
    await settled(api, broadcast_id, "sent", "failed", "pending")
    path = f"/api/broadcasts/{broadcast_id}/deliveries"
    page = (await api.ask("GET", f"{path}?limit=2")).json()
    sent, failed = page["items"]
    assert (sent["group_id"], sent["link"], sent["error"]) == (first, "https://t.me/c/111111000/5", None)
    assert (failed["group_id"], failed["link"], failed["error"]) == (second, None, "no_rights")
    rest = (await api.ask("GET", f"{path}?limit=2&cursor={page['next_cursor']}")).json()
    assert [item["state"] for item in rest["items"]] == ["pending"]
    only = (await api.ask("GET", f"{path}?state=failed")).json()
    assert [item["group_id"] for item in only["items"]] == [second]


async def test_pause_resume_cancel_and_what_is_not_possible_then(api: Api) -> None:
    broadcast_id = await planned(api, await api.grow(FIRST, 1))
    seen = []
    for verb in ("resume", "pause", "pause", "resume", "cancel", "pause", "cancel"):
        answer = await act(api, broadcast_id, verb)
        seen.append((verb, answer.status_code, answer.json()["state"]))
    assert seen == [
        ("resume", 409, "running"), ("pause", 200, "paused"), ("pause", 409, "paused"), ("resume", 200, "running"),
        ("cancel", 200, "cancelled"), ("pause", 409, "cancelled"), ("cancel", 409, "cancelled"),
    ]  # fmt: skip


@pytest.mark.parametrize("state", [*get_args(State)])
async def test_what_an_error_of_steering_says_to_do_can_be_done(api: Api, state: str) -> None:
    """An edit of a scheduled one said to pause it, which said that it was scheduled."""
    broadcast_id = await planned(api, await api.grow(FIRST, 1))

    async def reset() -> None:
        async with api.db.transaction() as tx:
            await tx.execute("UPDATE broadcasts SET state = $1", state)

    bodies = {"resolve_unknown": {"outcome": "resend"}, "edit_all": {"edit": {"type": "text", "text": "x"}}}
    for verb, states in steps.POSSIBLE_IN.items():
        await reset()
        answer = await act(api, broadcast_id, verb, **bodies.get(verb, {}))
        if state in states:
            assert answer.status_code in {200, 202}
            async with api.db.transaction() as tx:
                await tx.execute("DELETE FROM revisions")
            continue
        problem = answer.json()
        assert (answer.status_code, problem["state"], problem["possible_in"]) == (409, state, states)
        for named in ("pause", "cancel", "retry_failed"):
            if f"{named} " in problem["detail"].partition(": ")[2].rpartition(" (")[0].replace(",", " "):
                await reset()
                assert (await act(api, broadcast_id, named)).status_code == 200, problem["detail"]


async def test_failed_ones_are_sent_again_where_that_is_possible(api: Api) -> None:
    groups = await api.grow(FIRST, 3)
    broadcast_id = await planned(api, groups)
    await settled(api, broadcast_id, "failed", "failed", "sent")
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE groups SET out_reason = 'no_rights' WHERE group_id = $1", groups[1])
    answer = await act(api, broadcast_id, "retry_failed")
    assert outcome(answer) == {"broadcast_id": broadcast_id, "state": "running", "deliveries": 1, "more": False}
    assert await states(api, broadcast_id) == ["pending", "failed", "sent"]
    row = (await api.rows("deliveries"))[0]
    assert (row["attempts"], row["reason"], row["settled_at"]) == (0, None, None)


@pytest.mark.parametrize(("state", "verb"), [("failed", "retry_failed"), ("unknown", "resolve_unknown")])
async def test_nothing_is_tried_again_by_a_bot_that_the_key_was_not_for(api: Api, state: str, verb: str) -> None:
    """The groups' bot is gone, and another one has taken them over."""
    groups = await api.grow(FIRST, 1)
    await api.grow(SECOND, 0)
    limited, free = await planned(api, groups, bot_ids=[FIRST]), await planned(api, groups)
    for broadcast_id in (limited, free):
        await settled(api, broadcast_id, state)
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE groups SET bot_id = $1", SECOND)
    body = {"outcome": "resend"} if state == "unknown" else {}
    changed = [(await act(api, each, verb, **body)).json()["deliveries"] for each in (limited, free)]
    assert changed == [0, 1]
    assert await states(api, limited) + await states(api, free) == [state, "pending"]


async def test_nothing_is_tried_again_in_a_cancelled_or_expired_one(api: Api) -> None:
    groups = await api.grow(FIRST, 1)
    cancelled, expired = await planned(api, groups), await planned(api, groups)
    await settled(api, cancelled, "failed", final="cancelled")
    await settled(api, expired, "failed")
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE broadcasts SET expires_at = now() WHERE broadcast_id = $1", expired)
    answers = [await act(api, each, "retry_failed") for each in (cancelled, expired)]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert "time to live" in answers[1].json()["detail"]
    assert await states(api, cancelled) + await states(api, expired) == ["failed", "failed"]


async def test_unknown_ones_are_resolved_either_way(api: Api) -> None:
    broadcast_id = await planned(api, await api.grow(FIRST, 3))
    await settled(api, broadcast_id, "unknown", "unknown", "failed")
    [first, *_] = await api.rows("deliveries")
    ids = [first["delivery_id"]]
    marked = await act(api, broadcast_id, "resolve_unknown", outcome="sent", delivery_ids=ids)
    assert outcome(marked) == {"broadcast_id": broadcast_id, "state": "done", "deliveries": 1, "more": False}
    again = await act(api, broadcast_id, "resolve_unknown", outcome="resend")
    assert outcome(again) == {"broadcast_id": broadcast_id, "state": "running", "deliveries": 1, "more": False}
    assert await states(api, broadcast_id) == ["sent", "pending", "failed"]


@pytest.mark.parametrize(
    ("state", "verb", "body"),
    [
        ("failed", "retry_failed", {}),
        ("unknown", "resolve_unknown", {"outcome": "resend"}),
        ("unknown", "resolve_unknown", {"outcome": "sent"}),
    ],
)
async def test_what_ended_after_the_bound_is_left_alone(api: Api, state: str, verb: str, body: dict[str, Any]) -> None:
    broadcast_id = await planned(api, await api.grow(FIRST, 2))
    await settled(api, broadcast_id, state, "pending", final="running")
    bound = (await act(api, broadcast_id, verb, **body)).json()["settled_before"]
    await settled(api, broadcast_id, "sent", state, final="running")
    word = {**body, "settled_before": bound}
    assert (await act(api, broadcast_id, verb, **word)).json() == {
        "broadcast_id": broadcast_id, "state": "running", "deliveries": 0, "more": False, "settled_before": bound,
    }  # fmt: skip
    ahead = {**body, "settled_before": "2999-01-01T00:00:00Z"}
    assert (await act(api, broadcast_id, verb, **ahead)).json()["settled_before"] < "2999"
    assert (await act(api, broadcast_id, verb, settled_before="soon", **body)).status_code == 422


async def test_steering_leaves_an_audit_row(api: Api) -> None:
    broadcast_id = await planned(api, await api.grow(FIRST, 1))
    answer = await act(api, broadcast_id, "pause")
    [entry] = (await api.ask("GET", "/api/audit?limit=1")).json()["items"]
    assert (entry["action"], entry["object"]) == ("broadcast.pause", f"broadcast:{broadcast_id}")
    assert (entry["before"]["state"], entry["after"]["state"]) == ("running", "paused")
    assert entry["trace_id"] == answer.headers["x-trace-id"]
    assert entry["actor"].startswith("key:")
    assert entry["ip"] == "127.0.0.1"


async def test_a_limited_key_sees_only_broadcasts_of_its_bots(api: Api) -> None:
    mine, theirs = await api.grow(FIRST, 2), await api.grow(SECOND, 2)
    key = await api.make_key("*", bot_ids=[FIRST])
    await planned(api, mine + theirs)
    sent = await api.send(key=key, targets={"group_ids": mine + theirs})
    assert (sent.json()["accepted"], sent.json()["skipped_by_reason"]) == (2, {"not_found": 2})
    page = (await api.ask("GET", "/api/broadcasts", key=key)).json()
    assert [item["broadcast_id"] for item in page["items"]] == [sent.json()["broadcast_id"]]
    every = (await api.send(key=key)).json()
    assert every["accepted"] == 2
