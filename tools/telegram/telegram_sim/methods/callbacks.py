"""answerCallbackQuery."""

from __future__ import annotations

from telegram_sim.errors import bad_request
from telegram_sim.methods.call import Call

TEXT_LIMIT = 200  # characters, core.telegram.org/bots/api#answercallbackquery


def answer_callback_query(call: Call) -> bool:
    """core.telegram.org/bots/api#answercallbackquery: once, in time, by the bot that was asked."""
    query = call.world.queries.get(call.params.text("callback_query_id"))
    if query is None or query.bot_id != call.bot.id or query.expires_at < call.world.clock.now():
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if len(call.params.text("text")) > TEXT_LIMIT:
        raise bad_request("MESSAGE_TOO_LONG")
    dialog = call.world.dialog(call.bot, call.world.users[query.user_id])
    dialog.notice, dialog.notice_at = call.params.text("text"), call.world.clock.now()
    return True
