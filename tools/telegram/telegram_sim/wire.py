"""JSON as it goes over the wire."""

from __future__ import annotations

import json
from typing import Any


def to_json(value: Any) -> bytes:
    """UTF-8 that escapes no more than it must: a lone surrogate becomes its JSON escape, which is valid again."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
