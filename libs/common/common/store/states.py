"""How a statement that has its rows' keys asks for their state."""

from __future__ import annotations


def state_of(alias: str) -> str:
    """The state of that row, as no index of the rows in one state can be asked for it.

    How many rows wait changes within seconds, and what the planner knows of it is minutes old. Where it believes that
    none do, it would read the whole index of those that wait to find the few whose keys it has.
    """
    return f"({alias}.state || '')"
