"""House linter: SQL has one home, common/store. A query elsewhere is one that no plan test and no reviewer of the
schema looks at.

`python tests/house/sql_home.py` prints `file:line: …` for each violation and exits with 1.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tree import PRODUCT, ROOT, python_files, strings

_SQL = re.compile(
    r"\bselect\b.+?\bfrom\b|\binsert\s+into\b|\bupdate\s+\S+\s+set\b|\bdelete\s+from\b|\btruncate\s+table\b"
    r"|\b(create|alter|drop)\s+(table|index|unique|database|schema|view)\b|\bfor\s+update\b|\block\s+table\b",
    re.IGNORECASE | re.DOTALL,
)
_HOMES = ("common/store/", "common/testing/", "/tests/")


def violations(path: Path) -> list[str]:
    """One line each."""
    place = path.as_posix()
    if any(home in place for home in _HOMES):
        return []
    found = strings(ast.parse(path.read_text("utf-8")))
    return [f"{place}:{line}: SQL outside common/store: {text[:40]!r}" for line, text in found if _SQL.search(text)]


def main() -> int:
    """Over the product's packages."""
    found = [each for path in python_files(*PRODUCT) for each in violations(path)]
    print(*(each.replace(f"{ROOT}/", "") for each in found), sep="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
