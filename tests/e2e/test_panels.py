"""A real Prometheus scrapes the real processes: every panel that needs no cluster is answered, every rule evaluated."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import yaml
from common.store.pool import Pool
from common.testing.polling import eventually
from dashboards.check import Silence, Window, check
from stack import prometheus
from stack.errors import StackError
from stack.keeper import Program
from stack.ports import LOOPBACK, free_ports

from .house import PATH, House
from .test_after_sending import Operator

pytestmark = pytest.mark.timeout(300)
RULES = Path(__file__).parents[2] / "charts" / "muster" / "rules"
CLUSTER = ("keda_", "kube_", "rabbitmq_")  # not here: the cluster's own suite asks for them
_SCRAPE = 1  # seconds


@pytest.fixture
async def prometheus_url(house: House, tmp_path: Path) -> AsyncIterator[str]:
    """Jobs are named by component, as the chart's monitors name them."""
    try:
        binary = prometheus.have().server
    except StackError as error:
        pytest.skip(str(error))
    (port,) = free_ports(1)
    targets = {name: instance.port for name, instance in house.instances.items()} | {"ingress": house.ingress_metrics}
    config = {
        "global": {"scrape_interval": f"{_SCRAPE}s", "scrape_timeout": f"{_SCRAPE}s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES / "*.yaml")],
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [f"{LOOPBACK}:{at}"]}]} for name, at in targets.items()
        ],
    }
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    words = [str(binary), f"--config.file={file}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    words += [f"--web.listen-address={LOOPBACK}:{port}", "--log.level=warn"]
    keeper = house.services.keeper
    child = keeper.start(Program("prometheus", words, house.logs / "prometheus.log", dict(os.environ), tmp_path))
    yield f"http://{LOOPBACK}:{port}"
    keeper.stop(child)


async def ask(url: str, path: str) -> dict[str, object]:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        answer: dict[str, object] = (await client.get(f"{url}/api/v1/{path}")).json()
    return answer


async def all_up(url: str) -> bool:
    try:
        found = await ask(url, "query?query=sum(up)")
    except httpx.TransportError:
        return False
    result = found["data"]["result"]  # type: ignore[index]
    return bool(result and result[0]["value"][1] == "4")


async def traffic(house: House, operator: Operator, ada: int, times: int) -> None:
    """Something of everything that the panels speak of."""
    await operator.ask("GET", "/api/groups")
    await operator.ask("GET", "/api/broadcasts")
    house.post(b"{")
    await asyncio.to_thread(httpx.get, f"{house.ingress}{PATH}", trust_env=False)
    before = len(house.texts(ada))
    house.writes(ada, "/help")
    await house.said(ada, before + 1)
    bots = [{"id": house.bot["id"], "status": "administrator"}]
    house.admin("POST", "chats", type="supergroup", title=f"later {times}", bots=bots)
    message = {"message": {"type": "text", "text": f"round {times}"}, "targets": {"tags": ["e2e"]}}
    made = await operator.ask("POST", "/api/send_messages", message)
    await eventually(lambda: operator.state(made["broadcast_id"], "done"), within=60)


async def test_every_panel_is_answered(house: House, ada: int, prometheus_url: str) -> None:
    pool = Pool(house.servers.database_url, name="muster-e2e", max_size=2, timeout=5)
    operator = Operator(house, pool)
    await operator.move_in()
    await eventually(lambda: all_up(prometheus_url), within=30)
    for times in range(3):  # a rate needs a number that was there and has grown
        await traffic(house, operator, ada, times)
        await asyncio.sleep(2.5 * _SCRAPE)

    silent: list[Silence] = []

    async def answered() -> bool:
        silent[:] = await asyncio.to_thread(check, prometheus_url, Window(180, "60s"), without=CLUSTER)
        return not silent

    try:
        await eventually(answered, within=60)
    except AssertionError:
        raise AssertionError("\n".join(f"{each.panel}: {each.why}: {each.expr}" for each in silent)) from None
    await rules_are_well(prometheus_url)
    await pool.close()


async def rules_are_well(url: str) -> None:
    """Prometheus can evaluate each, and none of those that wake somebody fires on a system that is well."""
    groups = (await ask(url, "rules"))["data"]["groups"]  # type: ignore[index]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) >= 28
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    firing = [rule["name"] for rule in rules if rule["state"] == "firing" and rule["labels"]["severity"] == "critical"]
    assert firing == []
