"""docs/map.md, "where does X live": one line a module, from the modules' own docstrings.

`python tests/house/docs_map.py --write` renews it; without the option it exits with 1 where the page is stale.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tree import ROOT, python_files

PAGE = ROOT / "docs" / "map.md"
PACKAGES = (
    ("libs/common/common", "common", "what the services share"),
    ("services/ingress/ingress", "ingress", "the door"),
    ("services/tgms/tgms", "tgms", "the brain"),
    ("services/sender/sender", "sender", "the hands"),
    ("services/dm/dm", "dm", "the voice"),
    ("tools/cli/muster_cli", "muster_cli", "the operators' command line"),
    ("tools/telegram/telegram_sim", "telegram_sim", "the simulated Telegram"),
    ("tools/stack/stack", "stack", "make up, make test and the servers under them"),
    ("tools/dashboards/dashboards", "dashboards", "Grafana's dashboards as code"),
    ("tools/faults/faults", "faults", "the fault battery"),
    ("bench", "bench", "the benches"),
)
_INTRO = """# Where does X live?

One line a module, the first sentence of its own docstring. Written by `python tests/house/docs_map.py --write`;
a test fails when it is stale.
"""


def page() -> str:
    """As it should be."""
    return "\n".join([_INTRO, *(_section(*package) for package in PACKAGES if (ROOT / package[0]).exists())])


def purpose(path: Path) -> str | None:
    """A module's first sentence; None for one that is empty."""
    source = path.read_text("utf-8")
    text = ast.get_docstring(ast.parse(source)) or ("" if source.strip() else None)
    if text is None:
        return None
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`])", paragraph)[0]


def _section(folder: str, name: str, what: str) -> str:
    lines = [f"## {name}: {what}", "", "| module | |", "|---|---|"]
    for path in python_files(folder):
        said = purpose(path)
        if said is not None and "tests" not in path.relative_to(ROOT / folder).parts:
            place = path.relative_to(ROOT)
            lines.append(f"| [{path.relative_to(ROOT / folder)}](../{place}) | {said.replace('|', chr(92) + '|')} |")
    return "\n".join([*lines, ""])


def main() -> int:
    """See the module."""
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page(), "utf-8")
        return 0
    stale = not PAGE.exists() or PAGE.read_text("utf-8") != page()
    if stale:
        print("docs/map.md is stale: python tests/house/docs_map.py --write")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
