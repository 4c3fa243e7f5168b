"""docs/problems.md lists every code that the API answers with, its statuses, and nothing else."""

from __future__ import annotations

import ast
import re

from .tree import ROOT, python_files

PAGE = ROOT / "docs" / "problems.md"
ROW = re.compile(r"^\| `([a-z_]+)` \| ([0-9, ]+) \|", re.MULTILINE)
FRAMEWORK = {"bad_request": {400}, "method_not_allowed": {405}, "not_found": {404}}  # named after the status


def test_the_page_and_the_code_agree() -> None:
    written = {
        code: {int(status) for status in statuses.split(",")} for code, statuses in ROW.findall(PAGE.read_text())
    }
    assert written == raised() | FRAMEWORK


def raised() -> dict[str, set[int]]:
    """Code to statuses, of what is said outright."""
    found: dict[str, set[int]] = {}
    for path in python_files("services/ingress/ingress", "libs/common/common"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(ast.Name("AppError"), [ast.Constant(str(code)), ast.Constant(int(status)), *_]):
                    found.setdefault(code, set()).add(status)
    return found
