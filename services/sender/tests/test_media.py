"""Files: uploaded once for each bot, however many send it at once; the simulated Telegram counts the uploads."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from common.store import broadcasts
from common.telegram.client import BotApi
from common.testing.polling import eventually
from sender.rules.sources import file_id

from .conftest import Direct, Fleet
from .test_broadcast import bot_ids

pytestmark = pytest.mark.timeout(60)


def photo(source: str, **params: Any) -> dict[str, Any]:
    return {"method": "sendPhoto", "params": {"photo": source, **params}}


def uploads(effects: list[dict[str, Any]]) -> list[str]:
    """What the calls carried in their bodies: the simulator notes `<name, n bytes>`."""
    return [
        str(v) for e in effects for k, v in e["params"].items() if str(v).startswith("<") and str(v).endswith("bytes>")
    ]


async def settled(fleet: Fleet, broadcast_id: int, within: float = 30) -> list[str]:
    await eventually(lambda: fleet.ended(broadcast_id), within=within)
    return [row["state"] for row in await fleet.rows(broadcast_id)]


async def test_one_upload_for_each_bot_and_file_ids_for_the_rest(fleet: Fleet, brain: Direct) -> None:
    first, second = await bot_ids(fleet)
    ids = await fleet.grow(20, first) + await fleet.grow(20, second)
    source = await fleet.keep(os.urandom(1_300_000), "grüße.jpg", "image/jpeg")
    await fleet.sim.admin("PUT", "faults", rules=[], latency="100-200")
    broadcast_id = await fleet.broadcast(ids, content=photo(source, caption="{{title}}"))
    assert set(await settled(fleet, broadcast_id)) == {"sent"}
    effects = await fleet.effects("sendPhoto")
    assert len(effects) == 40
    assert uploads(effects) == ["<grüße.jpg, 1300000 bytes>"] * 2
    for bot in (first, second):
        own = {e["params"]["photo"] for e in effects if e["bot_id"] == bot and "attach" not in e["params"]["photo"]}
        assert len(own) == 1, "the others went by one file_id"
    again = await fleet.broadcast(ids, content=photo(source))
    assert set(await settled(fleet, again)) == {"sent"}
    assert len(uploads(await fleet.effects("sendPhoto"))) == 2, "the next broadcast uploads nothing"


async def test_two_senders_upload_once(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(20, (await bot_ids(fleet))[0])
    source = await fleet.keep(b"x" * 700_000)
    both, turn = [fleet.handle, fleet.another()], 0

    async def handle(job: Any) -> None:
        nonlocal turn
        turn += 1
        await both[turn % 2](job)

    brain.handle = handle
    async with fleet.db.transaction() as tx:
        await tx.execute("INSERT INTO workers SELECT 'other-20', now() + interval '1 min'")
    await fleet.sim.admin("PUT", "faults", rules=[], latency="300-400")
    content = {"method": "sendDocument", "params": {"document": source}}
    broadcast_id = await fleet.broadcast(ids, content=content)
    assert set(await settled(fleet, broadcast_id)) == {"sent"}
    effects = await fleet.effects("sendDocument")
    assert (len(effects), len(uploads(effects))) == (20, 1)


async def test_a_claim_of_one_who_died_is_taken_over(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(3, (await bot_ids(fleet))[0])
    source = await fleet.keep(b"y" * 1000)
    await fleet.sim.admin("PUT", "faults", rules=[{"method": "sendPhoto", "kind": "timeout_before", "times": 1}])
    broadcast_id = await fleet.broadcast(ids, content=photo(source))

    async def claimed() -> bool:
        async with fleet.db.transaction() as tx:
            return bool(await tx.fetchval("SELECT count(*) FROM media_files WHERE file_id IS NULL"))

    await eventually(claimed, within=10)
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE media_files SET claimed_by = 'dead', claimed_until = now() + interval '2 s'")
    states = await settled(fleet, broadcast_id)
    assert sorted(states) == ["sent", "sent", "unknown"]
    assert len(uploads(await fleet.effects("sendPhoto"))) == 1


async def test_a_refused_file_id_is_forgotten_and_the_file_uploaded_again(fleet: Fleet, brain: Direct) -> None:
    first, *rest = await fleet.grow(5, (await bot_ids(fleet))[0])
    source = await fleet.keep(b"z" * 1000)
    assert await settled(fleet, await fleet.broadcast([first], content=photo(source))) == ["sent"]
    fleet.sim.stage.world.files.files.clear()  # Telegram knows it no more
    broadcast_id = await fleet.broadcast(rest, content=photo(source))
    assert await settled(fleet, broadcast_id) == ["sent"] * 4
    effects = await fleet.effects("sendPhoto")
    assert (len(effects), len(uploads(effects))) == (5, 2)


async def test_a_wrong_file_id_of_somebodys_own_still_pauses(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast(ids, content=photo("nonsense-file-id"))
    assert await settled(fleet, broadcast_id) == ["failed"]
    async with fleet.db.transaction() as tx:
        found = await broadcasts.get(tx, broadcast_id)
    assert found is not None
    assert "content: 400 Bad Request: wrong file identifier" in (found.pause_reason or "")


async def test_an_address_is_given_once_or_a_few_times_and_then_the_file_id(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(60, (await bot_ids(fleet))[0])
    address = "https://example.com/a.jpg"
    broadcast_id = await fleet.broadcast(ids, content=photo(address))
    assert set(await settled(fleet, broadcast_id)) == {"sent"}
    given = [e["params"]["photo"] for e in await fleet.effects("sendPhoto")]
    assert 1 <= given.count(address) <= 30, "only what was in the air at the first answer"
    assert len(set(given)) <= 1 + given.count(address)
    other = await fleet.broadcast(ids[:1], content=photo(address))
    await settled(fleet, other)
    assert (await fleet.effects("sendPhoto"))[-1]["params"]["photo"] == address, "another file may be there by now"


async def test_an_album_is_uploaded_once_counts_its_items_and_keeps_all_ids(fleet: Fleet, brain: Direct) -> None:
    await fleet.sim.admin("PUT", "limits", mode="strict")
    ids = await fleet.grow(9, (await bot_ids(fleet))[0])
    sources = [await fleet.keep(os.urandom(1000), f"{n}.jpg", "image/jpeg") for n in range(5)]
    items = [{"type": "photo", "media": source, "caption": f"{n} {{{{title}}}}"} for n, source in enumerate(sources)]
    items.append({"type": "photo", "media": sources[0]})  # twice in one album
    content = {"method": "sendMediaGroup", "params": {"media": items}}
    broadcast_id = await fleet.broadcast(ids, content=content)
    assert set(await settled(fleet, broadcast_id)) == {"sent"}
    everything = (await fleet.sim.admin("GET", "effects?method=sendMediaGroup"))["effects"]
    assert [effect["status"] for effect in everything] == ["ok"] * 9, "no 429: six slots of the bot for each"
    assert len(uploads(everything)) == 5
    for row in await fleet.rows(broadcast_id):
        assert len(set(row["message_ids"])) == 6
    shown = await fleet.shown(ids[0], "photo")
    assert [message.get("caption") for message in shown] == ["0 g0", "1 g0", "2 g0", "3 g0", "4 g0", None]


async def test_albums_to_one_group_keep_to_its_minute(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(1, (await bot_ids(fleet))[0])
    items = [{"type": "photo", "media": "https://example.com/a.jpg"} for _ in range(10)]
    made = [
        await fleet.broadcast(ids, content={"method": "sendMediaGroup", "params": {"media": items}}) for _ in range(3)
    ]

    async def two_done() -> bool:
        return len(await fleet.effects("sendMediaGroup")) == 2

    await eventually(two_done, within=30)
    await asyncio.sleep(11)  # the turn after an album of ten; the minute is not over
    assert len(await fleet.effects("sendMediaGroup")) == 2
    states = [row["state"] for broadcast_id in made for row in await fleet.rows(broadcast_id)]
    assert sorted(states) == ["pending", "sent", "sent"]


async def test_a_file_that_has_expired_pauses_its_broadcast(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast(ids, content=photo("media:77"))
    assert await settled(fleet, broadcast_id) == ["failed"]
    assert [row["reason"] for row in await fleet.rows(broadcast_id)] == ["a file has expired"]


@pytest.mark.parametrize("kind", ["error", "http_429", "http_500"])
async def test_when_the_uploaders_own_group_refuses_another_uploads(fleet: Fleet, brain: Direct, kind: str) -> None:
    ids = await fleet.grow(6, (await bot_ids(fleet))[0])
    source = await fleet.keep(b"w" * 1000)
    rule = {"method": "sendPhoto", "kind": kind, "times": 1, "retry_after": 1}
    if kind == "error":
        rule |= {"error_code": 403, "description": "Forbidden: bot was kicked from the supergroup chat"}
    await fleet.sim.admin("PUT", "faults", rules=[rule])
    states = await settled(fleet, await fleet.broadcast(ids, content=photo(source)))
    assert states.count("sent") == (6 if kind == "http_429" else 5)
    assert len(uploads(await fleet.effects("sendPhoto"))) == 1
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM media_files WHERE file_id IS NULL") == 0


@pytest.mark.parametrize("absurd", ["a\0b", "https://elsewhere.test/x"])
async def test_an_absurd_file_id_is_not_kept(
    fleet: Fleet, brain: Direct, monkeypatch: pytest.MonkeyPatch, absurd: str
) -> None:
    """It was sent; each further one is uploaded anew."""
    ids = await fleet.grow(2, (await bot_ids(fleet))[0])
    real = BotApi.upload

    async def upload(*args: Any, **options: Any) -> Any:
        return await real(*args, **options) | {"photo": [{"file_id": absurd}]}

    monkeypatch.setattr(BotApi, "upload", upload)
    source = await fleet.keep(b"v" * 1000)
    assert await settled(fleet, await fleet.broadcast(ids, content=photo(source))) == ["sent"] * 2
    assert len(uploads(await fleet.effects("sendPhoto"))) == 2


def test_a_video_that_became_an_animation_is_known_by_its_file_id() -> None:
    assert file_id({"animation": {"file_id": "a"}, "document": {"file_id": "d"}}, 0, "video") == "a"
    assert file_id({"photo": [{"file_id": "small"}, {"file_id": "large"}]}, 0, "photo") == "large"
    assert file_id([{"photo": [{"file_id": "x"}]}], 3, "photo") is None
    assert file_id({"message_id": 1}, 0, "photo") is None
    assert file_id({"photo": [{"file_id": "x" * 256}]}, 0, "photo") is None
    assert file_id(None, 0, "photo") is None
