"""The first message through the whole system: the proof that it works, and its trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stack.errors import StackError
from stack.spans import Span, services, whole
from stack.system import System
from stack.telegram import Reply

WAY: Final = frozenset({"ingress", "dm"})  # the services that an answered private message passes
QUIET: Final = 0.5  # seconds without news: more than two of the exporters' intervals
PERSON: Final = "Ada"


@dataclass(frozen=True)
class FirstMessage:
    """What came of it."""

    reply: Reply
    trace: Sequence[Span]

    @property
    def line(self) -> str:
        """All of it in one line."""
        spans, count = len(self.trace), len(services(self.trace))
        trace_id = self.trace[0].trace_id
        return (
            f"answered in {self.reply.milliseconds:.0f} ms, trace {trace_id} with {spans} spans over {count} services"
        )


def first_message(system: System) -> FirstMessage:
    """Write `/start` to the demo's bot, wait for its answer and for the whole trace."""
    if system.simulator is None:
        raise StackError("only a simulated person can be made to write")
    bot, person = int(system.bot["id"]), system.simulator.user(PERSON)
    reply = system.simulator.ask(bot, person, "/start")
    trace = system.book.wait(answered, timeout=15, quiet=QUIET)
    if trace is None:
        raise StackError("the answer came, but no whole trace of it", hint="make logs shows what the services say")
    return FirstMessage(reply, trace)


def answered(spans: Sequence[Span]) -> bool:
    """Whether that is the whole trace of a private message that was answered."""
    return services(spans) >= WAY and whole(spans) and any("sendMessage" in span.name for span in spans)
