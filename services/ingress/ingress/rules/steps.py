"""What can be done with a broadcast in which state, and what to do where it can't be. Pure."""

from __future__ import annotations

from typing import Final

_OPEN: Final = ["running", "paused", "done"]
_STILL: Final = ["paused", "cancelled", "done"]
POSSIBLE_IN: Final = {
    "pause": ["planning", "running"],
    "resume": ["paused"],
    "cancel": ["scheduled", "planning", "running", "paused"],
    "retry_failed": _OPEN,
    "resolve_unknown": _OPEN,
    "recall": _STILL,
    "edit_all": _STILL,
}
_AGAIN: Final = {"retry_failed", "resolve_unknown"}
_ANEW: Final = "send it anew"


def why_not(verb: str, state: str, *, expired: bool = False, recalled: bool = False) -> str | None:
    """What the broadcast "is" or "was"; None where it can be done."""
    if state not in POSSIBLE_IN[verb]:
        *others, last = POSSIBLE_IN[verb]
        states = f"{', '.join(others)} or {last}" if others else last
        return f"is {state}: {_instead(verb, state)} ({verb} is for one that is {states})"
    if recalled and verb in {*_AGAIN, "edit_all"}:
        return f"was recalled: {_ANEW}"
    if expired and verb in _AGAIN:
        return f"has outlived its time to live: {_ANEW}"
    return None


def _instead(verb: str, state: str) -> str:
    match verb, state:
        case ("pause", "paused") | ("cancel", "cancelled"):
            return "nothing is to be done"
        case "resume", "planning" | "running":
            return "it goes on by itself"
        case (("recall" | "edit_all"), "planning" | "running"):
            return "pause or cancel it first"
        case "recall", "scheduled":
            return "nothing of it is sent, cancel it"
        case _, "scheduled":
            return f"cancel it, and {_ANEW}"
        case _, "planning":
            return "wait until it runs"
        case _, "done":
            return "recall deletes what it has sent, retry_failed sends again what failed"
        case _:
            return _ANEW
