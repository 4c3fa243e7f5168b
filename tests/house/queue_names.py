"""House linter: a queue's name is spelled in common/queues.py alone. A second spelling is a second queue one day.

`python tests/house/queue_names.py` prints `file:line: …` for each violation and exits with 1.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from common.queues import ALL_QUEUES

sys.path.insert(0, str(Path(__file__).parent))

from tree import PRODUCT, ROOT, python_files, strings

_NAME = re.compile("|".join(rf"(?<!\w){re.escape(queue.name)}(?!\w)" for queue in ALL_QUEUES))
_HOMES = ("common/queues.py", "common/testing/", "/tests/")


def violations(path: Path) -> list[str]:
    """One line each."""
    place = path.as_posix()
    if any(home in place for home in _HOMES):
        return []
    found = strings(ast.parse(path.read_text("utf-8")))
    return [f"{place}:{line}: a queue's name outside common/queues.py" for line, text in found if _NAME.search(text)]


def main() -> int:
    """Over the product's packages."""
    found = [each for path in python_files(*PRODUCT) for each in violations(path)]
    print(*(each.replace(f"{ROOT}/", "") for each in found), sep="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
