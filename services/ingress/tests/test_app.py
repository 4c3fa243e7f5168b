"""What the whole application answers: probes, its description, and never a redirect."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from common.testing.postgres import Database
from common.testing.rabbitmq import Broker
from common.testing.tcp_proxy import TcpProxy
from ingress.api.groups import Window
from ingress.app import MAX_BODY, create_app
from ingress.glossary import MEANINGS
from ingress.routing import Route, route
from ingress.webhook import PATH
from starlette.types import ASGIApp

from . import asgi
from .asgi import alive
from .conftest import NEW_KEY, SECRET_HEADER, secret

_PACKAGE = Path(create_app.__code__.co_filename).parent


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ASGIApp:
    """With settings that lead nowhere."""
    monkeypatch.setenv("AMQP_URL", "amqp://127.0.0.1:1")
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none")
    monkeypatch.setenv("MUSTER_WEBHOOK_KEYS", NEW_KEY)
    monkeypatch.setenv("MUSTER_ENCRYPTION_KEYS", f"k1:{'A' * 43}=")
    return create_app()


async def get(app: ASGIApp, path: str) -> asgi.Answer:
    return await asgi.request(app, path, method="GET")


async def test_live_is_live_with_nothing_behind_it(app: ASGIApp) -> None:
    answer = await get(app, "/livez")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})


async def test_the_description_for_people_loads_nothing_from_elsewhere(app: ASGIApp) -> None:
    page = (await get(app, "/docs")).body.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sorted(loaded) == [
        f"/docs/assets/{name}" for name in ("favicon.png", "swagger-ui-bundle.js", "swagger-ui.css")
    ]
    for path in loaded:
        assert (await get(app, path)).status == 200
    assert (await get(app, "/redoc")).status == 404


async def test_ready_says_which_part_is_not(app: ASGIApp) -> None:
    answer = await get(app, "/readyz")
    assert answer.status == 503
    assert json.loads(answer.body) == {"broker": "BrokerUnavailable", "database": "StoreUnavailable"}


async def test_ready_with_broker_and_database(
    db: Database, broker: Broker, app: ASGIApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", db.url)
    monkeypatch.setenv("AMQP_URL", broker.url)
    async with alive(app):
        answer = await get(app, "/readyz")
        assert (answer.status, json.loads(answer.body)) == (200, {"broker": "ok", "database": "ok"})


async def test_ready_without_settings_is_an_answer_too(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    answer = await get(app, "/readyz")
    assert answer.status == 503
    assert json.loads(answer.body) == {"broker": "ConfigurationError", "database": "ConfigurationError"}


async def test_the_description_has_the_webhook_with_an_example(app: ASGIApp) -> None:
    answer = await get(app, "/openapi.json")
    described = json.loads(answer.body)
    assert described["openapi"].startswith("3.")
    operation = described["paths"][PATH]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    assert set(operation["responses"]) == {"200", "401", "405", "408", "413", "503"}
    assert (
        await asgi.request(app, PATH, headers={SECRET_HEADER: "x"}, body=json.dumps(example).encode())
    ).status == 401
    assert {"/livez", "/readyz"} <= set(described["paths"])


async def test_the_descriptions_example_is_an_update(app: ASGIApp) -> None:
    described = json.loads((await get(app, "/openapi.json")).body)
    content = described["paths"][PATH]["post"]["requestBody"]["content"]
    assert isinstance(route(content["application/json"]["example"]), Route)


async def test_every_operation_has_a_summary_and_its_own_name(app: ASGIApp) -> None:
    described = json.loads((await get(app, "/openapi.json")).body)
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    assert all(operation.get("summary") and operation.get("tags") for operation in operations)
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))


async def test_every_field_has_a_description_and_every_meaning_a_field(app: ASGIApp) -> None:
    schemas = json.loads((await get(app, "/openapi.json")).body)["components"]["schemas"]
    fields = {(name, field): it for name, each in schemas.items() for field, it in each.get("properties", {}).items()}
    assert [place for place, described in fields.items() if not described.get("description")] == []
    used = {f"{name}.{field}" for name, field in fields} | {field for _, field in fields}
    assert sorted(set(MEANINGS) - used) == []


async def test_every_query_parameter_has_a_description(app: ASGIApp) -> None:
    described = json.loads((await get(app, "/openapi.json")).body)
    bare = [
        (path, parameter["name"])
        for path, item in described["paths"].items()
        for operation in item.values()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query" and not parameter.get("description")
    ]
    assert bare == []


async def test_a_windows_example_is_one(app: ASGIApp) -> None:
    """Both ends had the same, and a window opens and closes at different times."""
    window = json.loads((await get(app, "/openapi.json")).body)["components"]["schemas"]["Window"]["properties"]
    Window.model_validate({name: field["examples"][0] for name, field in window.items()})


async def test_every_reference_in_the_description_resolves(app: ASGIApp) -> None:
    described = json.loads((await get(app, "/openapi.json")).body)
    for reference in references(described):
        place = described
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"]] if "$ref" in node else []
        return here + [found for each in node.values() for found in references(each)]
    return [found for each in node for found in references(each)] if isinstance(node, list) else []


@pytest.mark.parametrize("path", [f"{PATH}/", f"/{PATH}", "/livez/", "/api/webhooks/", "/", "/API/webhooks/telegram"])
async def test_no_path_is_redirected(app: ASGIApp, path: str) -> None:
    """Telegram counts a redirect as a failure, and 410 would delete the webhook (W8)."""
    for method in ("GET", "POST"):
        answer = await asgi.request(app, path, method=method, headers={SECRET_HEADER: secret()}, body=b"{}")
        assert answer.status == 404, method


async def test_a_webhook_without_broker_and_database_is_503(app: ASGIApp) -> None:
    body = b'{"update_id":1,"message":{"chat":{"id":42,"type":"private"}}}'
    answer = await asgi.request(app, PATH, headers={SECRET_HEADER: secret()}, body=body)
    assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "5", b"")


async def test_other_bodies_have_a_limit_too(app: ASGIApp) -> None:
    answer = await asgi.request(app, "/livez", body=b"x" * (MAX_BODY + 1))
    assert answer.status in {405, 413}


async def test_lifespan_connects_to_nothing_and_needs_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AMQP_URL", "DATABASE_URL", "MUSTER_WEBHOOK_KEYS", "MUSTER_ENCRYPTION_KEYS"):
        monkeypatch.delenv(name, raising=False)
    async with alive(create_app()):
        pass


async def test_lifespan_ends_in_time_although_the_database_hangs(
    db: Database, broker: Broker, app: ASGIApp, monkeypatch: pytest.MonkeyPatch
) -> None:

    async with TcpProxy.before(db.url) as to_database, TcpProxy.before(broker.url) as to_broker:
        monkeypatch.setenv("DATABASE_URL", to_database.through(db.url))
        monkeypatch.setenv("AMQP_URL", to_broker.through(broker.url))
        lifespan = alive(app)
        await lifespan.__aenter__()
        assert (await get(app, "/readyz")).status == 200
        to_database.freeze()
        to_broker.freeze()
        started = asyncio.get_running_loop().time()
        await lifespan.__aexit__()
        assert asyncio.get_running_loop().time() - started < 0.5


def test_no_task_is_left_to_itself() -> None:
    """Vercel freezes the process between requests: what nobody awaits may never end (vercel.md §6, rule 4)."""
    for source in _PACKAGE.rglob("*.py"):
        names = {node.attr for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Attribute)}
        assert not names & {"create_task", "ensure_future", "run_coroutine_threadsafe", "call_later"}, source
