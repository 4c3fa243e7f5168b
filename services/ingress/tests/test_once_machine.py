"""H6: in any interleaving one Idempotency-Key has one effect and one answer, and another body under it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from common.errors import AppError, MusterError, StoreUnavailable
from common.store.pool import Tx
from common.testing.postgres import make_pool
from fastapi import Response
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run
from ingress.backend import Backend
from ingress.once import Once
from pydantic import BaseModel
from starlette.requests import Request

pytestmark = pytest.mark.timeout(180)  # it takes 15 s on an idle machine

ResultT = TypeVar("ResultT")
PICK = st.integers(0, 1_000)
Name = tuple[str, str]  # whose, and which key


class Body(BaseModel):
    """What is asked for."""

    text: str


class Made(BaseModel):
    """The effect's answer."""

    number: int


@dataclass
class Asking:
    """One request on its way: it waits inside its effect until it is told how that ends."""

    name: Name
    text: str
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    inside: asyncio.Event = field(default_factory=asyncio.Event)
    end: str = ""
    task: asyncio.Task[Response] | None = None


class Asked(RuleBasedStateMachine):
    """Two owners, two keys, two bodies; every effect is a row of its own."""

    backend: Backend
    runner: asyncio.Runner

    @initialize()
    def fresh(self) -> None:
        self.waiting: list[Asking] = []
        self.kept: dict[Name, tuple[str, int, bytes]] = {}  # the first request's text, its answer
        self.done: dict[Name, int] = {}
        self.number = 0
        self.do(self._execute("TRUNCATE idempotent_results, users CASCADE"))

    @rule(owner=st.sampled_from("ab"), key=st.sampled_from("12"), text=st.sampled_from(["one", "another"]))
    def ask(self, owner: str, key: str, text: str) -> None:
        one = Asking((owner, key), text)
        busy = any(each.name == one.name for each in self.waiting)
        self.do(self._begin(one))
        if one.inside.is_set():
            assert not busy, "two effects of one key are under way"
            assert one.name not in self.kept, "an effect of a key that has its answer"
            self.waiting.append(one)
            return
        status, body, replayed = self.do(answer_of(one))
        if busy:
            assert (status, body) == (409, b"idempotency_in_progress")
        else:
            first, kept_status, kept_body = self.kept[one.name]
            wanted = (kept_status, kept_body, True) if first == text else (422, b"idempotency_key_reused", False)
            assert (status, body, replayed) == wanted

    @precondition(lambda self: self.waiting)
    @rule(pick=PICK, end=st.sampled_from(["fine", "fine", "refused", "surprise", "away"]))
    def finish(self, pick: int, end: str) -> None:
        one = self.waiting.pop(pick % len(self.waiting))
        one.end = end
        status, body, replayed = self.do(answer_of(one))
        assert not replayed
        assert status == {"fine": 200, "refused": 418, "surprise": 500, "away": 503}[end]
        if end != "away":
            self.kept[one.name] = (one.text, status, body)
        self.done[one.name] = self.done.get(one.name, 0) + (end == "fine")

    @precondition(lambda self: self.waiting)
    @rule(pick=PICK)
    def is_killed(self, pick: int) -> None:
        """In the middle of its effect: there is neither effect nor answer, and the next one begins anew."""
        one = self.waiting.pop(pick % len(self.waiting))
        self.do(self._kill(one))

    @precondition(lambda self: self.kept)
    @rule(pick=PICK, copies=st.integers(2, 5))
    def many_ask_again_at_once(self, pick: int, copies: int) -> None:
        """Some may be told that another is looking just now; nobody gets anything else than the first answer."""
        name = sorted(self.kept)[pick % len(self.kept)]
        text, status, body = self.kept[name]
        same = [Asking(name, text) for _ in range(copies)]
        answers = self.do(self._together(same))
        assert {answer[:2] for answer in answers} <= {(status, body), (409, b"idempotency_in_progress")}
        assert any(answer == (status, body, True) for answer in answers)

    @invariant()
    def one_effect_for_each_key(self) -> None:
        rows = self.do(self._fetch("SELECT first_name, count(*) AS n FROM users GROUP BY first_name"))
        assert {tuple(row["first_name"].split(" ")): row["n"] for row in rows} == {
            name: count for name, count in self.done.items() if count
        }
        assert set(self.done.values()) <= {0, 1}

    def teardown(self) -> None:
        for one in getattr(self, "waiting", []):
            self.do(self._kill(one))

    def do(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        return self.runner.run(work)

    async def _begin(self, one: Asking) -> None:
        one.task = asyncio.create_task(self._run(one))
        inside = asyncio.create_task(one.inside.wait())
        await asyncio.wait((one.task, inside), return_when=asyncio.FIRST_COMPLETED)
        inside.cancel()

    async def _run(self, one: Asking) -> Response:
        self.number += 1
        number = self.number

        async def effect(tx: Tx) -> Made:
            await tx.execute("INSERT INTO users (user_id, first_name) VALUES ($1, $2)", number, " ".join(one.name))
            one.inside.set()
            await one.go_on.wait()
            match one.end:
                case "refused":
                    raise AppError("teapot", 418, "no")
                case "surprise":
                    raise RuntimeError("what nobody thought of")
                case "away":
                    raise StoreUnavailable
            return Made(number=number)

        caller: Any = SimpleNamespace(owner=one.name[0])
        return await Once(request(), self.backend, one.name[1]).run(caller, effect, body=Body(text=one.text))

    async def _kill(self, one: Asking) -> None:
        assert one.task is not None
        one.task.cancel()
        await asyncio.gather(one.task, return_exceptions=True)

    async def _together(self, same: list[Asking]) -> list[tuple[int, bytes, bool]]:
        for one in same:
            one.task = asyncio.create_task(self._run(one))
        return [await answer_of(one) for one in same]

    async def _execute(self, statement: str) -> None:
        async with self.backend.pool.transaction("test") as tx:
            await tx.execute(statement)

    async def _fetch(self, statement: str) -> list[Any]:
        async with self.backend.pool.transaction("test") as tx:
            return list(await tx.fetch(statement))


def request() -> Request:
    """As it comes from the routing."""
    scope = {"type": "http", "method": "POST", "path": "/api/things", "query_string": b"", "headers": []}
    return Request(
        scope
        | {
            "server": ("muster", 80),
            "scheme": "http",
            "muster.trace_id": "0" * 32,
            "route": SimpleNamespace(name="things"),
        }
    )


async def answer_of(one: Asking) -> tuple[int, bytes, bool]:
    """Status, body or the refusal's code, and whether it is the first one's again."""
    one.go_on.set()
    assert one.task is not None
    try:
        response = await one.task
    except AppError as error:
        return error.status, error.code.encode(), False
    except MusterError:
        return 503, b"", False
    return response.status_code, bytes(response.body), response.headers.get("idempotent-replayed") == "true"


def test_in_any_interleaving_a_key_has_one_effect_and_one_answer(database_url: str) -> None:
    with asyncio.Runner() as runner:
        backend: Any = Backend()
        backend.pool = make_pool(database_url)
        Asked.runner, Asked.backend = runner, backend
        checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
        run(
            Asked,
            settings=settings(deadline=None, max_examples=20, stateful_step_count=30, suppress_health_check=checks),
        )
        runner.run(backend.pool.close())
