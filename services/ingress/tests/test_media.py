"""Uploads: what is taken and refused, kept once, seen by whom it belongs to, and gone when nobody needs it."""

from __future__ import annotations

import asyncio
import hashlib
import os
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from common.store import broadcasts, media, media_files
from common.store.broadcasts import Targets
from ingress.api import media as api_media
from ingress.rules.files import FILE_LIMIT, MIB, kinds_of, mime_of, name_of

from .api import FIRST, SECOND, Api

JPEG = b"\xff\xd8\xff\xe0" + b"x" * 100
MP4 = b"\0\0\0\x18ftypmp42" + b"x" * 100


async def upload(
    api: Api, content: bytes = JPEG, name: str = "a.jpg", mime: str = "image/jpeg", **options: Any
) -> httpx.Response:
    return await api.ask("POST", "/api/media", files={"file": (name, content, mime)}, **options)


async def test_an_upload_is_kept_in_chunks_and_shown(api: Api) -> None:
    content = JPEG + os.urandom(3 * media.CHUNK)
    answer = await upload(api, content, "grüße.jpg")
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["media"], body["name"], body["mime"], body["size"], body["kinds"]) == (
        f"media:{body['media_id']}", "grüße.jpg", "image/jpeg", len(content), ["photo", "document"],
    )  # fmt: skip
    digest = hashlib.sha256(content)
    assert body["sha256"] == digest.hexdigest()
    async with api.db.transaction() as tx:
        assert await media.read(tx, digest.digest()) == content
    assert len(await api.rows("blob_chunks")) == 4
    assert (await api.ask("GET", f"/api/media/{body['media_id']}")).json() == body
    assert (await api.ask("GET", "/api/media")).json()["items"] == [body]
    [entry] = (await api.ask("GET", "/api/audit?limit=1")).json()["items"]
    assert (entry["action"], entry["object"]) == ("media.upload", body["media"])
    assert "grüße" not in str(entry), "what people call their files is theirs"


async def test_the_same_file_is_stored_once_whoever_brings_it(api: Api) -> None:
    other = await api.make_key("messages:write")
    answers = [await upload(api), await upload(api), await upload(api, name="b.jpg"), await upload(api, key=other)]
    ids = [answer.json()["media_id"] for answer in answers]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert len(await api.rows("blobs")) == len(await api.rows("blob_chunks")) == 1


@pytest.mark.parametrize(
    ("content", "name", "mime", "status", "code"),
    [
        (b"", "a.jpg", "image/jpeg", 400, "invalid_upload"),
        (b"<html>", "a.jpg", "image/jpeg", 422, "invalid_file"),
        (JPEG, "a.png", "image/png", 422, "invalid_file"),
        (JPEG, "x" * 129, "image/jpeg", 422, "invalid_file"),
        (JPEG, "gpj.\u202eexe", "image/jpeg", 422, "invalid_file"),
        (JPEG, " ", "image/jpeg", 422, "invalid_file"),
        (b"x" * (FILE_LIMIT + 1), "a", "text/plain", 413, "content_too_large"),
        (b"x" * (FILE_LIMIT + MIB), "a", "text/plain", 413, "content_too_large"),
    ],
)
async def test_bad_files_are_refused(api: Api, content: bytes, name: str, mime: str, status: int, code: str) -> None:
    answer = await upload(api, content, name, mime)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await api.rows("blobs") == await api.rows("media") == []


