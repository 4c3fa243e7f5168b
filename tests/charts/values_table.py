"""The tables of values in the charts' READMEs, from their schemas and their defaults.

`python tests/charts/values_table.py --write` renews them; without the option it exits with 1 where one is stale.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHARTS = Path(__file__).parents[2] / "charts"
BEGIN, END = "<!-- values: python tests/charts/values_table.py --write -->", "<!-- end of values -->"


def page(chart: str) -> str:
    """The README as it should be."""
    text = (CHARTS / chart / "README.md").read_text("utf-8")
    table = "\n".join([BEGIN, "", "| Value | Default | Meaning |", "|---|---|---|", *rows(chart), "", END])
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: table, text, flags=re.DOTALL)


def rows(chart: str) -> Iterator[str]:
    """One for each value that has no values in it."""
    for path, shape, default in leaves(chart):
        yield f"| `{path}` | {shown(shape, default)} | {shape['description'].replace('|', chr(92) + '|')} |"


def leaves(chart: str) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """(path, schema, default) of each; None where there is no default."""
    schema = json.loads((CHARTS / chart / "values.schema.json").read_text("utf-8"))
    values = yaml.safe_load((CHARTS / chart / "values.yaml").read_text("utf-8"))
    return _under("", schema, values, schema["$defs"])


def _under(
    path: str, shape: dict[str, Any], value: Any, shared: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any], Any]]:
    for name, stated in shape["properties"].items():
        inner = stated
        if "$ref" in stated:
            inner = {**shared[stated["$ref"].rpartition("/")[2]], **stated}
        at, default = f"{path}{name}", value.get(name) if isinstance(value, dict) else None
        if path == "" and name == "global":
            continue
        if inner.get("properties") and isinstance(default, dict) and default and not _is_reference(inner):
            yield from _under(f"{at}.", inner, default, shared)
        else:
            yield at, inner, default


def _is_reference(shape: dict[str, Any]) -> bool:
    """A Secret's key is one thing."""
    return set(shape["properties"]) in ({"name", "key"}, {"requests", "limits"}, {"to", "ports"})


def shown(shape: dict[str, Any], default: Any) -> str:
    """As one would write it."""
    if default is None:
        return "`null`" if "null" in shape.get("type", []) else "not set"
    return f"`{json.dumps(default, ensure_ascii=False)}`"


def main() -> int:
    """See the module."""
    stale = [
        chart
        for chart in ("muster", "muster-devinfra")
        if (CHARTS / chart / "README.md").read_text("utf-8") != page(chart)
    ]
    for chart in stale:
        if "--write" in sys.argv[1:]:
            (CHARTS / chart / "README.md").write_text(page(chart), "utf-8")
        else:
            print(f"charts/{chart}/README.md is stale: python tests/charts/values_table.py --write")
    return int(bool(stale) and "--write" not in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
