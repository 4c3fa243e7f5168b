"""What a bot's place in a chat means for its group, as one pure function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from common.ids import BotId
from common.records import GroupState

from tgms.rules.updates import Place

REMOVED: Final = "the bot is not in the group any more"


@dataclass(frozen=True, slots=True)
class Decision:
    """`state` is what the group becomes, None where it stays as it is."""

    reason: str
    state: GroupState | None = None
    fail_pending: bool = False


def decide(group: GroupState | None, place: Place, bot_id: BotId) -> Decision:
    """None as `group` is a chat that Muster does not know; whether to begin with it is `begins`."""
    if group is None:
        return Decision("not a group of ours")
    if group.phase == "migrated":
        return Decision("a pointer to the group's new id")
    if group.bot_id != bot_id:
        return _of_another(group, place, bot_id)
    return _inside(group, place, bot_id) if place.inside else _outside(group)


def begins(group: GroupState | None, place: Place) -> bool:
    """The bot was added to a chat that Muster does not know."""
    return group is None and place.inside


def _of_another(group: GroupState, place: Place, bot_id: BotId) -> Decision:
    """A group has one bot: another one takes over only when that one is gone."""
    if place.inside and group.phase == "lost":
        return replace(_inside(group, place, bot_id), reason="another bot of ours takes over")
    return Decision("the group is another bot's")


def _inside(group: GroupState, place: Place, bot_id: BotId) -> Decision:
    back = group.phase == "lost"
    # Three refusals for a missing right took it out of sending: the right is there again.
    may_send = group.out_reason == "rights" and "can_send_messages" not in place.missing
    state = replace(
        group,
        bot_id=bot_id,
        phase="discovered" if back else group.phase,
        health=place.health,
        missing_rights=place.missing,
        out_reason=None if back or may_send else group.out_reason,
    )
    reason = "the bot is back" if back else "the bot's rights"
    return Decision(reason, state if state != group else None)


def _outside(group: GroupState) -> Decision:
    """An archived group is as it was left, whoever is still in it."""
    phase = "archived" if group.phase == "archived" else "lost"
    state = replace(group, phase=phase, health="unreachable", missing_rights=[])
    return Decision(REMOVED, state if state != group else None, fail_pending=True)
