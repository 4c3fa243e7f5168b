"""Bodies that no Telegram sends: each with what may become of it. Pure; the seed decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, TypeAlias

Fate: TypeAlias = Literal["quarantine", "ignored", "refused", "any"]
_MAX = 1024 * 1024  # bytes, the webhook's limit
_KINDS = (
    "message",
    "edited_message",
    "callback_query",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "message_reaction",
)
_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    10**20,
    -(10**20),
    2**63,
    "",
    "x",
    "\u0000",
    [],
    [[]],
    {},
    {"id": None},
)


def _message(rng: Random, **changes: Any) -> dict[str, Any]:
    """Of one of many people: one person's updates would wait for each other."""
    user_id = 4_000_000 + rng.randrange(2_000)
    return {
        "message_id": 7,
        "date": 1_700_000_000,
        "chat": {"id": user_id, "type": "private", "first_name": "Poison"},
        "from": {"id": user_id, "is_bot": False, "first_name": "Poison", "language_code": "en"},
        "text": "hello",
        **changes,
    }


@dataclass(frozen=True)
class Body:
    """`fate`: kept in quarantine, ignored, refused with 413, or any end that leaves a trace."""

    sort: str
    data: bytes
    fate: Fate
    update_id: int | None = None


def bodies(count: int, rng: Random, first_update_id: int) -> Iterator[Body]:
    """All sorts in turn, each body another one."""
    for nth in range(count):
        make = _SORTS[nth % len(_SORTS)]
        yield make(rng, first_update_id + nth)


def _random_bytes(rng: Random, _: int) -> Body:
    return Body("random bytes", b"\xff" + rng.randbytes(rng.randrange(8, 2000)), "quarantine")


def _truncated(rng: Random, update_id: int) -> Body:
    whole = _dump({"update_id": update_id, "message": _message(rng)})
    return Body("truncated", whole[: rng.randrange(20, len(whole) - 1)], "quarantine")


def _not_an_object(rng: Random, update_id: int) -> Body:
    return Body("no object", _dump(rng.choice([[update_id], str(update_id), update_id + 0.5])), "quarantine")


def _deep(rng: Random, update_id: int) -> Body:
    depth = rng.randrange(2_000, 50_000)
    open_, close = rng.choice([("[", "]"), ('{"a":', "}")])
    return Body("deep", f'{{"update_id":{update_id},"x":{open_ * depth}1{close * depth}}}'.encode(), "quarantine")


def _shallow(rng: Random, update_id: int) -> Body:
    depth = rng.randrange(5, 150)
    message = _message(rng, extra=json.loads("[" * depth + "]" * depth))
    return Body("nested", _dump({"update_id": update_id, "message": message}), "any", update_id)


def _nul(rng: Random, update_id: int) -> Body:
    message = _message(rng, **{rng.choice(["text", "caption", "author_signature"]): "a\u0000b"})
    message["from"] |= {"first_name": "\u0000"}
    return Body("NUL", _dump({"update_id": update_id, "message": message}), "any", update_id)


def _raw_nul(_: Random, update_id: int) -> Body:
    return Body("raw NUL", b'{"update_id":%d,"message":{"text":"\x00"}}' % update_id, "quarantine")


def _surrogate(rng: Random, update_id: int) -> Body:
    half = rng.choice([r"\ud800", r"\udfff", r"\ud83d\ud83d"])
    text = _dump({"update_id": update_id, "message": _message(rng)}).decode().replace("hello", half)
    return Body("surrogate", text.encode(), "any", update_id)


def _nan(rng: Random, update_id: int) -> Body:
    word = rng.choice(["NaN", "Infinity", "-Infinity"])
    return Body("NaN", f'{{"update_id":{update_id},"message":{{"date":{word}}}}}'.encode(), "quarantine")


def _huge_id(rng: Random, update_id: int) -> Body:
    huge = rng.choice([10**20, -(10**20), 2**63, 10**300])
    if rng.random() < 0.5:
        return Body(
            "huge update_id", _dump({"update_id": huge, "message": _message(rng, date=update_id)}), "quarantine"
        )
    message = _message(rng, chat={"id": huge, "type": "private"}) | {"from": {"id": huge}}
    return Body("huge user id", _dump({"update_id": update_id, "message": message}), "quarantine")


def _unknown_kind(rng: Random, update_id: int) -> Body:
    return Body(
        "unknown kind", _dump({"update_id": update_id, f"kind_{rng.randrange(10**6)}": _message(rng)}), "ignored"
    )


def _wrong_types(rng: Random, update_id: int) -> Body:
    message = _message(rng)
    message[rng.choice(list(message))] = rng.choice(_ODD)
    return Body("wrong types", _dump({"update_id": update_id, "message": message}), "any", update_id)


def _wrong_kind(rng: Random, update_id: int) -> Body:
    return Body("wrong kind", _dump({"update_id": update_id, rng.choice(_KINDS): rng.choice(_ODD)}), "any", update_id)


def _mixed_up(rng: Random, update_id: int) -> Body:
    payload = _message(rng, message=_message(rng), data=rng.choice(_ODD), new_chat_member=rng.choice(_ODD), id="1")
    return Body("mixed up", _dump({"update_id": update_id, rng.choice(_KINDS): payload}), "any", update_id)


def _large(rng: Random, update_id: int) -> Body:
    message = _message(rng, text="x" * rng.randrange(100_000, 400_000))
    return Body("large", _dump({"update_id": update_id, "message": message}), "any", update_id)


def _oversized(rng: Random, update_id: int) -> Body:
    message = _message(rng, text="x" * (_MAX + rng.randrange(1, 500_000)))
    return Body("oversized", _dump({"update_id": update_id, "message": message}), "refused")


def _dump(value: object) -> bytes:
    return json.dumps(value).encode()


_COMMON = (
    _random_bytes, _truncated, _not_an_object, _shallow, _nul, _raw_nul, _surrogate, _nan, _huge_id,
    _unknown_kind, _wrong_types, _wrong_kind, _mixed_up,
)  # fmt: skip
# Large ones are dear: one of each in about a hundred.
_SORTS = (*_COMMON * 7, _deep, _large, _oversized)
