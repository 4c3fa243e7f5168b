"""Judges broadcasts: what the simulated Telegram saw is compared with what the ledger says. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

OPEN = frozenset({"pending", "slotted", "sending"})
NOT_DELIVERED = frozenset({"failed", "cancelled", "expired"})
# What a caller can't know the end of: an answer that is none, or one that says nothing certain.
AMBIGUOUS = frozenset(
    {"http_500", "restart_500", "http_502_html", "timeout_before", "timeout_after", "reset", "cut", "garbage"}
)
KNOWN_ENDS: Mapping[str | None, str] = {None: "sent", "unknown_fields": "sent", "sent_deleted": "sent"}
BOT_WIDE = 60.0  # seconds: a retry_after from here on speaks of the whole bot
CHATS, TOGETHER = 3, 4.0  # chats refused within these seconds speak of their bot: the product says five, we are sure
UNDER_WAY = 1.0  # seconds: requests that other processes had begun when a bot's first 429 came
_SHOWN = 20  # violations of one sort that are spelled out

Target = tuple[int, int]  # a broadcast's number and a chat


@dataclass(frozen=True, slots=True)
class Arrival:
    """One sendMessage that reached Telegram: `number` is the broadcast's in its text, `retry_after` that of a 429."""

    at: float
    bot_id: int
    chat_id: int
    number: int | None
    delivered: bool
    fault: str | None = None
    retry_after: float | None = None

    @property
    def target(self) -> Target | None:
        """None for a message that no broadcast of the run has."""
        return None if self.number is None else (self.number, self.chat_id)


@dataclass(frozen=True, slots=True)
class Row:
    """What the ledger says of one delivery."""

    delivery_id: int
    number: int
    chat_id: int
    state: str
    reason: str | None = None

    @property
    def target(self) -> Target:
        """Whom it is for."""
        return self.number, self.chat_id


@dataclass(frozen=True)
class Sendings:
    """All of a run's broadcasts, in `report` mode: one copy at most, and what is not known is said to be so."""

    targets: Mapping[int, frozenset[int]]  # the broadcast's number, its chats
    rows: Sequence[Row]
    arrivals: Sequence[Arrival]
    doubtful: frozenset[int] = frozenset()  # deliveries that had their intent in a process when that was killed
    held: int = 0  # slots and turns that somebody still holds at the end


@dataclass(frozen=True)
class Audit:
    """The counts, and every broken promise in words."""

    counts: Mapping[str, int]
    violations: list[str] = field(default_factory=list)


def audit(found: Sendings) -> Audit:
    """The five ends together are the targets; nothing outside, nothing twice, nothing denied that was delivered."""
    wanted = {(number, chat) for number, chats in found.targets.items() for chat in chats}
    copies = Counter(each.target for each in found.arrivals if each.delivered)
    rows = {row.target: row for row in found.rows}
    broken: list[str] = []

    def name(what: str, targets: Iterable[object]) -> int:
        spelled = [f"{what}: {each}" for each in sorted(targets, key=str)]
        broken.extend(spelled[:_SHOWN])
        broken.extend([f"… and {len(spelled) - _SHOWN} more of these"] if len(spelled) > _SHOWN else [])
        return len(spelled)

    states = Counter(row.state for row in found.rows)
    counts = {
        "targets": len(wanted),
        **{state: states[state] for state in ("sent", "failed", "unknown", "cancelled", "expired")},
        "unknown_delivered": sum(row.state == "unknown" and copies[row.target] > 0 for row in found.rows),
        "lost": name("lost: no row and no message", [t for t in wanted if t not in rows and not copies[t]])
        + name("lost: `sent`, and never delivered", _where(found, lambda row: row.state == "sent", copies, 0)),
        "unreported": name("unreported: delivered, and without a row", [t for t in wanted - rows.keys() if copies[t]])
        + name("unreported: left open", [f"{row.target} {row.state}" for row in found.rows if row.state in OPEN]),
        "doubled": name("doubled", [each for each, count in copies.items() if count > 1]),
        "twice_in_the_ledger": name("two rows", [t for t, n in Counter(r.target for r in found.rows).items() if n > 1]),
        "outside": name("sent to nobody's target", [str(each) for each in copies if each not in wanted])
        + name("a row outside the targets", [row.target for row in found.rows if row.target not in wanted]),
        "denied": name("denied, and delivered", _where(found, lambda row: row.state in NOT_DELIVERED, copies, 1)),
        "unexplained": name("unknown, and nothing made it so", _unexplained(found)),
        "too_early": name("before its retry_after was over", too_early(found.arrivals)),
        "held": found.held,
    }
    if found.held:
        broken.append(f"{found.held} slots and turns are still held")
    return Audit(counts, broken)


