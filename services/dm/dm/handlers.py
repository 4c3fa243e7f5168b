"""Private updates: mark, lock, decide and save in one transaction; then say what was decided."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from aiogram import Dispatcher
from aiogram.types import Update, User
from common.bus.publisher import envelope
from common.errors import Reject, RetryLater
from common.ids import ChatId, UserId, update_job_id
from common.jobs import ProcessPrivateMessage
from common.queues import DM_QUEUE
from common.records import Person, Reply
from common.registry import BotRegistry
from common.store import dialogues, inbox, outbox, replies, slots, users
from common.store.pool import Pool, Tx
from common.telegram.limits import counts
from common.telemetry import metrics
from pydantic import ValidationError

from dm.calls import to_replies
from dm.conversation import Conversation
from dm.session import KnownBot, ReturnOnlySession
from dm.speaker import Speaker
from dm.texts import Texts

_STEP = timedelta(milliseconds=100)


class PrivateUpdates:
    """The handler of dm_queue; a redelivered update only says what was left unsaid."""

    def __init__(
        self, pool: Pool, registry: BotRegistry, dispatcher: Dispatcher, speaker: Speaker, texts: Texts
    ) -> None:
        self._pool = pool
        self._registry = registry
        self._dispatcher = dispatcher
        self._speaker = speaker
        self._texts = texts
        self._session = ReturnOnlySession()

    async def __call__(self, job: ProcessPrivateMessage) -> None:
        """See `common.bus.settlement` for what each error leads to."""
        update = await self._read(job)
        async with self._pool.transaction("private update") as tx:
            first = await outbox.first(tx, job.order)
            if first is not None and first < job.update_id:
                await self._step_back(tx, job)
                return
            if await inbox.mark(tx, job.bot_id, job.update_id):
                pending = await self._decide(tx, job, update)
                await replies.add(tx, pending, job.message_id)
            else:
                pending = await self._unsaid(tx, job)
            if first is not None:
                await outbox.handled(tx, job.order)
            turns = await slots.take(tx, job.bot_id, sum(counts(reply.method) for reply in pending), job.message_id)
        await self._speaker.say(pending, turns)
        if pending and job.received_ms:
            metrics.REPLY_SECONDS.observe(max(0.0, time.time() - job.received_ms / 1000))

    async def _unsaid(self, tx: Tx, job: ProcessPrivateMessage) -> list[Reply]:
        pending = await replies.claim(tx, job.bot_id, job.update_id, job.message_id)
        if not pending and await replies.unsettled(tx, job.bot_id, job.update_id):
            # Duplicates may lie in two processes: only when the other's claim is over its replies are ours to say.
            raise RetryLater(replies.CLAIM / 2, "another process is answering", counts=False)
        return pending

    async def _step_back(self, tx: Tx, job: ProcessPrivateMessage) -> None:
        """An earlier update of this user is on its way: this one waits in the outbox, where its followers see it."""
        waiting = envelope(DM_QUEUE, job, job_id=update_job_id(job.bot_id, job.update_id))
        await outbox.add(tx, waiting, order=job.order, delay=_STEP)

    async def _read(self, job: ProcessPrivateMessage) -> Update:
        access = await self._registry.access(job.bot_id)
        bot = KnownBot(access.token, await self._registry.bot(job.bot_id), self._session)
        try:
            return Update.model_validate(job.update, context={"bot": bot})
        except ValidationError as error:
            where = "; ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False)[:3])
            raise Reject(f"aiogram can't read the update ({where})") from None

    async def _decide(self, tx: Tx, job: ProcessPrivateMessage, update: Update) -> list[Reply]:
        user_id = UserId(job.user_id)
        before = await dialogues.lock(tx, job.bot_id, user_id)
        sender = _sender(update)
        if sender is not None:
            await users.see(tx, _person(sender))
        conversation = Conversation(tx, before, self._texts, client_language=sender.language_code if sender else None)
        bot = update.bot
        if bot is None:  # validated with one
            raise AssertionError
        returned: Any = await self._dispatcher.feed_update(bot, update, conversation=conversation)
        if conversation.dialogue != before:
            await dialogues.save(tx, conversation.dialogue)
        return to_replies(returned, bot, update_id=job.update_id, chat_id=ChatId(user_id))


def _sender(update: Update) -> User | None:
    event = update.message or update.edited_message or update.callback_query or update.my_chat_member
    return event.from_user if event is not None else None


def _person(user: User) -> Person:
    return Person(
        UserId(user.id),
        _text(user.first_name) or "",
        _text(user.last_name),
        _text(user.username),
        _text(user.language_code),
    )


def _text(value: str | None) -> str | None:
    # PostgreSQL's text has no NUL; Telegram sends none, but anybody may post one (reliability D4).
    return value.replace("\0", "") if value else value
