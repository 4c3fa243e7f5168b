"""docs/settings.md lists every setting of every service, with its default and who reads it, and nothing else."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

from common.settings import Settings
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
SERVICES = ("ingress", "tgms", "sender", "dm")
ROW = re.compile(r"^\| `([A-Z_]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def test_the_page_and_the_classes_agree() -> None:
    documented = {name: (written, readers) for name, written, _, readers in rows()}
    assert documented == {name: (default(values), ", ".join(values)) for name, values in read_by().items()}


def test_every_variable_is_explained_once() -> None:
    names = [name for name, *_ in rows()]
    assert len(names) == len(set(names))
    assert all(len(meaning.split()) >= 3 for _, _, meaning, _ in rows())


def rows() -> list[tuple[str, str, str, str]]:
    found = ROW.findall(PAGE.read_text("utf-8"))
    return [(name, default.strip(), meaning.strip(), readers.strip()) for name, default, meaning, readers in found]


def read_by() -> dict[str, dict[str, str]]:
    """Variable to service to default, as the classes say."""
    found: dict[str, dict[str, str]] = {}
    for service in SERVICES:
        for each in classes(service):
            for name, field in each.model_fields.items():
                found.setdefault(variable(each, name, field), {})[service] = shown(field)
    return found


def classes(service: str) -> list[type[Settings]]:
    module = importlib.import_module(f"{service}.settings")
    return [
        each
        for _, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, Settings) and each.__module__ == module.__name__
    ]


def variable(settings: type[Settings], name: str, field: FieldInfo) -> str:
    if isinstance(field.validation_alias, AliasChoices):
        return str(field.validation_alias.choices[0])
    return f"{settings.model_config.get('env_prefix', '')}{name}".upper()


def shown(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    return f"`{field.default:g}`" if isinstance(field.default, float) else f"`{field.default}`"


def default(values: dict[str, str]) -> str:
    """The common one, and who has another: `10` (ingress: `5`)."""
    usual = max(values.values(), key=list(values.values()).count)
    others = [f"{service}: {value}" for service, value in values.items() if value != usual]
    return f"{usual} ({', '.join(others)})" if others else usual
