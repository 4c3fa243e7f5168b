"""The wire: the ways a request comes in, tokens, names of methods, and what is refused before a method runs."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import aiohttp
import pytest
from telegram_sim.files import FileStore
from telegram_sim.params import Upload
from telegram_sim.testing import Simulation


async def send(scene: Any, **request: Any) -> tuple[int, dict[str, Any]]:
    """sendMessage in any form of request."""
    url = f"{scene.sim.url}/bot{scene.token}/sendMessage"
    async with scene.sim.client.request(request.pop("verb", "POST"), url, **request) as response:
        assert response.content_type == "application/json"
        return response.status, await response.json()


async def test_json_form_multipart_and_query_say_the_same(scene: Any) -> None:
    markup = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}
    plain = {"chat_id": str(scene.user_id), "text": "é 👍", "reply_markup": json.dumps(markup)}
    multipart = aiohttp.FormData(default_to_multipart=True)
    for name, value in plain.items():
        multipart.add_field(name, value)
    answers = [
        await send(scene, json={"chat_id": scene.user_id, "text": "é 👍", "reply_markup": markup}),
        await send(scene, json=plain),
        await send(scene, data=plain),
        await send(scene, data=multipart),
        await send(scene, params=plain),
        await send(scene, params=plain, verb="GET"),
        await send(
            scene, params={"chat_id": str(scene.user_id)}, data={"text": "é 👍", "reply_markup": plain["reply_markup"]}
        ),
    ]
    for status, answer in answers:
        assert status == 200, answer
        assert (answer["result"]["text"], answer["result"]["reply_markup"]) == ("é 👍", markup)


async def test_broken_bodies_are_refused(scene: Any) -> None:
    headers = {"Content-Type": "application/json"}
    for body in (b"{", b"[1]", b'"x"', b"[" * 100_000):
        status, answer = await send(scene, data=body, headers=headers)
        assert (status, answer["ok"], answer["error_code"]) == (400, False, 400)
    status, answer = await send(
        scene, data=b"--x\r\nnonsense", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert status == 400
    status, answer = await send(scene, data={"chat_id": scene.user_id, "text": "x", "reply_markup": "{"})
    assert (status, answer["description"]) == (400, "Bad Request: can't parse reply markup JSON object")


async def test_tokens_and_method_names(scene: Any, sim: Simulation) -> None:
    assert (await sim.api(scene.token, "GETME"))["ok"]
    assert (await sim.api(f"{scene.token}/test", "getme"))["result"]["id"] == scene.bot_id
    assert await sim.refused(scene.token, "noSuchMethod") == (404, "Not Found")
    assert await sim.refused(scene.token[:-1] + "!", "getMe") == (401, "Unauthorized")
    assert await sim.refused(f"{scene.bot_id + 1}:{'A' * 35}", "getMe") == (401, "Unauthorized")
    assert await sim.refused("nonsense", "getMe") == (404, "Not Found")


async def test_an_error_has_its_status_as_http_code_too(scene: Any) -> None:
    status, answer = await send(scene, json={"chat_id": 42, "text": "x"})
    assert (status, answer) == (400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"})
    assert (await send(scene, json={"text": "x"}))[1]["description"] == "Bad Request: chat_id is empty"
    assert (await send(scene, json={"chat_id": "@nobody", "text": "x"}))[1][
        "description"
    ] == "Bad Request: chat not found"
    assert (await send(scene, json={"chat_id": scene.bot_id, "text": "x"}))[0] == 403


async def test_a_file_is_uploaded_sent_again_by_id_and_downloaded(scene: Any) -> None:
    form = aiohttp.FormData()
    form.add_field("chat_id", str(scene.user_id))
    form.add_field("document", b"content", filename="a.txt", content_type="text/plain")
    async with scene.sim.client.post(f"{scene.sim.url}/bot{scene.token}/sendDocument", data=form) as response:
        document = (await response.json())["result"]["document"]
    assert (document["file_name"], document["mime_type"], document["file_size"]) == ("a.txt", "text/plain", 7)
    again = await scene.ok("sendDocument", chat_id=scene.user_id, document=document["file_id"])
    assert again["document"]["file_unique_id"] == document["file_unique_id"]
    path = (await scene.ok("getFile", file_id=document["file_id"]))["file_path"]
    async with scene.sim.client.get(f"{scene.sim.url}/file/bot{scene.token}/{path}") as response:
        assert await response.read() == b"content"
    async with scene.sim.client.get(f"{scene.sim.url}/file/bot{scene.token}/nothing") as response:
        assert response.status == 404
    assert await scene.refused("getFile", file_id="x") == (400, "Bad Request: invalid file_id")
    effect = (await scene.effects("method=sendDocument"))[0]
    assert effect["params"]["document"] == "<a.txt, 7 bytes>", "the log holds no file contents"


def test_files_are_bounded_and_never_share_a_path() -> None:
    store = FileStore(Random(1), keep_bytes=100)  # noqa: S311 no secret
    added = [store.add("photo", Upload("p.png", "image/png", bytes([n]) * 30)) for n in range(10)]
    assert len({stored.path for stored in added}) == 10
    assert list(store.by_path) == [stored.path for stored in added[-3:]]
    assert store.held == 90


@pytest.mark.parametrize("url", ["https://example.com/a/p.png?x=1", "http://127.0.0.1:1/p.png"])
async def test_a_photo_may_be_a_url_that_nobody_fetches(scene: Any, url: str) -> None:
    assert (await scene.ok("sendPhoto", chat_id=scene.user_id, photo=url))["photo"]


async def test_what_is_no_file_is_refused(scene: Any) -> None:
    photo = {"chat_id": scene.user_id}
    wrong = "Bad Request: wrong file identifier/HTTP URL specified"
    assert await scene.refused("sendPhoto", **photo, photo="x") == (400, wrong)
    assert await scene.refused("sendPhoto", **photo) == (400, "Bad Request: there is no photo in the request")
    lost = await scene.refused("sendPhoto", **photo, photo="attach://lost")
    assert lost == (400, "Bad Request: there is no photo in the request")
