"""Valid things with one obvious default each; a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from common.envelope import Envelope
from common.ids import BotId, ChatId, JobId, UpdateId, UserId, update_job_id
from common.jobs import ProcessPrivateMessage
from common.queues import DM_QUEUE
from common.records import Bot, Dialogue, Person, Reply

BOT_ID: Final = BotId(123456789)
USER_ID: Final = UserId(42)
# Has BotFather's form and opens nothing: what canary tests look for.
FAKE_TOKEN: Final = f"{BOT_ID}:AAF4keT0kenForTests-0123456789_abcd"
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


def make_bot(**changes: Any) -> Bot:
    """An active one; its token is no ciphertext of any key."""
    fields: dict[str, Any] = {
        "bot_id": BOT_ID,
        "username": "muster_bot",
        "first_name": "Muster",
        "token": b"sealed",
        "token_key": "k1",
    }
    return Bot(**fields | changes)


def make_person(**changes: Any) -> Person:
    """Ada, who writes."""
    fields: dict[str, Any] = {"user_id": USER_ID, "first_name": "Ada"}
    return Person(**fields | changes)


def make_dialogue(**changes: Any) -> Dialogue:
    """A new one."""
    fields: dict[str, Any] = {
        "bot_id": BOT_ID,
        "user_id": USER_ID,
        "status": "new",
        "language": None,
        "state": None,
        "data": {},
        "start_payload": None,
        "window_start": EPOCH,
        "window_count": 0,
        "created_at": EPOCH,
        "seen_at": EPOCH,
    }
    return Dialogue(**fields | changes)


def make_reply(**changes: Any) -> Reply:
    """One message to Ada."""
    fields: dict[str, Any] = {
        "bot_id": BOT_ID,
        "update_id": UpdateId(1),
        "seq": 0,
        "chat_id": ChatId(USER_ID),
        "method": "sendMessage",
        "params": {"chat_id": USER_ID, "text": "Hello"},
    }
    return Reply(**fields | changes)


def make_user(**changes: Any) -> dict[str, Any]:
    """Bot API's User."""
    return {"id": USER_ID, "is_bot": False, "first_name": "Ada", "language_code": "en"} | changes


def make_chat(**changes: Any) -> dict[str, Any]:
    """Bot API's Chat: Ada's private one."""
    return {"id": USER_ID, "type": "private", "first_name": "Ada"} | changes


def make_update(update_id: int = 1, *, user_id: int = USER_ID, **message: Any) -> dict[str, Any]:
    """A private text message as Telegram posts it; keywords change the message."""
    fields: dict[str, Any] = {
        "message_id": update_id,
        "date": int(EPOCH.timestamp()),
        "chat": make_chat(id=user_id),
        "from": make_user(id=user_id),
        "text": "hello",
    }
    return {"update_id": update_id, "message": fields | message}


def make_private_job(update_id: int = 1, *, user_id: int = USER_ID, **message: Any) -> ProcessPrivateMessage:
    """What the ingress makes of `make_update`."""
    return ProcessPrivateMessage(
        bot_id=BOT_ID,
        update_id=UpdateId(update_id),
        user_id=user_id,
        update=make_update(update_id, user_id=user_id, **message),
    )


def make_envelope(**changes: Any) -> Envelope:
    """A private message on its way."""
    job = make_private_job()
    fields: dict[str, Any] = {
        "queue": DM_QUEUE.name,
        "body": DM_QUEUE.adapter.dump_json(job),
        "kind": job.kind,
        "job_id": JobId(update_job_id(job.bot_id, job.update_id)),
    }
    return Envelope(**fields | changes)
