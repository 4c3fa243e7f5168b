"""The committed dashboards are what the code says, and ask only for what somebody exports."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dashboards import ALL
from dashboards.__main__ import FOLDER, stale, write
from dashboards.model import WIDTH, Dashboard, Panel, Query, Row

from .promql import unknown

PANELS = [(dashboard, panel) for dashboard in ALL for panel in dashboard.panels()]
QUERIES = [(panel, query) for _, panel in PANELS for query in panel.queries]
UNITS = {"none", "short", "s", "reqps", "bytes", "percentunit"}


def document(dashboard: Dashboard) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dashboard.text())
    return found


def test_the_committed_files_are_fresh() -> None:
    assert stale() == [], "python -m dashboards"
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(dashboard.file for dashboard in ALL)


def test_a_changed_missing_or_foreign_file_is_seen_and_mended(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "fleet.json").write_text("{}")
    (tmp_path / "brain.json").unlink()
    (tmp_path / "old.json").write_text("{}")
    assert stale(tmp_path) == ["brain.json", "fleet.json", "old.json"]
    write(tmp_path)
    assert stale(tmp_path) == []


def test_every_expression_parses_and_asks_for_what_is_exported() -> None:
    wrong = {query.expr: found for _, query in QUERIES if (found := unknown(query.expr))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("expr", "complaint"),
    [
        ("muster_nothing", "metric muster_nothing"),
        ('muster_sends_total{chat="7"}', "muster_sends_total has no label chat"),
        ("sum by (queue)(muster_sends_total)", "nothing in sum by (queue)(muster_sends_total) has a label queue"),
    ],
)
def test_a_name_that_is_not_exported_is_seen(expr: str, complaint: str) -> None:
    [found] = unknown(expr)
    assert re.sub(r"\s+|{}", "", found) == re.sub(r"\s+", "", complaint)


def test_what_is_no_promql_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unclosed|unexpected|invalid"):
        unknown("sum(rate(up[5m])")


def test_starts_in_the_last_hour_are_those_of_new_pods_too(promtool: Path, tmp_path: Path) -> None:
    [query] = next(panel for _, panel in PANELS if panel.title == "Starts in the last hour").queries
    name = 'process_start_time_seconds{job="dm",instance="%s"}'
    # After two hours: one has run all the time, one is new, one started again, one came and went within the hour.
    series = {"old": "0x120", "new": "_x90 5400x30", "again": "0x100 6000x20", "gone": "_x80 4800x10 _x30"}
    trial = {
        "interval": "1m",
        "input_series": [{"series": name % instance, "values": values} for instance, values in series.items()],
        "promql_expr_test": [
            {"expr": query.expr, "eval_time": "120m", "exp_samples": [{"labels": '{job="dm"}', "value": 3}]}
        ],
    }
    file = tmp_path / "trial.json"
    file.write_text(json.dumps({"tests": [trial]}))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ids_and_titles_are_unique() -> None:
    assert len({dashboard.uid for dashboard in ALL}) == len({dashboard.title for dashboard in ALL}) == len(ALL)
    for dashboard in ALL:
        ids = [panel["id"] for panel in document(dashboard)["panels"]]
        titles = [panel.title for panel in dashboard.panels()]
        assert len(set(ids)) == len(ids)
        assert len(set(titles)) == len(titles)


def test_every_panel_has_a_unit_and_a_question_and_few_enough_queries() -> None:
    for _, panel in PANELS:
        assert panel.unit in UNITS, panel.title
        assert panel.question.endswith((".", "?")), panel.title
        assert 0 < len(panel.queries) <= 8
        assert panel.unit != "s" or "_seconds" in panel.queries[0].expr, panel.title


def test_a_legend_names_labels_that_its_query_keeps() -> None:
    for panel, query in QUERIES:
        for label in re.findall(r"{{(\w+)}}", query.legend):
            assert re.search(rf"by \([^)]*\b{label}\b", query.expr), f"{panel.title}: {label}"


def test_panels_do_not_overlap() -> None:
    for dashboard in ALL:
        places = [panel["gridPos"] for panel in document(dashboard)["panels"]]
        assert all(place["x"] + place["w"] <= WIDTH for place in places)
        for one, other in itertools.combinations(places, 2):
            apart = (
                one["x"] + one["w"] <= other["x"]
                or other["x"] + other["w"] <= one["x"]
                or one["y"] + one["h"] <= other["y"]
                or other["y"] + other["h"] <= one["y"]
            )
            assert apart, (dashboard.title, one, other)


def test_every_query_goes_to_the_chosen_prometheus() -> None:
    for dashboard in ALL:
        for panel in document(dashboard)["panels"]:
            assert all(target["datasource"]["uid"] == "${datasource}" for target in panel.get("targets", ()))


def test_colours_say_what_is_bad() -> None:
    def steps(**panel: Any) -> list[tuple[str, float | None]]:
        only = Panel("t", "q?", "s", [Query("up")], "stat", **panel)
        [_, made] = document(Dashboard("muster-t", "t", "d", [Row("r", [only])]))["panels"]
        return [(step["color"], step["value"]) for step in made["fieldConfig"]["defaults"]["thresholds"]["steps"]]

    assert steps(bounds=(1, 2), bad="outside") == [("red", None), ("green", 1), ("red", 2)]
    assert steps(bounds=(5, 30)) == [("green", None), ("yellow", 5), ("red", 30)]
    assert steps(bounds=(5,)) == [("green", None), ("red", 5)]
