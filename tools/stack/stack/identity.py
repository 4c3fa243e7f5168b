"""Who a process is: a pid alone may belong to a stranger tomorrow, a pid with its start time can't."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Identity:
    """One process, once: the kernel's clock ticks at its start tell it from a later owner of the pid."""

    pid: int
    started: int  # clock ticks since boot

    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        return identify(self.pid) == self


def identify(pid: int) -> Identity | None:
    """The living process with that pid, if there is one."""
    fields = _stat(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return Identity(pid, int(fields[19]))


def identify_child(pid: int) -> Identity:
    """A child of ours that was not waited for: it may have ended, but its pid is nobody else's yet."""
    fields = _stat(pid)
    if fields is None:
        raise ProcessLookupError(pid)
    return Identity(pid, int(fields[19]))


def descendants(pid: int) -> list[int]:
    """Every pid below that one, parents before children, whatever process group they moved to."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(folder.name))
        if fields is not None:
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found: list[int] = []
    level = children.get(pid, [])
    while level:
        found += level
        level = [grandchild for child in level for grandchild in children.get(child, [])]
    return found


def _stat(pid: int) -> list[str] | None:
    """The fields after the command's name, which may itself hold spaces and brackets: state, parent, …"""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, ValueError):
        return None
    return text[text.rindex(")") + 2 :].split()
