"""Groups that Telegram tells of: a bot added, promoted, removed; a chat's new id; a chat's new title."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from common.errors import Reject
from common.ids import BotId
from common.jobs import ProcessBotMembership, ProcessMigration, ProcessServiceMessage
from common.records import GroupState
from common.store import bot_chats, bots, group_states, moving
from common.store.pool import Tx

from tgms.rules import updates
from tgms.rules.membership import REMOVED, begins, decide
from tgms.rules.updates import Migration, Place, Unreadable

ReadT = TypeVar("ReadT")


async def changed(tx: Tx, job: ProcessBotMembership) -> None:
    """Whatever order the updates of one chat are handled in, the newest is what counts."""
    place = _readable(updates.membership(job.update, job.bot_id))
    if place is None:
        return
    await _expect_bot(tx, job.bot_id)
    if not await bot_chats.note(tx, job.bot_id, place.chat_id, "in" if place.inside else "out", place.moment):
        return
    group = await group_states.lock(tx, place.chat_id)
    if begins(group, place):
        made = await group_states.discover(tx, job.bot_id, place.chat_id, title=place.title, kind=place.kind)
        await _record(tx, job.bot_id, "group.discovered", None, made, "the bot was added")
        group = made or await group_states.lock(tx, place.chat_id)  # somebody was faster
    await _settle(tx, job.bot_id, group, place)


async def moved(tx: Tx, job: ProcessMigration) -> None:
    """Both chats tell of it, in any order; the second time nothing is left to do."""
    migration = _readable(updates.migration(job.update))
    await _expect_bot(tx, job.bot_id)
    await bot_chats.migrated(tx, job.bot_id, migration.old, migration.new, migration.moment)
    done = await moving.move(tx, migration.old, migration.new)
    if done is None:
        await _unknown(tx, job.bot_id, migration)
    elif done.news:
        after = await group_states.lock(tx, migration.new)  # the move has locked it
        before = replace(after, chat_id=migration.old) if after else None
        await _record(tx, job.bot_id, "group.migrated", before, after, "the group became a supergroup")


async def titled(tx: Tx, job: ProcessServiceMessage) -> None:
    """Nothing is made of a service message that is not about a title."""
    title = _readable(updates.title(job.update))
    if title is not None:
        await group_states.retitle(tx, title.chat_id, title.title, title.kind, title.moment)


async def _settle(tx: Tx, bot_id: BotId, group: GroupState | None, place: Place) -> None:
    decision = decide(group, place, bot_id)
    if place.inside and place.title:
        await group_states.retitle(tx, place.chat_id, place.title, place.kind, place.moment)
    if group is None or decision.state is None:
        return
    await group_states.save(tx, decision.state)
    failed = await group_states.fail_pending(tx, group.group_id, bot_id, REMOVED) if decision.fail_pending else 0
    if decision.state.phase != group.phase:
        action = f"group.{decision.state.phase}"
        await _record(tx, bot_id, action, group, decision.state, decision.reason, deliveries_failed=failed)


async def _unknown(tx: Tx, bot_id: BotId, migration: Migration) -> None:
    """The bot is there, or it would not be told; what it may do there the next membership says."""
    made = await group_states.discover(tx, bot_id, migration.new, title=migration.title, kind="supergroup")
    await _record(tx, bot_id, "group.discovered", None, made, "a chat with the bot became a supergroup")


async def _record(
    tx: Tx, bot_id: BotId, action: str, before: GroupState | None, after: GroupState | None, reason: str, **more: int
) -> None:
    if after is not None:
        await group_states.record(tx, bot_id, action, before, after, reason, **more)


async def _expect_bot(tx: Tx, bot_id: BotId) -> None:
    if await bots.get(tx, bot_id) is None:
        raise Reject("the bot is not registered: replay this when it is")


def _readable(found: ReadT | Unreadable) -> ReadT:
    if isinstance(found, Unreadable):
        raise Reject(found.reason)
    return found
