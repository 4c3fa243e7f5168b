"""Which function serves which path of the admin API."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from telegram_sim.admin import accounts, chats, controls, traffic, tuning
from telegram_sim.admin.form import Form, read_form
from telegram_sim.errors import AdminError
from telegram_sim.stage import Stage
from telegram_sim.wire import to_json

Verb = Callable[[Stage, Form], dict[str, Any] | Awaitable[dict[str, Any]]]


def verbs() -> list[tuple[str, str, Verb]]:
    """All of them."""
    return [
        ("POST", "/admin/bots", accounts.add_bot),
        ("GET", "/admin/bots", accounts.list_bots),
        ("GET", "/admin/bots/{bot_id}", accounts.show_bot),
        ("POST", "/admin/users", accounts.add_users),
        ("GET", "/admin/users", accounts.list_users),
        ("POST", "/admin/block", accounts.block),
        ("POST", "/admin/unblock", accounts.unblock),
        ("POST", "/admin/messages", traffic.write_message),
        ("POST", "/admin/callbacks", traffic.press),
        ("POST", "/admin/updates", traffic.inject),
        ("GET", "/admin/updates", traffic.show_updates),
        ("POST", "/admin/redeliver", traffic.redeliver),
        ("GET", "/admin/chat", traffic.show_chat),
        ("GET", "/admin/effects", traffic.show_effects),
        *chat_verbs(),
        ("GET", "/admin/faults", tuning.show_faults),
        ("PUT", "/admin/faults", tuning.set_faults),
        ("DELETE", "/admin/faults", tuning.clear_faults),
        ("GET", "/admin/limits", tuning.show_limits),
        ("PUT", "/admin/limits", tuning.set_limits),
        ("POST", "/admin/reset", controls.reset),
        ("POST", "/admin/clock", controls.set_clock),
        ("GET", "/admin/health", controls.health),
    ]


def chat_verbs() -> list[tuple[str, str, Verb]]:
    """What happens to groups and in them."""
    one = "/admin/chats/{chat_id}"
    return [
        ("POST", "/admin/chats", chats.add_chats),
        ("GET", "/admin/chats", chats.list_chats),
        ("GET", one, chats.show_chat),
        ("POST", f"{one}/join", chats.join),
        ("POST", f"{one}/join_request", chats.join_request),
        ("POST", f"{one}/cancel_request", chats.cancel_request),
        ("POST", f"{one}/leave", chats.leave),
        ("POST", f"{one}/kick", chats.kick),
        ("POST", f"{one}/member", chats.set_member),
        ("POST", f"{one}/promote", chats.promote),
        ("POST", f"{one}/demote", chats.demote),
        ("POST", f"{one}/migrate", chats.migrate_chat),
        ("POST", f"{one}/delete", chats.delete),
        ("POST", f"{one}/permissions", chats.permit),
        ("POST", f"{one}/topics", chats.topic),
    ]


def add_routes(app: web.Application, stage: Stage) -> None:
    """Mounts every verb."""
    for http_method, path, verb in verbs():
        app.router.add_route(http_method, path, serve(stage, verb))


def serve(stage: Stage, verb: Verb) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Reads the form, runs the verb, answers JSON; path parameters join the form."""

    async def handle(request: web.Request) -> web.Response:
        try:
            form = await read_form(request)
            if request.match_info:
                form = Form({**form.values, **request.match_info})
            answer = verb(stage, form)
            if inspect.isawaitable(answer):
                answer = await answer
        except AdminError as error:
            return answer_json({"error": str(error)}, status=error.status)
        return answer_json(answer)

    return handle


def answer_json(answer: dict[str, Any], *, status: int = 200) -> web.Response:
    """JSON that keeps every script readable."""
    return web.Response(status=status, body=to_json(answer), content_type="application/json")
