"""What is wrong with a request that is not valid: where, by the request's own names, and in words; never its input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ingress.rules import shapes

_MOST: Final = 20  # places that are named
_DATE: Final = "must be a date and time with its offset, like 2026-12-01T09:00:00+01:00"
_NUMBER, _WHOLE, _BOOLEAN, _OBJECT = (
    "must be a number",
    "must be a whole number",
    "must be true or false",
    "must be an object",
)
_WORDS: Final = {  # by pydantic's type of error, filled with its context
    "bool_parsing": _BOOLEAN,
    "bool_type": _BOOLEAN,
    "datetime_from_date_parsing": _DATE,
    "datetime_parsing": _DATE,
    "dict_type": _OBJECT,
    "extra_forbidden": "is not known here",
    "finite_number": _NUMBER,
    "float_type": _NUMBER,
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": "is too large a number",
    "int_type": _WHOLE,
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "is missing",
    "model_attributes_type": _OBJECT,
    "model_type": _OBJECT,
    "none_required": "must be null",
    "string_too_long": "is longer than {max_length} characters",
    "string_too_short": "is shorter than {min_length} characters",
    "string_type": "must be text",
    "string_unicode": "has half of a surrogate pair, which is no character",
    "time_parsing": "must be a time of day, like 09:00",
    "timezone_aware": _DATE,
    "too_long": "is longer than {max_length}",
    "too_short": "is shorter than {min_length}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "is missing",
}


class Misfit(ValueError):  # noqa: N818 (what it says)
    """Of one field, where it takes others to see it."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(what)
        self.field = field


def places(errors: Iterable[Mapping[str, Any]], body: object) -> list[dict[str, str]]:
    """As problems have them, each place once."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for error in errors:
        found.setdefault((str(error["loc"][0]), _at(error, body)), []).append(error)
    return [{"in": within, "at": at, "what": _what(these)} for (within, at), these in list(found.items())[:_MOST]]


def _at(error: Mapping[str, Any], body: object) -> str:
    """Pydantic's locations also name the member of a union, or `[key]`: what the body does not have is left out."""
    within, *steps = error["loc"]
    here: Any = body if within == "body" else dict.fromkeys(steps)
    path, tagged = list[str](), False
    for step in steps:
        if isinstance(here, dict) and here.get("type") == step and not tagged:
            tagged = True
        elif _has(here, step) or (error["type"] == "missing" and step == steps[-1]):
            path.append(str(step)[:64])
            here, tagged = here[step] if _has(here, step) else None, False
    return ".".join(path + _own(error))


def _has(here: Any, step: object) -> bool:
    if isinstance(here, list):
        return isinstance(step, int) and step < len(here)
    return isinstance(here, dict) and step in here


def _own(error: Mapping[str, Any]) -> list[str]:
    """The field that the error itself names."""
    context = error.get("ctx") or {}
    if str(error["type"]).startswith("union_tag_"):
        return [str(context["discriminator"]).strip("'")]
    cause = context.get("error")
    return [cause.field] if isinstance(cause, Misfit) else []


def _what(errors: Iterable[Mapping[str, Any]]) -> str:
    """A value that no member of a union takes has an error of each: the one that looked into it tells most."""
    words = list(dict.fromkeys(_words(error) for error in errors if not str(error["type"]).endswith("_type")))
    return words[0] if words else " or ".join(dict.fromkeys(_words(error) for error in errors))


def _words(error: Mapping[str, Any]) -> str:
    kind, context = str(error["type"]), error.get("ctx") or {}
    if kind == "json_invalid":
        return f"is not JSON (character {error['loc'][-1]})"
    if kind == "model_attributes_type" and len(error["loc"]) == 1:
        return "must be a JSON object, sent as application/json"
    if kind.endswith("too_short") and context["min_length"] == 1:
        return "is empty"
    if kind == "string_pattern_mismatch":
        return shapes.WORDS[context["pattern"]]
    if kind in _WORDS:
        return _WORDS[kind].format_map(context)
    return str(error["msg"]).removeprefix("Value error, ")
