"""The page around the chat."""

from __future__ import annotations

from html import escape

from telegram_sim.conversation import Conversation, Dialog
from telegram_sim.groups import Group
from telegram_sim.page.address import Address
from telegram_sim.page.bubbles import render_chat
from telegram_sim.world import World

MOST_LISTED = 50

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/page/style.css">
<link rel="icon" href="data:,">
<script src="/page/page.js" defer></script>
</head>
<body>
<details class="side" open>
<summary>Simulated Telegram</summary>
<nav>{side}</nav>
</details>
<main>
<header class="top"><h1>{heading}</h1>{actions}</header>
<section id="chat" aria-live="polite" data-source="{source}">{chat}</section>
{writer}
</main>
</body>
</html>
"""


def render_page(world: World, address: Address, *, now: float) -> str:
    """The whole page."""
    place = address.place(world)
    return PAGE.format(
        title=escape(f"{heading(world, address, place)} · simulated Telegram"),
        side=side(world, address),
        heading=escape(heading(world, address, place)),
        actions=actions(place, address),
        source=escape(f"/page/chat{address.link()[1:]}"),
        chat=render_chat(place, address, now=now) if place else nobody(world),
        writer=writer(place, address),
    )


def heading(world: World, address: Address, place: Conversation | None) -> str:
    """Who talks to whom."""
    if isinstance(place, Group):
        user = world.users.get(address.user_id or 0)
        return f"{user.first_name} in {place.title}" if user else place.title
    if isinstance(place, Dialog):
        return f"{place.user.first_name} and {place.bot.first_name}"
    return "No chat yet"


def nobody(world: World) -> str:
    """What is missing before anyone can talk."""
    missing = "bot" if not world.bots else "user"
    return f'<p class="empty">There is no {missing} yet. Make one with the button “New {missing}”.</p>'


def side(world: World, address: Address) -> str:
    """Bots, users and groups to choose from."""
    bots = [
        (
            address.link(bot_id=bot.id, chat_id=None),
            f"{bot.first_name}",
            f"@{bot.username}",
            bot.id == address.bot_id and address.chat_id is None,
        )
        for bot in world.bots.values()
    ]
    users = [
        (address.link(user_id=user.id), user.first_name, f"#{user.id}", user.id == address.user_id)
        for user in list(world.users.values())[:MOST_LISTED]
    ]
    groups = [
        (address.link(chat_id=group.id), group.title, group.kind, group.id == address.chat_id)
        for group in list(world.groups.values())[:MOST_LISTED]
    ]
    return (
        listing("Bots", bots, "no bot yet", maker("bot", address))
        + listing("Users", users, "no user yet", maker("user", address), more=len(world.users) - len(users))
        + listing("Groups", groups, "no group yet", "", more=len(world.groups) - len(groups))
    )


def listing(title: str, items: list[tuple[str, str, str, bool]], empty: str, foot: str, *, more: int = 0) -> str:
    """One list with its empty state."""
    rows = "".join(
        f'<li><a href="{escape(link)}"{" aria-current=true" if chosen else ""}>'
        f"{escape(name)} <small>{escape(note)}</small></a></li>"
        for link, name, note, chosen in items
    )
    hidden = f"<li><small>and {more} more</small></li>" if more > 0 else ""
    return f"<h2>{title}</h2><ul>{rows or f'<li><small>{empty}</small></li>'}{hidden}</ul>{foot}"


def maker(what: str, address: Address) -> str:
    """A form that makes a bot or a user."""
    return (
        f'<form method="post" action="/page/new-{what}" class="new">{address.hidden()}'
        f'<label><span class="hidden">Name of the new {what}</span>'
        f'<input name="first_name" maxlength="64" placeholder="Name" autocomplete="off"></label>'
        f"<button>New {what}</button></form>"
    )


def actions(place: Conversation | None, address: Address) -> str:
    """Blocking a bot, or leaving a group, and the way back."""
    if isinstance(place, Group) and address.user_id:
        if place.member(address.user_id).present:
            return act("/page/member", address, ("leave", "Leave the group"))
        asked = address.user_id in place.requests
        asking = [("cancel", "Withdraw the request")] if asked else [("ask", "Ask to join")]
        return act("/page/member", address, *asking, ("join", "Join at once"))
    if isinstance(place, Dialog) and place.started:
        return act("/page/block", address, ("block", f"{'Unblock' if place.blocked else 'Block'} the bot"))
    return ""


def act(path: str, address: Address, *choices: tuple[str, str]) -> str:
    """A form of one button a choice."""
    buttons = "".join(f'<button name="act" value="{value}">{escape(words)}</button>' for value, words in choices)
    return f'<form method="post" action="{path}">{address.hidden()}{buttons}</form>'


def writer(place: Conversation | None, address: Address) -> str:
    """The box to write in, for those who may."""
    if place is None or address.user_id is None or (isinstance(place, Dialog) and place.blocked):
        return ""
    if isinstance(place, Group) and not place.member(address.user_id).present:
        return ""
    start = "/start" if isinstance(place, Dialog) and not place.started else ""
    return (
        f'<form method="post" action="/page/say" class="writer">{address.hidden()}'
        '<label><span class="hidden">Message</span>'
        f'<input name="text" value="{start}" maxlength="4096" placeholder="Message" autocomplete="off" required'
        " autofocus></label><button>Send</button></form>"
    )
