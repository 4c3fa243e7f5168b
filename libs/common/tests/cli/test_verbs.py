"""`python -m common …`: what operators type, what is printed, and the exit code."""

from __future__ import annotations

import asyncio
import base64
import getpass
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from common.__main__ import main
from common.bus import topology
from common.cli.output import operator
from common.ids import BotId, JobId
from common.keys import KeyRing, WebhookSecrets
from common.queues import DM_QUEUE, GROUP_MESSAGE_QUEUE, TGMS_QUEUE, Queue
from common.store import bots, dead_letters, outbox
from common.telegram.secrets import TokenVault
from common.testing.builders import BOT_ID, FAKE_TOKEN, make_bot, make_envelope
from common.testing.http_peer import HttpPeer, answering, succeeding
from common.testing.postgres import Database
from common.testing.rabbitmq import Broker
from common.testing.tcp_proxy import TcpProxy
from pydantic_core import to_json

WEBHOOK_KEYS = f"1:{bytes(32).hex()}"
ENCRYPTION_KEYS = f"k1:{base64.b64encode(bytes(32)).decode()}"
VAULT = TokenVault(KeyRing.from_base64(ENCRYPTION_KEYS))
ME = succeeding({"id": BOT_ID, "is_bot": True, "first_name": "Muster", "username": "muster_bot"})

Verb = Callable[..., Awaitable[tuple[int, list[dict[str, Any]], str]]]


@pytest.fixture
def verb(capsys: pytest.CaptureFixture[str]) -> Verb:
    """Runs it in a thread, for it has a loop of its own: exit code, printed objects, stderr."""

    async def run(*words: str) -> tuple[int, list[dict[str, Any]], str]:
        code = await asyncio.to_thread(main, list(words))
        printed = capsys.readouterr()
        return code, [json.loads(line) for line in printed.out.splitlines()], printed.err

    return run


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_WEBHOOK_KEYS", WEBHOOK_KEYS)
    monkeypatch.setenv("MUSTER_ENCRYPTION_KEYS", ENCRYPTION_KEYS)
    monkeypatch.delenv("TELEGRAM_BOT_TOKEN", raising=False)


async def test_migrate_says_what_it_did(verb: Verb, empty_db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_db.url)
    code, [dry], _ = await verb("migrate", "--dry-run")
    assert (code, dry["applied"]) == (0, [])
    code, [wet], _ = await verb("migrate")
    assert (code, wet) == (0, {"applied": dry["pending"], "pending": []})
    assert await verb("migrate") == (0, [{"applied": [], "pending": []}], "")


