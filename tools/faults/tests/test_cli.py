from __future__ import annotations

import re
from pathlib import Path

import pytest
from faults.__main__ import chosen, parser
from faults.battery import Plan, parts_of, rabbit_version
from faults.registry import FAULTS

ROOT = Path(__file__).resolve().parents[3]


def test_every_fault_has_its_target_in_the_makefile() -> None:
    targets = re.findall(r"^faults-([a-z-]+): ## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets == [fault.name for fault in FAULTS]


def test_every_fault_is_in_the_documentation() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text()
    assert [fault.name for fault in FAULTS if f"`{fault.name}`" not in text] == []


def test_names_choose_in_the_batterys_order_and_none_is_all() -> None:
    assert [fault.name for fault in chosen(["mix", "kill-dm"])] == ["kill-dm", "mix"]
    assert chosen([]) == list(FAULTS)
    with pytest.raises(SystemExit, match="no such fault: kill-everything"):
        chosen(["kill-everything"])


def test_the_counts_are_the_faults_own_unless_one_is_given() -> None:
    fault = chosen(["kill-dm"])[0]
    assert Plan([fault], full=False, seed=1).times(fault) == fault.quick
    assert Plan([fault], full=True, seed=1).times(fault) == fault.full
    assert Plan([fault], full=True, seed=1, trials=2).times(fault) == 2


def test_each_run_has_a_seed_that_can_be_given() -> None:
    assert parser().parse_args([]).seed != parser().parse_args([]).seed
    assert parser().parse_args(["--seed", "5"]).seed == 5


def test_the_brokers_version_is_read_from_its_log(tmp_path: Path) -> None:
    log = tmp_path / "rabbitmq.log"
    log.write_text("info\n Starting RabbitMQ 3.10.8 on Erlang 25.2.3 [jit]\n")
    assert rabbit_version(log) == "3.10.8"
    log.write_text("")
    assert rabbit_version(log) == "?"


def test_a_quick_fault_is_one_part() -> None:
    assert [fault.name for fault in FAULTS if len(parts_of(fault.quick, fault.part)) > 1] == []


def test_many_trials_come_in_parts() -> None:
    assert parts_of(120, 50) == [50, 50, 20]
    assert parts_of(50, 50) == [50]
    assert parts_of(3, 50) == [3]
