from __future__ import annotations

from collections import Counter
from random import Random

from faults.fuzz import bodies
from ingress.routing import Ignored, Unreadable, route
from pydantic_core import from_json


def made(count: int = 470) -> list[tuple[str, str, bytes, int | None]]:
    return [(body.sort, body.fate, body.data, body.update_id) for body in bodies(count, Random(1), 1000)]  # noqa: S311


def test_the_seed_decides() -> None:
    assert made() == made()


def test_no_body_comes_twice() -> None:
    assert max(Counter(data for _, _, data, _ in made()).values()) == 1


def test_what_shall_be_kept_can_not_be_understood() -> None:
    for sort, fate, data, _ in made():
        if fate == "quarantine":
            assert isinstance(read(data), Unreadable), sort
        if fate == "ignored":
            assert isinstance(read(data), Ignored), sort


def test_only_what_is_refused_is_above_the_limit() -> None:
    for _, fate, data, _ in made():
        assert (fate == "refused") == (len(data) > 1024 * 1024)


def test_what_may_have_any_fate_can_be_found_by_its_update_id() -> None:
    for sort, fate, _, update_id in made():
        assert (fate == "any") == (update_id is not None), sort


def read(data: bytes) -> object:
    try:
        return route(from_json(data, allow_inf_nan=False))
    except ValueError:
        return Unreadable("not JSON")


def test_the_sorts_are_many() -> None:
    assert len({sort for sort, _, _, _ in made()}) >= 15
