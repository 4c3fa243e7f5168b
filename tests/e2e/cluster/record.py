"""What a run measured, as JSON files that docs/cluster.md quotes."""

from __future__ import annotations

import json
import sys
from typing import Any

from .site import figures_folder


def record(name: str, figures: Any) -> None:
    """One file a name; the last run's stands."""
    text = json.dumps(figures, indent=2, default=str)
    (figures_folder() / f"{name}.json").write_text(text + "\n")
    sys.stdout.write(f"{name}: {text}\n")
