"""A message's variables against the groups that it reaches: a value that nobody has is a slip of the hand."""

from __future__ import annotations

from typing import Any

from common.errors import AppError
from common.store import audience, revisions
from common.store.broadcasts import Targets
from common.store.pool import Tx

from ingress.rules import markup


async def check(tx: Tx, content: dict[str, Any], targets: Targets, reached: int) -> dict[str, int]:
    """By variable, how many of the `reached` groups get nothing in its place; AppError where all of them would."""
    names = markup.variables(content["params"])
    blanks = await audience.without_value(tx, targets, names) if names and reached else {}
    _refuse([name for name, groups in blanks.items() if groups >= reached])
    return blanks


async def check_edit(tx: Tx, call: dict[str, Any], broadcast_id: int) -> None:
    """AppError as `check`, by the groups that got the broadcast or still will."""
    if names := markup.variables(call["params"]):
        _refuse(await revisions.without_value(tx, broadcast_id, names))


def _refuse(unknown: list[str]) -> None:
    if unknown:
        shown = ", ".join(f"{{{{{name}}}}}" for name in unknown)
        raise AppError(
            "unknown_variable", 422, f"no group that this reaches has a value for {shown}", variables=unknown
        )
