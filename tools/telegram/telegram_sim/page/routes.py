"""The page's routes: plain forms that work without the script, which only saves reloading."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from aiohttp import web

from telegram_sim.admin import chats
from telegram_sim.admin.form import Form
from telegram_sim.errors import AdminError
from telegram_sim.groups import Group
from telegram_sim.page.address import Address, number, read_address
from telegram_sim.page.bubbles import render_chat
from telegram_sim.page.layout import render_page
from telegram_sim.stage import Stage

HERE = Path(__file__).parent
ASSETS = {"style.css": "text/css", "page.js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}

MEMBER_ACTS = {
    "join": chats.join,
    "ask": chats.join_request,
    "cancel": chats.cancel_request,
    "leave": chats.leave,
}


class Page:
    """Shows the stage to people."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def add_routes(self, app: web.Application) -> None:
        """The page, its fragment, its forms and its two assets."""
        app.router.add_get("/", self.show)
        app.router.add_get("/page/chat", self.chat)
        for path, act in (("say", self.say), ("press", self.press), ("block", self.block), ("member", self.member)):
            app.router.add_post(f"/page/{path}", act)
        app.router.add_post("/page/new-bot", self.new_bot)
        app.router.add_post("/page/new-user", self.new_user)
        app.router.add_get("/page/{asset}", self.asset)

    async def show(self, request: web.Request) -> web.Response:
        """The whole page."""
        address = read_address(request.query, self.stage.world)
        return html(render_page(self.stage.world, address, now=self.stage.world.clock.now()))

    async def chat(self, request: web.Request) -> web.Response:
        """Only the bubbles, for the script."""
        address = read_address(request.query, self.stage.world)
        place = address.place(self.stage.world)
        return html(render_chat(place, address, now=self.stage.world.clock.now()) if place else "")

    async def asset(self, request: web.Request) -> web.Response:
        """style.css and page.js."""
        name = request.match_info["asset"]
        if name not in ASSETS:
            raise web.HTTPNotFound
        return web.Response(text=(HERE / name).read_text(encoding="utf-8"), content_type=ASSETS[name], headers=HEADERS)

    async def say(self, request: web.Request) -> web.Response:
        """Writes a message."""
        form, address = await self.form(request)
        place = address.place(self.stage.world)
        if place and address.user_id:
            # What a user may not write here, such as nothing or into a left group, is simply not said.
            with suppress(AdminError):
                self.stage.actors.write(place, self.stage.world.user(address.user_id), {"text": form.get("text", "")})
        return back(address)

    async def press(self, request: web.Request) -> web.Response:
        """Presses an inline button: the bot that wrote the message gets the press."""
        form, address = await self.form(request)
        place = address.place(self.stage.world)
        message = place.messages.get(number(form.get("message_id")) or 0) if place else None
        if not place or not message or not address.user_id:
            return back(address)
        author = message.get("from", {}).get("id")
        bot_id = author if author in self.stage.world.bots else address.bot_id
        self.stage.actors.press(bot_id or 0, address.user_id, place, message["message_id"], form.get("data", ""))
        return back(address)

    async def block(self, request: web.Request) -> web.Response:
        """Blocks the bot, or takes it back."""
        _, address = await self.form(request)
        if address.bot_id and address.user_id:
            world = self.stage.world
            dialog = world.dialog(world.bots[address.bot_id], world.users[address.user_id])
            self.stage.actors.set_blocked(address.bot_id, address.user_id, blocked=not dialog.blocked)
        return back(address)

    async def member(self, request: web.Request) -> web.Response:
        """Joins, asks to join, withdraws or leaves."""
        values, address = await self.form(request)
        act = MEMBER_ACTS.get(values.get("act", ""))
        if act and address.chat_id is not None and address.user_id is not None:
            form: dict[str, object] = {"chat_id": address.chat_id, "user_id": address.user_id}
            if values["act"] == "ask":
                form |= open_door(self.stage.world.groups[address.chat_id], now=self.stage.world.clock.now())
            with suppress(AdminError):
                act(self.stage, Form(form))
        return back(address)

    async def new_bot(self, request: web.Request) -> web.Response:
        """Makes a bot and chooses it."""
        form, address = await self.form(request)
        bot = self.stage.world.add_bot(first_name=form.get("first_name", "").strip())
        return back(Address(bot.id, address.user_id))

    async def new_user(self, request: web.Request) -> web.Response:
        """Makes a user and chooses them."""
        form, address = await self.form(request)
        user = self.stage.world.add_user(first_name=form.get("first_name", "").strip())
        return back(Address(address.bot_id, user.id, address.chat_id))

    async def form(self, request: web.Request) -> tuple[dict[str, str], Address]:
        """A form's fields and the address they carry."""
        values = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        return values, read_address(values, self.stage.world)


def open_door(group: Group, *, now: float) -> dict[str, str]:
    """The newest link that takes requests, since people come through the link that was handed to them."""
    doors = [link.url for link in group.links.values() if link.creates_join_request and link.usable(now=now)]
    return {"invite_link": doors[-1]} if doors else {}


def html(text: str) -> web.Response:
    """HTML under the page's policy."""
    return web.Response(text=text, content_type="text/html", headers=HEADERS)


def back(address: Address) -> web.Response:
    """To the page again, so that reloading it does not write twice."""
    return web.Response(status=303, headers={"Location": address.link()})
