"""The check tells an answer from silence, and a Prometheus from whatever else listens."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
from dashboards.check import PrometheusError, Window, check, questions, silence
from stack.ports import free_ports


class Fake(BaseHTTPRequestHandler):
    """Answers every query alike."""

    answer: ClassVar[tuple[int, bytes]] = (200, b"")
    asked: ClassVar[list[dict[str, list[str]]]] = []

    def do_POST(self) -> None:
        self.asked.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the library's name)
        """Nobody reads it."""


@contextmanager
def prometheus(status: int, body: bytes) -> Iterator[str]:
    Fake.answer, Fake.asked = (status, body), []
    with ThreadingHTTPServer(("127.0.0.1", 0), Fake) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def series(*values: str) -> bytes:
    result = [{"metric": {}, "values": [[1, value]]} for value in values]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (series("1"), None),
        (series("NaN", "0"), None),
        (series(), "no data"),
        (series("NaN"), "not finite"),
        (series("+Inf"), "not finite"),
    ],
)
def test_one_finite_number_is_an_answer(body: bytes, why: str | None) -> None:
    with prometheus(200, body) as url:
        assert silence(url, "up", Window()) == why


def test_grafanas_variable_is_filled_in() -> None:
    with prometheus(200, series("1")) as url:
        silence(url, "rate(up[$__rate_interval])", Window(60, "30s"))
    assert Fake.asked[0]["query"] == ["rate(up[30s])"]
    assert float(Fake.asked[0]["end"][0]) - float(Fake.asked[0]["start"][0]) == 60


def test_a_refused_query_says_why() -> None:
    with prometheus(400, b'{"status":"error","error":"parse error"}') as url:
        assert silence(url, "(", Window()) == "parse error"


@pytest.mark.parametrize(("status", "body"), [(502, b"<html>"), (200, b"<html>")])
def test_who_is_no_prometheus_is_named(status: int, body: bytes) -> None:
    with prometheus(status, body) as url, pytest.raises(PrometheusError, match=url):
        silence(url, "up", Window())


def test_every_panel_is_asked_but_those_left_out() -> None:
    with prometheus(200, series("1")) as url:
        assert check(url, without=("keda_",)) == []
    asked = {ask["query"][0] for ask in Fake.asked}
    assert len(Fake.asked) == len(list(questions(("keda_",)))) < len(list(questions()))
    assert not any("keda_" in query for query in asked)


def test_the_command_says_what_is_silent() -> None:
    with prometheus(200, series()) as url:
        done = run(url)
    assert done.returncode == 1
    assert "Muster / Fleet · Leaders: no data" in done.stdout
    assert done.stdout.rstrip().endswith("queries answered")
    (port,) = free_ports(1)
    assert run(f"http://127.0.0.1:{port}").returncode == 2
    nowhere = run("file:///etc/passwd")
    assert (nowhere.returncode, "no http address" in nowhere.stderr) == (2, True)


def run(url: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "dashboards.check", url]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
