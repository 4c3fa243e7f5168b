"""/admin/bots and /admin/users, blocking included."""

from __future__ import annotations

from typing import Any

from telegram_sim.admin.form import Form
from telegram_sim.bots import Bot
from telegram_sim.errors import AdminError
from telegram_sim.stage import Stage

MOST_USERS = 1_000_000  # in one request


def add_bot(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/bots."""
    bot = stage.world.add_bot(
        token=form.text("token", ""), username=form.text("username", ""), first_name=form.text("first_name", "")
    )
    if form.has("can_read_all_group_messages"):
        bot.read_all = form.flag("can_read_all_group_messages")
    return bot.as_admin()


def list_bots(stage: Stage, _form: Form) -> dict[str, Any]:
    """GET /admin/bots."""
    return {"bots": [with_webhook(bot) for bot in stage.world.bots.values()]}


def show_bot(stage: Stage, form: Form) -> dict[str, Any]:
    """GET /admin/bots/{bot_id}."""
    return with_webhook(stage.world.bot(form.integer("bot_id")))


def with_webhook(bot: Bot) -> dict[str, Any]:
    """A bot and the state of its webhook, attempts included."""
    attempts = {"attempts": bot.webhook.attempts if bot.webhook else 0}
    return bot.as_admin() | {"webhook": bot.webhook_info() | attempts}


def add_users(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/users: one user, or `count` of them."""
    count = form.integer("count", 1)
    if not 1 <= count <= MOST_USERS:
        raise AdminError(f"count must be from 1 to {MOST_USERS}")
    first_id = form.maybe_integer("id")
    names = {name: form.maybe_text(name) for name in ("last_name", "username", "language_code")}
    users = [
        stage.world.add_user(
            user_id=first_id + nth if first_id else None, first_name=form.text("first_name", ""), **names
        )
        for nth in range(count)
    ]
    if form.has("deactivated"):
        for user in users:
            user.deactivated = form.flag("deactivated")
    return {"users": [user.as_json() for user in users]}


def list_users(stage: Stage, form: Form) -> dict[str, Any]:
    """GET /admin/users."""
    limit = form.integer("limit", 1000)
    return {"users": [user.as_json() for user in list(stage.world.users.values())[:limit]]}


def block(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/block."""
    return stage.actors.set_blocked(form.integer("bot_id"), form.integer("user_id"), blocked=True)


def unblock(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/unblock."""
    return stage.actors.set_blocked(form.integer("bot_id"), form.integer("user_id"), blocked=False)