async def test_migrate_waits_for_a_server_that_is_not_there_yet(
    verb: Verb, empty_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with TcpProxy.before(empty_db.url) as proxy:
        proxy.refuse = True
        monkeypatch.setenv("DATABASE_URL", proxy.through(empty_db.url))
        refused, _, _ = await verb("migrate")
        asyncio.get_running_loop().call_later(0.5, setattr, proxy, "refuse", False)
        code, [done], _ = await verb("migrate", "--wait", "20")
    assert (refused, code, done["pending"]) == (1, 0, [])
    assert done["applied"]


async def test_topology_names_the_queues(verb: Verb, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    ours: list[Queue[Any]] = [await broker.queue(like) for like in (DM_QUEUE, TGMS_QUEUE, GROUP_MESSAGE_QUEUE)]
    monkeypatch.setattr(topology.declare, "__defaults__", (ours,))  # not the real names on a shared broker
    code, [printed], _ = await verb("topology")
    assert code == 0
    assert {queue.name for queue in ours} <= set(printed["queues"])


@pytest.mark.parametrize(
    ("words", "variable", "url"),
    [
        (("topology",), "AMQP_URL", "amqp://u:canary@127.0.0.1:1"),
        (("migrate",), "DATABASE_URL", "postgresql://u:canary@127.0.0.1:1/d"),
        (("dlq", "list"), "DATABASE_URL", "postgresql://u:canary@127.0.0.1:1/d"),
        (("bot", "list"), "DATABASE_URL", "nonsense with canary"),
        (("topology",), "AMQP_URL", "nonsense with canary"),
    ],
)
async def test_a_server_that_is_away_is_one_line_and_exit_code_1(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], variable: str, url: str
) -> None:
    monkeypatch.setenv(variable, url)
    code, printed, said = await verb(*words)
    assert (code, printed) == (1, [])
    assert said.startswith("muster: ")
    assert said.count("\n") == 1
    assert "canary" not in said


async def test_a_bot_is_checked_encrypted_and_given_its_webhook(
    verb: Verb, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", db.url)
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", FAKE_TOKEN)
    async with HttpPeer([ME, succeeding(True)]) as telegram:
        monkeypatch.setenv("TELEGRAM_API_URL", telegram.url)
        code, [printed], _ = await verb("bot", "add", "--webhook-url", "https://example.com/hook")
    assert (code, printed["id"], printed["username"]) == (0, BOT_ID, "muster_bot")
    assert FAKE_TOKEN not in json.dumps(printed)
    [_, (path, webhook)] = telegram.requests
    assert path.endswith("/setWebhook")
    assert webhook["url"] == "https://example.com/hook"
    assert WebhookSecrets(KeyRing.from_hex(WEBHOOK_KEYS)).bot(webhook["secret_token"].encode()) == BOT_ID
    assert {"message", "chat_member", "message_reaction"} <= set(webhook["allowed_updates"])  # W11: never by default
    async with db.transaction() as tx:
        bot = await bots.get(tx, BOT_ID)
    assert bot is not None
    assert VAULT.open(BOT_ID, bot.token, bot.token_key) == FAKE_TOKEN
    async with db.transaction() as tx:
        trail = await tx.fetch("SELECT actor, action FROM audit ORDER BY audit_id")
    assert [tuple(row) for row in trail] == [(operator(), "bot.register"), (operator(), "bot.set_webhook")]


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert operator() == f"cli:{os.getuid()}"


async def test_a_token_that_telegram_does_not_know_registers_nothing(
    verb: Verb, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", db.url)
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", FAKE_TOKEN)
    body = to_json({"ok": False, "error_code": 401, "description": "Unauthorized"})
    async with HttpPeer([answering(401, body)]) as telegram:
        monkeypatch.setenv("TELEGRAM_API_URL", telegram.url)
        code, printed, said = await verb("bot", "add")
    assert (code, printed) == (1, [])
    assert FAKE_TOKEN not in said
    async with db.transaction() as tx:
        assert await bots.everyone(tx) == []


@pytest.mark.parametrize("token", ["", "canary", "123:short", "abc:" + "x" * 35])
async def test_what_is_no_token_is_refused_without_asking(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, db: Database, token: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", db.url)
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", token or "x")
    code, _, said = await verb("bot", "add")
    assert code == 1
    assert "no bot token" in said


async def test_bots_are_listed_without_their_tokens(verb: Verb, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", db.url)
    async with db.transaction() as tx:
        await bots.save(tx, make_bot())
        await bots.save(tx, make_bot(bot_id=BotId(1), state="revoked"))
    code, printed, _ = await verb("bot", "list")
    assert code == 0
    assert printed == [
        {"id": 1, "username": "muster_bot", "state": "revoked"},
        {"id": BOT_ID, "username": "muster_bot", "state": "active"},
    ]


async def test_a_webhook_is_looked_at(verb: Verb, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", db.url)
    sealed, key = VAULT.seal(BOT_ID, FAKE_TOKEN)
    async with db.transaction() as tx:
        await bots.save(tx, make_bot(token=sealed, token_key=key))
    async with HttpPeer([succeeding({"url": "https://example.com", "pending_update_count": 3})]) as telegram:
        monkeypatch.setenv("TELEGRAM_API_URL", telegram.url)
        code, [printed], _ = await verb("bot", "webhook", str(BOT_ID))
    assert (code, printed["pending_update_count"]) == (0, 3)


async def test_dead_letters_are_listed_replayed_and_discarded(
    verb: Verb, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", db.url)
    async with db.transaction() as tx:
        for name in ("a", "b", "c"):
            job = make_envelope(job_id=JobId(name), body=b"canary")
            await dead_letters.add(tx, job, cause="rejected", reason="because")
    code, listed, _ = await verb("dlq", "list")
    assert (code, sorted(letter["job_id"] for letter in listed)) == (0, ["a", "b", "c"])
    assert "canary" not in json.dumps(listed)
    ids = {letter["job_id"]: str(letter["dead_letter_id"]) for letter in listed}
    assert (await verb("dlq", "replay", ids["a"]))[0] == 0
    code, results, _ = await verb("dlq", "discard", ids["b"], ids["a"], "999")
    assert code == 1  # two of them were not there any more; the first is discarded all the same
    assert [each["result"] for each in results] == ["discarded"] + ["unknown or resolved already"] * 2
    assert [letter["job_id"] for letter in (await verb("dlq", "list"))[1]] == ["c"]
    async with db.transaction() as tx:
        assert [row.envelope.job_id for row in await outbox.due(tx, 10)] == ["a"]


async def test_a_list_of_dead_letters_that_was_cut_says_so(
    verb: Verb, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", db.url)
    async with db.transaction() as tx:
        for name in ("a", "b", "c"):
            await dead_letters.add(tx, make_envelope(job_id=JobId(name)), cause="rejected", reason="because")
    _, two, said = await verb("dlq", "list", "--limit", "2")
    assert (len(two), said) == (2, "there are more than these 2: --limit N shows more\n")
    _, every, said = await verb("dlq", "list", "--limit", "3")
    assert (len(every), said) == (3, "")


def test_fresh_keys_are_fit_for_use_and_never_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["secrets"]) == 0
    first = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    main(["secrets"])
    second = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    KeyRing.from_hex(first["MUSTER_WEBHOOK_KEYS"])
    KeyRing.from_base64(first["MUSTER_ENCRYPTION_KEYS"])
    assert first.keys() == second.keys()
    assert not set(first.values()) & set(second.values())


@pytest.mark.parametrize("words", [["--help"], ["bot", "--help"], ["dlq", "replay", "--help"]])
def test_every_verb_explains_itself(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 0
    assert "usage: python -m common" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        [], ["nonsense"], ["bot"], ["dlq", "replay"], ["bot", "webhook", "x"],
        *(["dlq", "list", f"--limit={limit}"] for limit in ("0", "-1", "x", "9" * 20)),
    ],
)  # fmt: skip
def test_bad_usage_is_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert "usage:" in capsys.readouterr().err
