"""`python -m dashboards`: writes charts/muster/dashboards; with --check it only says which files are stale."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from dashboards import ALL

FOLDER: Final = Path(__file__).parents[3] / "charts" / "muster" / "dashboards"


def stale(folder: Path = FOLDER) -> list[str]:
    """Files that are missing, differ, or belong to no dashboard."""
    wanted = {dashboard.file: dashboard.text() for dashboard in ALL}
    found = {path.name: path.read_text("utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))


def write(folder: Path = FOLDER) -> None:
    """All of them, and nothing else is left."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale(folder):
        (folder / name).unlink(missing_ok=True)
    for dashboard in ALL:
        (folder / dashboard.file).write_text(dashboard.text(), "utf-8")


def main() -> int:
    """As a script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a file is stale")
    if not parser.parse_args().check:
        write()
        return 0
    old = stale()
    print(f"stale: {', '.join(old)}; run python -m dashboards" if old else "the dashboards are fresh")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
