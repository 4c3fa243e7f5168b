from __future__ import annotations

import json

from faults.checker import check
from faults.report import Outcome, broken_off, json_line, quantiles, table
from faults.testing import good, without_send


def outcome(*, bad: bool = False) -> Outcome:
    verdict = check(without_send(good(), 1) if bad else good())
    return Outcome("kill-dm", "F7", 3, 12.34, verdict, {"slowest_s": 0.5}, [])


def test_quantiles_by_nearest_rank() -> None:
    assert quantiles([3.0, 1.0, 2.0]) == [2.0, 3.0, 3.0]
    assert quantiles([float(n) for n in range(1, 101)]) == [50.0, 95.0, 100.0]
    assert quantiles([]) == [None, None, None]


def test_the_table_has_one_line_a_fault_and_says_which_failed() -> None:
    lines = table([outcome(), outcome(bad=True)]).splitlines()
    assert len(lines) == 4
    assert lines[2].endswith("passed")
    assert lines[3].endswith("FAILED")


def test_the_markdown_table_has_the_same_cells_in_every_line() -> None:
    lines = table([outcome()], markdown=True).splitlines()
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_the_last_line_is_one_json_object_with_the_figures_by_name() -> None:
    line = json_line([outcome(), outcome(bad=True)], {"seed": 4})
    told = json.loads(line)
    assert "\n" not in line
    assert (told["run"], told["seed"], told["passed"]) == ("faults", 4, False)
    assert told["faults"][0]["fault"] == "kill-dm"
    assert told["faults"][0]["slowest_s"] == 0.5
    assert told["faults"][1]["lost"] == 1


def test_a_demand_of_the_fault_itself_fails_it_too() -> None:
    good_one = outcome()
    assert good_one.passed
    assert not Outcome("x", "F1", 1, 1.0, good_one.verdict, {}, ["a 503 came without Retry-After"]).passed


def test_a_run_that_broke_off_has_failed() -> None:
    assert not broken_off("x", "F1", 1, 1.0, "TimeoutError()").passed
