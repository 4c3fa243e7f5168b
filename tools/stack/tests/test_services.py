"""Services as processes, with a stand-in that is ready when its port answers."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import http
from stack.errors import StackError
from stack.keeper import Keeper
from stack.services import Services

STAND_IN = """
    import os
    from http.server import BaseHTTPRequestHandler, HTTPServer
    class Ready(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/readyz" else 404)
            self.end_headers()
    HTTPServer((os.environ["MUSTER_HEALTH_HOST"], int(os.environ["MUSTER_HEALTH_PORT"])), Ready).serve_forever()
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    (tmp_path / "standin.py").write_text(textwrap.dedent(STAND_IN))
    (tmp_path / "broken.py").write_text("raise SystemExit('muster: no settings')")
    with Keeper(tmp_path / "run") as keeper:
        yield Services(keeper, {"PYTHONPATH": str(tmp_path)}, tmp_path / "logs")


def test_several_of_one_service_one_killed_and_started_again(services: Services) -> None:
    one, two = services.start("standin"), services.start("standin")
    assert (one.name, two.name) == ("standin", "standin-2")
    services.wait_ready()
    before = services.pid(one)
    services.kill(one)
    assert services.dead() == [one]
    assert http.status(f"{one.url}/readyz") == 0
    assert http.status(f"{two.url}/readyz") == 200
    services.restart(one)
    services.wait_ready([one])
    assert services.pid(one) != before
    assert services.dead() == []


def test_a_service_that_does_not_come_up_is_told_with_its_log(services: Services) -> None:
    services.start("broken")
    with pytest.raises(StackError, match="broken ended with exit code 1") as failure:
        services.wait_ready()
    assert "  muster: no settings" in failure.value.lines()


def test_a_bots_token_is_not_handed_on(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "1:secret")
    instance = services.start("standin")
    services.wait_ready()
    assert b"TELEGRAM_BOT_TOKEN" not in Path(f"/proc/{services.pid(instance)}/environ").read_bytes()
    assert "TELEGRAM_BOT_TOKEN" in os.environ