def _where(
    found: Sendings, fits: Callable[[Row], bool], copies: Mapping[Target | None, int], delivered: int
) -> list[Target]:
    return [row.target for row in found.rows if fits(row) and min(1, copies.get(row.target, 0)) == delivered]


def _unexplained(found: Sendings) -> list[Target]:
    """At most what had its intent at a kill, and what got no certain answer."""
    unclear = {each.target for each in found.arrivals if each.fault in AMBIGUOUS}
    return [
        row.target
        for row in found.rows
        if row.state == "unknown" and row.delivery_id not in found.doubtful and row.target not in unclear
    ]


def too_early(arrivals: Sequence[Arrival]) -> list[str]:
    """Requests to a chat, or of a bot, that Telegram had asked to wait for longer."""
    closed: dict[tuple[int, int | None], tuple[float, float]] = {}  # since when, until when
    refused: dict[int, list[Arrival]] = {}
    found = []
    for each in sorted(arrivals, key=lambda arrival: arrival.at):
        for key, grace in (((each.bot_id, None), UNDER_WAY), ((each.bot_id, each.chat_id), 0.0)):
            since, until = closed.get(key, (0.0, 0.0))
            if since + grace < each.at < until:
                found.append(f"bot {each.bot_id}, chat {each.chat_id}, {until - each.at:.2f} s too early")
                break
        for whom, wait in _closes(each, refused):
            since, until = closed.get(whom, (each.at, 0.0))
            closed[whom] = (since if each.at < until else each.at, max(until, each.at + wait))
    return found


def _closes(each: Arrival, refused: dict[int, list[Arrival]]) -> Iterator[tuple[tuple[int, int | None], float]]:
    """What a 429 closes, and for how long; `refused` has each bot's before it."""
    if each.retry_after is None:
        return
    if each.retry_after < BOT_WIDE:
        yield (each.bot_id, each.chat_id), each.retry_after
        near = [other for other in refused.get(each.bot_id, []) if each.at - other.at <= TOGETHER]
        refused[each.bot_id] = [*near, each]
        if len({other.chat_id for other in refused[each.bot_id]}) < CHATS:
            return
    waits = [other.at + (other.retry_after or 0.0) - each.at for other in refused.pop(each.bot_id, [each])]
    yield (each.bot_id, None), max([*waits, each.retry_after])


def misjudged(found: Sendings) -> list[str]:
    """Deliveries whose state is not what their last answer means (telegram.md: what a send can end in)."""
    last: dict[Target | None, Arrival] = {}
    for each in sorted(found.arrivals, key=lambda arrival: arrival.at):
        last[each.target] = each
    wrong = Counter[str]()
    for row in found.rows:
        answer = last.get(row.target)
        if answer is not None and answer.retry_after is None:
            meant = "unknown" if answer.fault in AMBIGUOUS else KNOWN_ENDS.get(answer.fault, row.state)
            wrong[f"{answer.fault} ended as {row.state}"] += row.state != meant
    return [f"{count} times {what}" for what, count in wrong.items() if count]


def longest_gap(arrivals: Sequence[Arrival], start: float, end: float) -> float:
    """The longest time without any request, of what touches that span."""
    times = sorted(each.at for each in arrivals)
    return max((after - before for before, after in pairwise(times) if before < end and after > start), default=0.0)


def resumed(arrivals: Sequence[Arrival], back: float) -> float | None:
    """Seconds from then to the next request."""
    return min((each.at - back for each in arrivals if each.at >= back), default=None)


def rates_between(arrivals: Sequence[Arrival], start: float, end: float) -> dict[int, float]:
    """Messages a second, by bot."""
    counts: dict[int, int] = defaultdict(int)
    for each in arrivals:
        counts[each.bot_id] += each.delivered and start <= each.at < end
    return {bot: count / (end - start) for bot, count in counts.items()}
