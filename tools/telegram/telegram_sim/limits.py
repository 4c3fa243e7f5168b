"""Rate limits with sliding windows, as core.telegram.org/bots/faq and those who measured Telegram report them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

MODES = frozenset({"off", "strict", "penalty"})
SWEEP_AT = 50_000  # windows at least, after which the empty ones are dropped


@dataclass(frozen=True)
class LimitSettings:
    """How many messages pass, and what a 429 costs."""

    mode: str = "off"
    per_bot: float = 30  # a second
    per_chat: float = 1  # a second
    per_group_minute: float = 20
    penalty: float = 3.0  # seconds that a lane stays shut after each 429


class SlidingWindow:
    """At most `most` events in any `span` seconds."""

    def __init__(self, span: float) -> None:
        self.span = span
        self.times: deque[float] = deque()
        self.shut_until = 0.0

    def wait(self, now: float, most: float, weight: int) -> float:
        """Seconds until `weight` more events fit; an empty window takes even what is too heavy for it."""
        self.forget(now)
        shut = max(self.shut_until - now, 0.0)
        surplus = len(self.times) + weight - most
        if surplus <= 0 or not self.times:
            return shut
        last_in_the_way = self.times[min(math.ceil(surplus), len(self.times)) - 1]
        return max(shut, last_in_the_way + self.span - now)

    def take(self, now: float, weight: int) -> None:
        """Counts events."""
        self.times.extend([now] * weight)

    def forget(self, now: float) -> None:
        """Drops what left the window."""
        while self.times and self.times[0] <= now - self.span:
            self.times.popleft()

    def idle(self, now: float) -> bool:
        """True when the window holds nothing worth remembering."""
        self.forget(now)
        return not self.times and self.shut_until <= now


@dataclass(frozen=True)
class Send:
    """What a call counts as."""

    bot_id: int
    chat_id: int | str
    weight: int = 1

    @property
    def to_group(self) -> bool:
        """Groups have negative ids, public chats a name."""
        return isinstance(self.chat_id, str) or self.chat_id < 0


class Limiter:
    """All windows of all bots."""

    def __init__(self, settings: LimitSettings) -> None:
        self.settings = settings
        self.windows: dict[Hashable, SlidingWindow] = {}
        self.sweep_at = SWEEP_AT

    def admit(self, send: Send, *, now: float) -> int:
        """0 when the send passes and is counted, else the retry_after to answer."""
        if self.settings.mode == "off":
            return 0
        lanes = self.lanes(send, now=now)
        full = [(window, wait) for window, most in lanes if (wait := window.wait(now, most, send.weight)) > 0]
        if not full:
            for window, _ in lanes:
                window.take(now, send.weight)
            return 0
        if self.settings.mode == "penalty":
            for window, _ in full:
                window.shut_until = now + self.settings.penalty
            return max(1, math.ceil(max(self.settings.penalty, *(wait for _, wait in full))))
        return max(1, math.ceil(max(wait for _, wait in full)))

    def lanes(self, send: Send, *, now: float) -> list[tuple[SlidingWindow, float]]:
        """The windows a send must fit into: what is done to a message later shares them with new ones."""
        key = (send.bot_id, send.chat_id)
        found = [
            (self.window(("bot", send.bot_id), 1, now=now), self.settings.per_bot),
            (self.window(("chat", *key), 1, now=now), self.settings.per_chat),
        ]
        if send.to_group:
            found.append((self.window(("group", *key), 60, now=now), self.settings.per_group_minute))
        return found

    def window(self, key: Hashable, span: float, *, now: float) -> SlidingWindow:
        """The window of a lane; many idle ones are swept on the way."""
        if key not in self.windows:
            if len(self.windows) >= self.sweep_at:
                self.windows = {name: window for name, window in self.windows.items() if not window.idle(now)}
                self.sweep_at = max(SWEEP_AT, 2 * len(self.windows))  # or a large fleet's would be swept at each send
            self.windows[key] = SlidingWindow(span)
        return self.windows[key]


def send_of(method: str, bot_id: int, chat_id: int | str | None, weight: int) -> Send | None:
    """What a method counts as; reads, answers to presses and chat actions count as nothing.

    Edits share the limit of sends, by TDLib's maintainer (tdlib/td issues 2592 and 3034). Of deletions no figure is
    known (tdlib/telegram-bot-api issue 572), so they count on the safe side, a request as one.
    """
    if chat_id is None or method == "sendChatAction":
        return None
    if method.startswith(("editMessage", "deleteMessage")):
        return Send(bot_id, chat_id)
    if method.startswith(("send", "copy", "forward")):
        return Send(bot_id, chat_id, weight)
    return None
