"""Which broadcast of a bot goes first because too few slots were left for its next message. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from common.ids import BotId

TURNS = 40  # two seconds of ticks


class Front:
    """Two seconds first, and as long not: an album that needs every slot of a slow bot at once would stop all others
    for as long as a reply or a call that hangs has one of them.
    """

    def __init__(self) -> None:
        self._since: dict[BotId, tuple[int, int]] = {}  # the broadcast, and the turn from which it counts

    def first(self, turn: int) -> dict[BotId, int]:
        """By bot."""
        return {
            bot_id: broadcast_id
            for bot_id, (broadcast_id, since) in self._since.items()
            if (turn - since) % (2 * TURNS) < TURNS
        }

    def note(self, turn: int, looked_at: Collection[BotId], kept: Mapping[BotId, int]) -> None:
        """After a turn in which slots were `kept` for those: whoever was first and needs them no more is forgotten."""
        for bot_id in self.first(turn):
            if bot_id in looked_at and bot_id not in kept:
                del self._since[bot_id]
        for bot_id, broadcast_id in kept.items():
            known, since = self._since.get(bot_id, (None, turn))
            self._since[bot_id] = broadcast_id, since if known == broadcast_id else turn
