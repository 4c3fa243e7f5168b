"""Every alert asks for what is exported, has its page, fires when it should and not when it should not."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from common.bus.settlement import HoldOn, settle
from common.errors import JobError, MusterError, Reject, RetryLater

from .alerts import CASES, SENDERS_HPA, Case
from .promql import unknown

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "charts" / "muster" / "rules").glob("*.yaml"))
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for file in FILES
    for group in yaml.safe_load(file.read_text("utf-8"))["groups"]
    for rule in group["rules"]
}
pytestmark = pytest.mark.timeout(120)  # promtool computes hours, a step each minute
PAGES = ROOT / "docs" / "runbooks"


def test_prometheus_takes_the_files(promtool: Path) -> None:
    done = run(promtool, "check", "rules", *map(str, FILES))
    assert done.returncode == 0, done.stderr
    assert len(FILES) >= 4


def test_the_names_of_alerts_are_unique() -> None:
    text = "".join(file.read_text("utf-8") for file in FILES)
    assert len(re.findall(r"- alert: ", text)) == len(RULES)


@pytest.mark.parametrize("name", RULES)
def test_it_asks_for_what_is_exported(name: str) -> None:
    assert unknown(RULES[name]["expr"]) == []


@pytest.mark.parametrize("name", RULES)
def test_it_says_how_bad_it_is_and_where_help_is(name: str) -> None:
    rule = RULES[name]
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} - {"README"} == set(RULES)
    for name in RULES:
        text = (PAGES / f"{name}.md").read_text("utf-8")
        assert text.startswith(f"# {name}\n")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["What it means", "What to look at", "What to do"], name
        listed = f"[{name}]({name}.md)"
        assert listed in (PAGES / "README.md").read_text("utf-8"), name


def test_every_alert_is_tried_both_ways() -> None:
    assert set(CASES) == set(RULES)
    assert all(case.quiet for case in CASES.values())


@pytest.mark.parametrize("name", CASES)
def test_it_fires_when_it_should_and_only_then(name: str, senders_hpa: str, promtool: Path, tmp_path: Path) -> None:
    case = CASES[name]
    wanted = [{"exp_labels": {**case.labels, **RULES[name]["labels"]}}]
    trials = [trial(name, series, case, wanted) for series in (case.fires, *case.also)]
    trials += [trial(name, series, case, []) for series in case.quiet]
    judge(promtool, tmp_path, trials, senders_hpa)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.apart])
def test_two_releases_under_one_prometheus_are_told_apart(name: str, promtool: Path, tmp_path: Path) -> None:
    case = CASES[name]
    sick, one, other = ({"namespace": place} for place in ("sick", "one", "other"))
    wanted = [{"exp_labels": {**case.labels, **RULES[name]["labels"], **sick}}]
    trials = [trial(name, placed(case.fires, **sick) | placed(quiet, **one), case, wanted) for quiet in case.quiet]
    trials += [trial(name, placed(quiet, **one) | placed(quiet, **other), case, []) for quiet in case.quiet]
    judge(promtool, tmp_path, trials)


def test_a_release_with_senders_to_spare_is_not_at_its_maximum(
    senders_hpa: str, promtool: Path, tmp_path: Path
) -> None:
    name, case = "MusterSendersAtMaximum", CASES["MusterSendersAtMaximum"]
    wanted = [{"exp_labels": {**case.labels, **RULES[name]["labels"], "namespace": "sick"}}]
    both = placed(case.fires, namespace="sick") | placed(case.quiet[0], namespace="one")
    judge(promtool, tmp_path, [trial(name, both, case, wanted)], senders_hpa)


def test_what_is_no_progress_is_what_consumers_hold() -> None:
    [named] = re.findall(r'outcome!~"([^"]+)"', RULES["MusterNothingConsumed"]["expr"])
    held = {each.__name__ for each in MusterError.__subclasses__() + JobError.__subclasses__() if is_held(each)}
    assert set(named.split("|")) == held


def is_held(kind: type[MusterError]) -> bool:
    return isinstance(settle(kind.__new__(kind), 1), HoldOn) if kind not in {Reject, RetryLater} else False


def test_the_alert_of_the_senders_finds_the_charts_autoscaler(senders_hpa: str) -> None:
    matchers = set(re.findall(r'horizontalpodautoscaler=~"([^"]+)"', RULES["MusterSendersAtMaximum"]["expr"]))
    assert [each for each in matchers if re.fullmatch(each, senders_hpa)] == list(matchers) != []


def test_an_alert_that_does_not_fire_fails_its_test(promtool: Path, tmp_path: Path) -> None:
    quiet = CASES["MusterNoLeader"].quiet[0]
    file = tmp_path / "trials.json"
    wanted = [{"exp_labels": {"severity": "critical"}}]
    trials = [trial("MusterNoLeader", quiet, Case({}, []), wanted)]
    file.write_text(json.dumps({"rule_files": list(map(str, bare(tmp_path))), "tests": trials}))
    assert run(promtool, "test", "rules", str(file)).returncode == 1


def judge(promtool: Path, folder: Path, trials: list[dict[str, Any]], senders_hpa: str = "") -> None:
    file = folder / "trials.json"  # YAML, too
    text = json.dumps({"rule_files": list(map(str, bare(folder))), "tests": trials})
    file.write_text(text.replace(SENDERS_HPA, senders_hpa))
    done = run(promtool, "test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def placed(series: Mapping[str, str], namespace: str) -> dict[str, str]:
    """The same in a namespace."""
    found = {}
    for name, values in series.items():
        bare_name, _, labels = name.rstrip("}").partition("{")
        found[f'{bare_name}{{{labels}{"," if labels else ""}namespace="{namespace}"}}'] = values
    return found


def trial(name: str, series: Mapping[str, str], case: Case, expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": f"{case.minutes}m", "alertname": name, "exp_alerts": expected}],
    }


def bare(folder: Path) -> list[Path]:
    """The same rules without their sentences, which promtool would compare with their numbers filled in."""
    made = []
    for file in FILES:
        rules = yaml.safe_load(file.read_text("utf-8"))
        for group in rules["groups"]:
            for rule in group["rules"]:
                del rule["annotations"]
        (folder / file.name).write_text(yaml.safe_dump(rules))
        made.append(folder / file.name)
    return made


def run(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *words], capture_output=True, text=True, check=False, timeout=60)
