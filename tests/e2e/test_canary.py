"""Secrets and what users write are in no span, log line, metric, answer or error: a run of mishaps is searched."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from aiohttp import web
from common.testing.polling import eventually
from stack.ports import LOOPBACK
from stack.services import child_environment

from .house import SECRET_HEADER, Background, House

pytestmark = pytest.mark.timeout(240)

_WORD = "qkanarienvogel"  # in everything that a user writes, and in their names
_ORDERED = ("http_500", "http_502_html", "cut", "garbage", "reset", "unknown_fields", "sent_deleted")
_REFUSALS = (
    (400, f'Bad Request: can\'t parse entities: unsupported start tag "{_WORD}"'),
    (403, "Forbidden: bot was blocked by the user"),
    (418, f'I am "a teapot of {_WORD}", and short'),
)


def canaries(house: House) -> dict[str, str]:
    """Everything that nobody may see outside."""
    token, keys = house.bot["token"], house.secrets
    return {
        "user text": _WORD,
        "bot token": token,
        "bot token's secret": token.partition(":")[2],
        "webhook secret": house.webhook_secret,
        "webhook secret's proof": house.webhook_secret.split("_", 2)[2],
        "webhook key": keys.webhook_keys.partition(":")[2],
        "encryption key": keys.encryption_keys.partition(":")[2],
        "database password": urlsplit(house.servers.database_url).password or "missing",
        "broker password": urlsplit(house.servers.amqp_url).password or "missing",
    }


async def test_nothing_secret_gets_out(house: House, tmp_path: Path) -> None:
    out: dict[str, bytes] = {}
    eve = house.admin("POST", "users", first_name=f"Eve {_WORD}", username=f"eve_{_WORD}")["users"][0]["id"]
    await conversation(house, eve)
    await telegram_in_trouble(house, eve)
    await telegram_that_redirects(house, eve)
    await poison(house, out)
    await servers_away(house, eve, out)
    operators(house, out)
    collect(house, out)
    found = [
        f"{name} in {place}"
        for place, content in out.items()
        for name, secret in canaries(house).items()
        if secret.encode() in content
    ]
    assert found == []
    await the_search_would_find_them(house)


async def conversation(house: House, user: int) -> None:
    """All goes well."""
    texts = (f"/start {_WORD}", "/account", f"/{_WORD}", _WORD, "/feedback", f"My {_WORD} is broken")
    for number, text in enumerate(texts, start=1):
        house.writes(user, text)
        await house.said(user, number)


async def telegram_in_trouble(house: House, user: int) -> None:
    """Each of its moods once, and answers that quote what they refuse."""
    rules: list[dict[str, Any]] = [{"kind": kind, "times": 1, "method": "sendMessage"} for kind in _ORDERED]
    house.admin("PUT", "faults", rules=rules)
    before = len(house.calls(user))
    house.writes(user, f"{_WORD} in trouble")
    await one_more(house, user, before + 1)
    for code, description in _REFUSALS:
        rule = {"kind": "error", "error_code": code, "description": description, "method": "sendMessage"}
        house.admin("PUT", "faults", rules=[rule])
        before = len(house.calls(user))
        house.writes(user, f"{_WORD} refused")
        await one_more(house, user, before)
    house.admin("DELETE", "faults")


async def one_more(house: House, user: int, than: int) -> None:
    await eventually(lambda: len(house.calls(user)) > than)


async def telegram_that_redirects(house: House, user: int) -> None:
    """The library's error would name the address, and the address holds the token."""
    house.services.stop(house.instances["dm"])
    with wandering() as (url, asked):
        lost = house.services.start("dm", extra={"TELEGRAM_API_URL": url})
        house.services.wait_ready([lost])
        house.writes(user, f"{_WORD} redirected")
        await eventually(lambda: len(asked) >= 2, within=20)
        house.services.stop(lost)
    house.services.restart(house.instances["dm"])
    house.services.wait_ready([house.instances["dm"]])


@contextmanager
def wandering() -> Iterator[tuple[str, list[str]]]:
    """A server that redirects every call to itself, and what it was asked."""
    asked: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": str(request.url)})

    async def listen() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", redirect)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, 0).start()
        return runner

    background = Background()
    runner = background.run(listen())
    yield f"http://{LOOPBACK}:{runner.addresses[0][1]}", asked
    background.run(runner.cleanup())
    background.stop()


