"""/admin/messages, /admin/callbacks, /admin/updates, /admin/redeliver, /admin/chat, /admin/effects."""

from __future__ import annotations

from itertools import islice
from typing import Any

from telegram_sim.admin.form import Form
from telegram_sim.conversation import Conversation
from telegram_sim.effects import EffectFilter
from telegram_sim.errors import AdminError
from telegram_sim.stage import Stage
from telegram_sim.update_queue import UpdateRecord

NUMBERS = ("edit_message_id", "reply_to_message_id", "message_thread_id")


def write_message(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/messages."""
    user = stage.world.user(form.integer("user_id"))
    numbers = {name: form.maybe_integer(name) for name in NUMBERS}
    return stage.actors.write(place_of(stage, form), user, {**form.values, **numbers})


def press(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/callbacks."""
    place = place_of(stage, form)
    bot_id, user_id = form.integer("bot_id"), form.integer("user_id")
    return stage.actors.press(bot_id, user_id, place, form.integer("message_id"), form.text("data"))


def show_chat(stage: Stage, form: Form) -> dict[str, Any]:
    """GET /admin/chat: a chat's messages both ways."""
    place = place_of(stage, form)
    return {"chat": place.as_json(), "messages": list(place.messages.values())}


def place_of(stage: Stage, form: Form) -> Conversation:
    """A group by chat_id, or the private chat of bot_id and user_id."""
    if form.has("chat_id"):
        return stage.world.group(form.integer("chat_id"))
    return stage.world.dialog(stage.world.bot(form.integer("bot_id")), stage.world.user(form.integer("user_id")))


def show_effects(stage: Stage, form: Form) -> dict[str, Any]:
    """GET /admin/effects."""
    wanted = EffectFilter(form.maybe_integer("bot_id"), form.maybe_integer("chat_id"), form.maybe_text("method"))
    effects, following = stage.world.effects.read(form.integer("since", 0), wanted, form.integer("limit", 1000))
    return {"effects": [vars(effect) for effect in effects], "next": following}


def show_updates(stage: Stage, form: Form) -> dict[str, Any]:
    """GET /admin/updates: `since` is an update id, and those above it are shown."""
    queue = stage.world.bot(form.integer("bot_id")).updates
    state, since, limit = form.maybe_text("state"), form.maybe_integer("since"), form.maybe_integer("limit")
    records = (
        record
        for record in queue.history.entries
        if (state is None or record.state == state) and (since is None or record.update_id > since)
    )
    return {"updates": [record.as_json() for record in islice(records, limit)]}


def inject(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/updates: any update, or any bytes at all."""
    bot_id = form.integer("bot_id")
    if form.has("raw"):
        return id_of(stage.actors.inject_raw(bot_id, form.text("raw")))
    update = form.values.get("update")
    if not isinstance(update, dict):
        raise AdminError("update must be an object, or send raw")
    return id_of(stage.actors.inject(bot_id, update, update_id=form.maybe_integer("update_id")))


def id_of(record: UpdateRecord | None) -> dict[str, Any]:
    """The update's id, null when the bot does not want its kind."""
    return {"update_id": record.update_id if record else None}


async def redeliver(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/redeliver: the same update again, several times at once."""
    bot = stage.world.bot(form.integer("bot_id"))
    record = bot.updates.find(form.integer("update_id"))
    if record is None:
        raise AdminError("no such update is remembered", status=404)
    if bot.webhook is None:
        raise AdminError("the bot has no webhook", status=409)
    at = stage.world.clock.now()
    codes = await stage.office.redeliver(bot, record.body, form.integer("times", 1))
    for code in codes:
        record.attempted(at, code)
    return {"status_codes": codes}
