"""Dashboards, rows and panels as data, and the JSON that Grafana makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

WIDTH: Final = 24  # columns of Grafana's grid
_SCHEMA: Final = 39
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
Kind = Literal["timeseries", "stat", "table", "bargauge"]


@dataclass(frozen=True)
class Query:
    """PromQL, and what its lines are called: Grafana fills `{{label}}` in."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """`question` is what somebody who looks at it wants to know; `bad` and `bounds` say what is wrong in colours.

    `bad` "above": yellow from the first bound, red from the last; "outside": green only between them.
    """

    title: str
    question: str
    unit: str
    queries: Sequence[Query]
    kind: Kind = "timeseries"
    width: int = 8
    stacked: bool = False
    bounds: Sequence[float] = ()
    bad: Literal["above", "outside"] = "above"


@dataclass(frozen=True)
class Row:
    """Panels that answer one kind of question."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Dashboard:
    """`uid` is its address: it never changes."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]

    @property
    def file(self) -> str:
        """Its name in charts/muster/dashboards."""
        return f"{self.uid.removeprefix('muster-')}.json"

    def panels(self) -> Iterator[Panel]:
        """In reading order."""
        for row in self.rows:
            yield from row.panels

    def text(self) -> str:
        """The file."""
        return json.dumps(self._document(), indent=1, ensure_ascii=False) + "\n"

    def _document(self) -> dict[str, Any]:
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["muster"],
            "schemaVersion": _SCHEMA,
            "editable": False,
            "graphTooltip": 1,  # one moment in all panels
            "refresh": "30s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "browser",
            "templating": {"list": [_source_variable()]},
            "links": [_link()],
            "annotations": {"list": []},
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterator[dict[str, Any]]:
        number, y = 0, 0
        for row in self.rows:
            number += 1
            yield _row(number, row.title, y)
            x, y, tallest = 0, y + 1, 0
            for panel in row.panels:
                if x + panel.width > WIDTH:
                    x, y, tallest = 0, y + tallest, 0
                number += 1
                height = 4 if panel.kind == "stat" else 8
                yield _panel(number, panel, {"x": x, "y": y, "w": panel.width, "h": height})
                x, tallest = x + panel.width, max(tallest, height)
            y += tallest


def _row(number: int, title: str, y: int) -> dict[str, Any]:
    place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.question,
        "datasource": _SOURCE,
        "gridPos": place,
        "targets": [
            _target(letter, query, panel.kind) for letter, query in zip("ABCDEFGH", panel.queries, strict=False)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel.kind),
    }


def _target(letter: str, query: Query, kind: Kind) -> dict[str, Any]:
    now_only = kind in {"table", "bargauge"}
    return {
        "refId": letter,
        "datasource": _SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": now_only,
        "range": not now_only,
        "format": "table" if kind == "table" else "time_series",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    found: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.kind == "timeseries":
        mode = "normal" if panel.stacked else "none"
        found["custom"] = {
            "drawStyle": "line",
            "fillOpacity": 25 if panel.stacked else 0,
            "showPoints": "never",
            "stacking": {"mode": mode, "group": "A"},
        }
    if panel.bounds:
        found["thresholds"] = {"mode": "absolute", "steps": _steps(panel)}
        found["color"] = {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"}
    return found


def _steps(panel: Panel) -> list[dict[str, Any]]:
    colours = ("red", "green", "red") if panel.bad == "outside" else ("green", "yellow", "red")[: len(panel.bounds) + 1]
    if panel.bad == "above":
        colours = (*colours[:-1], "red")
    return [{"color": c, "value": v} for c, v in zip(colours, (None, *panel.bounds), strict=True)]


def _options(kind: Kind) -> dict[str, Any]:
    newest = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    match kind:
        case "timeseries":
            legend = {
                "displayMode": "table",
                "placement": "bottom",
                "calcs": ["lastNotNull", "max"],
                "showLegend": True,
            }
            return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
        case "stat":
            return {"reduceOptions": newest, "colorMode": "value", "graphMode": "area"}
        case "bargauge":
            return {"reduceOptions": newest, "orientation": "horizontal", "displayMode": "basic"}
        case "table":
            return {"showHeader": True, "cellHeight": "sm"}


def _source_variable() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "refresh": 1}


def _link() -> dict[str, Any]:
    return {
        "title": "Muster",
        "type": "dashboards",
        "tags": ["muster"],
        "asDropdown": True,
        "keepTime": True,
        "includeVars": True,
    }