async def poison(house: House, out: dict[str, bytes]) -> None:
    """Wrong secrets, bodies that nobody can read, updates that aiogram can't, jobs that are none."""
    private = f'{{"chat":{{"id":42,"type":"private"}},"from":{{"id":42,"is_bot":false,"first_name":"{_WORD}"}}'
    bodies = [
        b"{" + _WORD.encode(),
        f'{{"update_id":1,"message":{{"text":"{_WORD}"}}}}'.encode(),
        f'{{"update_id":2,"message":{private},"date":"{_WORD}","message_id":"{_WORD}"}}}}'.encode(),
        f'{{"update_id":3,"message":{private},"text":{{"{_WORD}":1}}}}}}'.encode(),
        f'{{"update_id":4,"chat_join_request":{{"bio":"{_WORD}"}}}}'.encode(),
        f'{{"update_id":5,"{_WORD}":"{_WORD}"}}'.encode(),
        _WORD.encode() * 50_000,
    ]
    for number, body in enumerate(bodies):
        tell(out, f"answer to body {number}", house.post(body))
    secret = house.webhook_secret
    for number, wrong in enumerate((secret[:-1], secret + "A", house.bot["token"], _WORD)):
        tell(out, f"answer to secret {number}", house.post(bodies[0], **{SECRET_HEADER: wrong}))
    await eventually(lambda: dead(house, f"tg:{house.bot['id']}:3"), within=15)


async def dead(house: House, job: str) -> bool:
    return bool(await house.rows(f"SELECT 1 FROM dead_letters WHERE job_id = '{job}'"))  # noqa: S608


async def servers_away(house: House, user: int, out: dict[str, bytes]) -> None:
    """First the broker, then the database too."""
    body = f'{{"update_id":100,"message":{{"chat":{{"id":{user},"type":"private"}},"text":"{_WORD}"}}}}'.encode()
    house.servers.rabbitmq.kill()
    tell(out, "answer without broker", house.post(body))
    house.servers.postgres.stop()
    tell(out, "answer without both", house.post(body.replace(b"100", b"101")))
    readiness(house, out, "without both")
    house.servers.postgres.start()
    await asyncio.to_thread(house.servers.rabbitmq.start)
    house.services.wait_ready(list(house.instances.values()))
    readiness(house, out, "again")


def readiness(house: House, out: dict[str, bytes], when: str) -> None:

    for name, instance in house.instances.items():
        tell(out, f"{name}'s probe {when}", httpx.get(f"{instance.url}/readyz", trust_env=False, timeout=10))


def operators(house: House, out: dict[str, bytes]) -> None:
    """What their terminals show, also when it goes wrong."""
    unreachable = {"DATABASE_URL": house.servers.database_url.replace("127.0.0.1", "localhost.invalid")}
    spoiled = {"MUSTER_ENCRYPTION_KEYS": house.secrets.encryption_keys[:-4], "MUSTER_WEBHOOK_KEYS": "1:ff"}
    bot = str(house.bot["id"])
    for words, changes in (
        (["dlq", "list"], {}),
        (["bot", "list"], {}),
        (["bot", "webhook", bot], {}),
        (["bot", "webhook", bot], spoiled),
        (["bot", "add"], {"TELEGRAM_API_URL": "http://127.0.0.1:1"}),
        (["bot", "add"], {}),
        (["dlq", "list"], unreachable),
        (["migrate"], {"DATABASE_URL": house.servers.database_url.replace("postgresql", "mysql")}),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "common", *words],
            env={**child_environment(), **house.services.environment, **changes},
            input=house.bot["token"].encode(),
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr, words
        out[f"{' '.join(words)} {sorted(changes)}"] = done.stdout + done.stderr


def collect(house: House, out: dict[str, bytes]) -> None:
    """Spans as they were sent, logs as they were written, metrics and descriptions as they are read."""

    assert len(house.collector.spans) > 100
    out["spans"] = b"".join(house.collector.raw)
    for log in house.logs.glob("*.log"):
        out[f"log {log.name}"] = log.read_bytes()
    assert {"log dm.log", "log ingress.log", "log tgms.log", "log sender.log"} <= set(out)
    for name, instance in house.instances.items():
        path = "/openapi.json" if name == "ingress" else "/metrics"
        tell(out, f"{name}'s {path}", httpx.get(instance.url + path, trust_env=False))


def tell(out: dict[str, bytes], place: str, answer: Any) -> None:
    """Body and headers."""
    out[place] = answer.content + str(answer.headers).encode()


async def the_search_would_find_them(house: House) -> None:
    """The proof that the run was a trial: the canaries are where they belong."""
    (kept,) = await house.rows(f"SELECT count(*) FROM feedback WHERE text LIKE '%{_WORD}%'")  # noqa: S608
    (letters,) = await house.rows(
        f"SELECT count(*) FROM dead_letters WHERE position('{_WORD}'::bytea IN body) > 0"  # noqa: S608
    )
    (quarantined,) = await house.rows("SELECT count(*) FROM quarantine")
    assert (kept["count"], letters["count"] > 2, quarantined["count"] > 2) == (1, True, True)
    effects = house.admin("GET", f"effects?bot_id={house.bot['id']}")["effects"]
    assert any(_WORD in str(effect["params"]) for effect in effects)
