"""How far a broadcast is: figures from the API's document, and what its end means. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from muster_cli import figures
from muster_cli.errors import INCOMPLETE, OK
from muster_cli.revision import Revision

_ENDED: Final = frozenset({"done", "cancelled"})


@dataclass(frozen=True)
class Progress:
    """Numbers of groups."""

    broadcast_id: int
    state: str
    planned: bool
    total: int
    sent: int
    failed: int
    unknown: int
    cancelled: int
    expired: int
    sending: int
    rate: float  # sent a second, lately
    eta: int | None  # seconds
    eta_unheld: int | None  # of what has not to wait for a window, a flood or its bot
    pause_reason: str | None
    send_at: str
    held: str
    revised: tuple[Revision, ...]  # its recalls and edits, the newest first

    @classmethod
    def of(cls, document: dict[str, Any]) -> Progress:
        """From GET /api/broadcasts/ID."""
        by_state = document["deliveries"]
        return cls(
            broadcast_id=document["broadcast_id"],
            state=document["state"],
            planned=document["planned"],
            total=max(document["total"], sum(by_state.values())),
            sent=by_state.get("sent", 0),
            failed=by_state.get("failed", 0),
            unknown=by_state.get("unknown", 0),
            cancelled=by_state.get("cancelled", 0),
            expired=by_state.get("expired", 0),
            sending=by_state.get("sending", 0),
            rate=document["rate"],
            eta=document["eta_seconds"],
            eta_unheld=document.get("eta_unheld_seconds"),
            pause_reason=document["pause_reason"],
            send_at=document["send_at"],
            held=figures.held(document),
            revised=tuple(map(Revision.of, document["revisions"])),
        )

    @property
    def settled(self) -> int:
        """Of which the end is known, or known to be unknown."""
        return self.sent + self.failed + self.unknown + self.cancelled + self.expired

    @property
    def dropped(self) -> list[str]:
        """What was not tried to its end, by why; what did not happen is not said."""
        each = ((self.cancelled, "cancelled"), (self.expired, "expired"))
        return [f"{count:,} {name}" for count, name in each if count]

    @property
    def left(self) -> int:
        """Still to come."""
        return max(0, self.total - self.settled)

    @property
    def plan(self) -> str:
        """When it will be known how many there are, before which none is sent; nothing where it is."""
        if self.planned or self.state in _ENDED:
            return ""
        return "planned when it begins" if self.state == "scheduled" else "being planned"

    @property
    def sent_out(self) -> bool:
        """Nothing is sent any more; of a cancelled one, what was at Telegram already has come back."""
        return self.state in _ENDED and not self.sending

    @property
    def ended(self) -> bool:
        """Also its recall or edit; the newest, for it has taken the place of those before it."""
        return self.sent_out and all(each.finished for each in self.revised[:1])

    @property
    def recalled(self) -> bool:
        """Or about to be: nothing of it is sent again."""
        return any(each.kind == "recall" for each in self.revised)

    @property
    def exit_code(self) -> int:
        """Of an ended one: whether everybody has got it, as it was edited; of a recalled one, whether nobody has.

        Nobody is not everybody, for some were there to begin with.
        """
        everywhere = all(each.complete for each in self.revised[:1])
        everybody = self.recalled or (self.state == "done" and self.sent == self.total > 0)
        return OK if everywhere and everybody else INCOMPLETE

    @property
    def stage(self) -> tuple[object, ...]:
        """What a change of is said at once."""
        return self.state, [(each.revision_id, each.state) for each in self.revised[:1]]

    @property
    def standing(self) -> str:
        """The state, and what there is to say of it."""
        if self.pause_reason and (self.state == "paused" or self.wrong):
            return f"{self.state}: {self.pause_reason}"
        return f"scheduled for {figures.when(self.send_at)}" if self.state == "scheduled" else self.state

    @property
    def counts(self) -> str:
        """By end."""
        parts = [f"{self.sent:,} sent", f"{self.failed:,} failed", f"{self.unknown:,} unknown", *self.dropped]
        return ", ".join([*parts, f"{self.left:,} left"] if not self.sent_out else parts)

    @property
    def pace(self) -> str:
        """Rate and what is left of the time."""
        if self.state != "running":
            return ""
        return ", ".join([f"{self.rate:.1f}/s", *self._times])

    @property
    def _times(self) -> list[str]:
        """Of what goes on by itself, and of what is held with it."""
        first = self.eta_unheld if self.held else None
        times = {} if first is None else {first: f"{figures.span(first)} left"}
        if self.eta is not None:
            times.setdefault(self.eta, f"{figures.span(self.eta)} {'left' if first is None else 'with what waits'}")
        return list(times.values()) if self.left else []

    @property
    def line(self) -> str:
        """All of it."""
        groups = f"its groups are {self.plan}" if self.plan else f"{self.counts} of {self.total:,}"
        said = f"broadcast {self.broadcast_id} {self.standing}: {groups}"
        said = f"{said} ({self.pace})" if self.pace else said
        said = f"{said}; {self.held}" if self.held and not self.sent_out else said
        return "; ".join([said, *(each.line for each in self.revised[:1])])

    @property
    def wrong(self) -> bool:
        """Its content has paused it, and nobody has edited it since it is done."""
        paused = (self.pause_reason or "").startswith("content:")
        return paused and (self.state == "paused" or (self.state == "done" and not self.revised))

    @property
    def stuck(self) -> bool:
        """It waits for somebody to put its content right; one without anything left will be done."""
        return self.state == "paused" and self.wrong and self.left > 0

    @property
    def way_on(self) -> list[str]:
        """What one waits for that is paused, or that its content has ended."""
        number = self.broadcast_id
        mend = [f"muster broadcasts edit {number} (what is wrong with the message is said above)"] if self.wrong else []
        if self.state != "paused" or (self.wrong and not self.stuck):
            return mend
        return [*mend, f"muster broadcasts resume {number} (or cancel {number})"]

    def next_steps(self) -> list[str]:
        """What an operator does about a pause, or an end like this."""
        number, steps = self.broadcast_id, self.way_on
        if self.failed:
            steps.append(f"muster broadcasts deliveries {number} --state failed")
            if self.state != "cancelled" and not self.recalled and not self.expired:
                steps.append(f"muster broadcasts retry-failed {number} (for groups that can be sent to again)")
        if self.unknown:
            steps.append(f"muster broadcasts deliveries {number} --state unknown")
            resend = "" if self.recalled else " (or --resend)"
            steps.append(f"muster broadcasts resolve-unknown {number} --sent{resend}")
        look = f"muster broadcasts deliveries {number} --revision"
        return steps + [f"{look} {each.revision_id} --state failed" for each in self.revised[:1] if each.failed]