async def test_what_is_no_form_with_one_file_is_refused(api: Api) -> None:
    two = [("file", ("a", b"x")), ("file", ("b", b"y"))]
    asked: list[dict[str, Any]] = [
        {"json": {"file": "x"}}, {"data": {"file": "x"}}, {"files": two}, {"files": {"other": ("a", b"x")}}, {},
        {"content": b"--x\r\nnonsense", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
    ]  # fmt: skip
    for options in asked:
        answer = await api.ask("POST", "/api/media", **options)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_upload"), options


async def test_a_body_without_a_length_ends_at_the_limit(api: Api) -> None:
    async def body() -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(60):
            yield b"x" * MIB
        raise AssertionError("read to the end")

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await api.ask("POST", "/api/media", content=body(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")


async def test_without_a_key_the_body_is_not_read(api: Api) -> None:
    async def body() -> Any:
        yield b"--x\r\n"
        raise AssertionError("read")

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await api.ask("POST", "/api/media", key="", content=body(), headers=headers)
    assert answer.status_code == 401


async def test_other_bodies_are_as_small_as_before(api: Api) -> None:
    answer = await api.send(message={"type": "text", "text": "x" * 300_000})
    assert answer.status_code == 413


async def test_a_quota_holds_and_what_is_beyond_it_leaves_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_media, "MIB", 100)  # so that 1024 of them are soon used up
    assert (await upload(api, b"x" * 60_000, "a", "text/plain")).status_code == 201
    answer = await upload(api, b"y" * 60_000, "b", "text/plain")
    assert (answer.status_code, answer.json()["code"]) == (422, "media_quota")
    assert len(await api.rows("blobs")) == len(await api.rows("media")) == 1


async def test_an_idempotency_key_is_for_one_file(api: Api) -> None:
    headers = {"Idempotency-Key": "one"}
    first, again = await upload(api, headers=headers), await upload(api, headers=headers)
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    other = await upload(api, JPEG + b"y", headers=headers)
    assert other.json()["code"] == "idempotency_key_reused"


async def test_a_message_names_it(api: Api) -> None:
    await api.grow(FIRST, 1)
    photo = (await upload(api)).json()["media"]
    answer = await api.send(message={"type": "photo", "media": photo, "caption": "hi"})
    assert answer.status_code == 202, answer.text
    [row] = await api.rows("broadcasts")
    assert row["content"] == {"method": "sendPhoto", "params": {"photo": photo, "caption": "hi"}}
    [kept] = await api.rows("media")
    assert (kept["expires_at"] - row["created_at"]).days == 31


async def test_an_album_weighs_its_items(api: Api) -> None:
    await api.grow(FIRST, 60)
    items = [{"type": "photo", "media": (await upload(api)).json()["media"]}] * 5
    answer = await api.send(message={"type": "album", "media": items})
    assert answer.json()["eta_seconds"] == 10
    assert [row["items"] for row in await api.rows("broadcasts")] == [5]


async def test_what_can_not_be_sent_is_said_before_anything_is_accepted(api: Api) -> None:
    await api.grow(FIRST, 1)
    text = (await upload(api, b"hello", "a.txt", "text/plain")).json()["media"]
    video = (await upload(api, MP4, "a.mp4", "video/mp4")).json()["media"]
    for kind, name, code in (
        ("photo", text, "media_unsuitable"), ("photo", video, "media_unsuitable"), ("video", text, "media_unsuitable"),
        ("photo", "media:999", "media_not_found"),
    ):  # fmt: skip
        for path in ("/api/send_messages", "/api/send_messages?dry_run=1"):
            body = {"message": {"type": kind, "media": name}, "targets": {"all": True}}
            answer = await api.ask("POST", path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, code)
    for name in ("media:", "media:0", "media:x", "media:1 ", "short"):
        assert (await api.send(message={"type": "document", "media": name})).json()["code"] == "invalid_request"
    assert await api.rows("broadcasts") == []


async def test_a_file_of_another_bots_key_is_not_there(api: Api) -> None:
    await api.grow(FIRST, 1)
    theirs = await api.make_key("*", bot_ids=[SECOND])
    mine = await api.make_key("*", bot_ids=[FIRST])
    name = (await upload(api, key=theirs)).json()["media"]
    answer = await api.send(key=mine, message={"type": "photo", "media": name})
    assert (answer.status_code, answer.json()["code"]) == (422, "media_not_found")
    assert (await api.ask("GET", "/api/media", key=mine)).json()["items"] == []


async def test_expired_files_go_unless_an_open_broadcast_needs_them(api: Api) -> None:
    await api.grow(FIRST, 1)
    kept, gone = (await upload(api)).json(), (await upload(api, JPEG + b"2", "b.jpg")).json()
    same = (await upload(api, name="c.jpg")).json()  # the bytes of the first
    sent = (await api.send(message={"type": "photo", "media": kept["media"]})).json()["broadcast_id"]
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE media SET expires_at = now() - interval '1 s'")
        assert await media.prune(tx) == 2
    assert [row["media_id"] for row in await api.rows("media")] == [kept["media_id"]]
    assert [row["digest"].hex() for row in await api.rows("blobs")] == [kept["sha256"]]
    assert gone["sha256"] != same["sha256"] == kept["sha256"]
    await api.ask("POST", f"/api/broadcasts/{sent}:cancel")
    async with api.db.transaction() as tx:
        assert await media.prune(tx) == 1
    assert await api.rows("blobs") == await api.rows("blob_chunks") == []


async def test_an_expired_file_takes_its_file_ids_along_unless_another_keeps_the_same(api: Api) -> None:
    mine, theirs = await upload(api), await upload(api, key=await api.make_key("messages:write"))
    digest = bytes.fromhex(mine.json()["sha256"])
    async with api.db.transaction() as tx:
        for name in ("a.jpg", "b.jpg"):
            key = media_files.Key(FIRST, media_files.of_upload(digest, name), "photo")
            await media_files.save(tx, key, "file-1", "sender")
        await tx.execute(
            "UPDATE media SET expires_at = now() - interval '1 s' WHERE media_id = $1", mine.json()["media_id"]
        )
        assert await media.prune(tx) == 1
    assert [len(await api.rows(table)) for table in ("blobs", "media", "media_files")] == [1, 1, 2]
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE media SET expires_at = now() - interval '1 s'")
        assert await media.prune(tx) == 1
    assert [len(await api.rows(table)) for table in ("blobs", "media", "media_files")] == [0, 0, 1], "b.jpg is another"
    assert theirs.json()["media_id"] != mine.json()["media_id"]


async def remove(api: Api, name: str, **options: Any) -> httpx.Response:
    return await api.ask("DELETE", f"/api/media/{name.removeprefix('media:')}", **options)


async def test_what_is_deleted_is_gone_with_its_bytes_and_file_ids(api: Api) -> None:
    made, other = (await upload(api)).json(), (await upload(api, JPEG + b"2", "b.jpg")).json()
    sources = [media_files.of_upload(bytes.fromhex(each["sha256"]), each["name"]) for each in (made, other)]
    async with api.db.transaction() as tx:
        for bot_id, source in ((FIRST, sources[0]), (SECOND, sources[0]), (FIRST, sources[1])):
            await media_files.save(tx, media_files.Key(bot_id, source, "photo"), "file-1", "sender")
    answer = await remove(api, made["media"])
    assert (answer.status_code, answer.json()) == (200, made)
    assert [row["media_id"] for row in await api.rows("media")] == [other["media_id"]]
    for table in ("blobs", "blob_chunks"):
        assert [row["digest"].hex() for row in await api.rows(table)] == [other["sha256"]]
    assert [row["source"] for row in await api.rows("media_files")] == [sources[1]]
    [entry] = (await api.ask("GET", "/api/audit?limit=1")).json()["items"]
    assert (entry["action"], entry["object"], entry["after"]) == ("media.delete", made["media"], None)
    assert entry["before"] == {"size": made["size"], "mime": "image/jpeg", "sha256": made["sha256"]}
    again = await remove(api, made["media"])
    assert (again.status_code, again.json()["code"]) == (404, "media_not_found")


async def test_what_another_key_keeps_stays(api: Api) -> None:
    mine, theirs = await upload(api), await upload(api, key=await api.make_key("messages:write"))
    source = media_files.of_upload(bytes.fromhex(mine.json()["sha256"]), "a.jpg")
    async with api.db.transaction() as tx:
        await media_files.save(tx, media_files.Key(FIRST, source, "photo"), "file-1", "sender")
    assert (await remove(api, mine.json()["media"])).status_code == 200
    assert [len(await api.rows(table)) for table in ("blobs", "media", "media_files")] == [1, 1, 1]
    assert (await remove(api, theirs.json()["media"])).status_code == 200
    assert [len(await api.rows(table)) for table in ("blobs", "media", "media_files")] == [0, 0, 0]


async def test_what_an_open_broadcast_needs_is_not_deleted(api: Api) -> None:
    [group_id] = await api.grow(FIRST, 1)
    name = (await upload(api)).json()["media"]
    await upload(api, JPEG + b"2")
    sent = (await api.send(message={"type": "photo", "media": name})).json()["broadcast_id"]
    refused = await remove(api, name)
    assert (refused.status_code, refused.json()["code"]) == (409, "media_in_use")
    assert (refused.json()["broadcast_ids"], refused.json()["schedule_ids"]) == ([sent], [])
    await api.ask("POST", f"/api/broadcasts/{sent}:cancel")
    async with api.db.transaction() as tx:
        await tx.execute(
            """INSERT INTO deliveries (broadcast_id, group_id, bot_id, state, slot_at)
               VALUES ($1, $2, $3, 'sending', now())""",
            sent,
            group_id,
            FIRST,
        )
    assert (await remove(api, name)).json()["code"] == "media_in_use", "cancelled, and an upload is under way"
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = 'sent'")
    assert (await remove(api, name)).status_code == 200
    assert (await api.send(message={"type": "photo", "media": name})).json()["code"] == "media_not_found"


async def test_what_a_schedule_will_send_is_there_is_not_deleted_and_does_not_expire(api: Api) -> None:
    await api.grow(FIRST, 1)
    name = (await upload(api)).json()["media"]
    plan = {"name": "x", "cron": "0 9 * * *", "message": {"type": "photo", "media": name}, "targets": {"all": True}}
    made = await api.ask("POST", "/api/schedules", json=plan)
    assert made.status_code == 201, made.text
    path = f"/api/schedules/{made.json()['schedule_id']}"
    refused = await remove(api, name)
    assert (refused.json()["code"], refused.json()["schedule_ids"]) == ("media_in_use", [made.json()["schedule_id"]])
    await api.ask("PATCH", path, json={"enabled": False})
    assert (await remove(api, name)).json()["code"] == "media_in_use", "it may be switched on again"
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE media SET expires_at = now() - interval '1 s'")
        assert await media.prune(tx) == 0
    missing = {"message": {"type": "photo", "media": "media:999"}}
    for answer in (
        await api.ask("POST", "/api/schedules", json=plan | missing),
        await api.ask("PATCH", path, json=missing),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "media_not_found")
    await api.ask("DELETE", path)
    assert (await remove(api, name)).status_code == 200


async def test_a_schedule_that_is_over_comes_back_with_its_files_or_not_at_all(api: Api) -> None:
    await api.grow(FIRST, 1)
    photo, other = [(await upload(api, JPEG + each)).json()["media"] for each in (b"1", b"2")]
    album = {"type": "album", "media": [{"type": "photo", "media": photo}, {"type": "photo", "media": other}]}
    plan = {"name": "x", "cron": "0 9 * * *", "targets": {"all": True}}
    paths = []
    for message in (album, {"type": "photo", "media": photo, "caption": "media:999"}):
        made = await api.ask("POST", "/api/schedules", json=plan | {"message": message})
        paths.append(f"/api/schedules/{made.json()['schedule_id']}")
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE schedules SET next_at = NULL, ends_at = now() - interval '1 day'")
        await tx.execute("UPDATE media SET expires_at = now() - interval '1 s'")
    assert (await remove(api, other)).status_code == 200
    refused = await api.ask("PATCH", paths[0], json={"ends_at": None})
    assert (refused.status_code, refused.json()["code"]) == (422, "media_not_found")
    for changes in ({"name": "y"}, {"enabled": False}):
        assert (await api.ask("PATCH", paths[0], json=changes)).status_code == 200
    refused = await api.ask("PATCH", paths[0], json={"ends_at": None, "enabled": True})
    assert refused.json()["media_id"] == int(other.removeprefix("media:"))
    back = await api.ask("PATCH", paths[1], json={"ends_at": None})
    assert back.status_code == 200, back.text
    assert (await remove(api, photo)).json()["code"] == "media_in_use"


async def test_a_deletion_waits_for_who_is_about_to_name_the_file(api: Api) -> None:
    media_id = (await upload(api)).json()["media_id"]
    async with api.db.transaction() as tx:
        assert media_id in await media.find(tx, [media_id])
        deleting = asyncio.create_task(remove(api, f"media:{media_id}"))
        await asyncio.sleep(0.2)
        content = {"method": "sendPhoto", "params": {"photo": f"media:{media_id}"}}
        await broadcasts.create(tx, Targets(all_groups=True), content)
        await media.hold(tx, [media_id], datetime.now(UTC))
    assert (await deleting).json()["code"] == "media_in_use"


async def test_a_repeated_deletion_is_answered_like_the_first(api: Api) -> None:
    name, headers = (await upload(api)).json()["media"], {"Idempotency-Key": "gone"}
    first, again = await remove(api, name, headers=headers), await remove(api, name, headers=headers)
    assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (200, first.json(), "true")


async def test_another_bots_key_deletes_nothing(api: Api) -> None:
    name = (await upload(api, key=await api.make_key("*", bot_ids=[FIRST]))).json()["media"]
    assert (await remove(api, name, key=await api.make_key("*", bot_ids=[SECOND]))).status_code == 404
    assert len(await api.rows("media")) == 1


def test_types_are_told_by_the_bytes() -> None:
    assert mime_of(b"\x89PNG\r\n\x1a\n", "application/octet-stream") == "image/png"
    assert mime_of(b"RIFF\0\0\0\0WEBP", "") == "image/webp"
    assert mime_of(b"%PDF-1.7", "Application/PDF; x=y") == "application/pdf"
    assert mime_of(b"hello", "nonsense\r\nX: y") == "application/octet-stream"
    assert mime_of(JPEG, "application/pdf") == "image/jpeg"
    assert kinds_of("image/png", 10 * MIB + 1) == ["document"]
    assert name_of("C:\\Users\\x\\a.pdf") == name_of("/home/x/a.pdf") == "a.pdf"
