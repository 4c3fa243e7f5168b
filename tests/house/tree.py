"""The repository's own Python files, by part."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("libs", "services")
EVERYTHING = (*PRODUCT, "tools", "tests", "bench")
_NOT_OURS = {"node_modules", "__pycache__", "build"}


def python_files(*parts: str, root: Path = ROOT) -> Iterator[Path]:
    """Ours, sorted."""
    for part in parts:
        for path in sorted((root / part).rglob("*.py")):
            names = path.relative_to(root).parts
            if not any(name in _NOT_OURS or name.startswith(".") for name in names):
                yield path


def strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, text) of each literal that is no docstring; an f-string is one text, its values are `{}`."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(node.value)
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            skipped.update(part for part in node.values if isinstance(part, ast.Constant))
            yield node.lineno, "".join(str(part) for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            yield node.lineno, node.value
