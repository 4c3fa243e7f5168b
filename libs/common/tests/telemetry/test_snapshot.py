"""What only the leader knows: told by one process, all of one moment, and never for longer than it is true."""

from __future__ import annotations

import pytest
from common.telemetry import snapshot
from common.telemetry.snapshot import Fact, Snapshot
from prometheus_client import CollectorRegistry, generate_latest

COUNT = Fact("muster_test_count", "A number.")
BY_STATE = Fact("muster_test_states", "Numbers.", ("state",))


@pytest.fixture
def told() -> Snapshot:
    return Snapshot([COUNT, BY_STATE])


def text(told: Snapshot) -> list[str]:
    registry = CollectorRegistry()
    registry.register(told)
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_nothing_is_told_before_somebody_looked(told: Snapshot) -> None:
    assert text(told) == []


def test_the_newest_look_replaces_the_one_before(told: Snapshot) -> None:
    told.tell({COUNT: {(): 1}, BY_STATE: {("a",): 1, ("b",): 2}})
    told.tell({BY_STATE: {("b",): 3}})
    assert text(told) == ['muster_test_states{state="b"} 3.0']


def test_who_leads_no_longer_tells_nothing(told: Snapshot) -> None:
    told.tell({COUNT: {(): 1}})
    told.forget()
    assert text(told) == []


def test_an_old_look_is_no_answer(told: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    told.tell({COUNT: {(): 1}})
    assert text(told) == ["muster_test_count 1.0"]
    monkeypatch.setattr(snapshot, "FRESH", 0.0)
    told.tell({COUNT: {(): 1}})
    assert text(told) == []
    told.tell({COUNT: {(): 1}}, pause=60)
    assert text(told) == ["muster_test_count 1.0"]


def test_the_registry_knows_its_names_beforehand(told: Snapshot) -> None:
    registry = CollectorRegistry()
    registry.register(told)
    with pytest.raises(ValueError, match="muster_test_count"):
        registry.register(Snapshot([COUNT]))
