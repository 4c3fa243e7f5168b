"""A chat as bubbles."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any

from telegram_sim.conversation import Conversation, Dialog, Message
from telegram_sim.page.address import Address
from telegram_sim.page.rich_text import SAFE, render_text

MOST_MESSAGES = 200
NOTICE_FOR = 8  # seconds that an answer to a press stays visible
KINDS = ("photo", "video", "document", "audio", "sticker", "contact", "location", "voice")
SERVICE = {
    "new_chat_members": "joined",
    "left_chat_member": "left",
    "migrate_to_chat_id": "The group became a supergroup",
    "migrate_from_chat_id": "The supergroup begins here",
    "forum_topic_created": "A topic was made",
    "forum_topic_closed": "A topic was closed",
    "forum_topic_reopened": "A topic was opened again",
    "pinned_message": "A message was pinned",
}


def render_chat(place: Conversation, address: Address, *, now: float) -> str:
    """All that the script replaces when something changes."""
    messages = list(place.messages.values())[-MOST_MESSAGES:]
    parts = [bubble(message, address) for message in messages]
    if not parts:
        parts.append('<p class="empty">Nothing here yet. Write the first message below.</p>')
    if isinstance(place, Dialog):
        if place.blocked:
            parts.append('<p class="service">You have blocked this bot.</p>')
        if place.notice and now - place.notice_at < NOTICE_FOR:
            parts.append(f'<p class="notice" role="status">{escape(place.notice)}</p>')
        parts.append(keyboard(place, address))
    return "\n".join(parts)


def bubble(message: Message, address: Address) -> str:
    """One message; what the chosen user wrote stands on the right."""
    said = service_text(message)
    if said:
        return f'<p class="service">{escape(said)}</p>'
    author = message.get("from") or {"id": 0, "first_name": message["chat"].get("title", "")}
    side = "own" if author["id"] == address.user_id else "other"
    edited = "edited " if "edit_date" in message else ""
    clock = datetime.fromtimestamp(message["date"]).astimezone().strftime("%H:%M")
    return (
        f'<article class="bubble {side}" id="m{message["message_id"]}">'
        f"<header>{escape(author['first_name'])}</header>{quoted(message)}{content(message)}"
        f"<footer>{edited}{clock} · #{message['message_id']}</footer></article>{buttons(message, address)}"
    )


def content(message: Message) -> str:
    """Media in words, then the text or caption."""
    media = "".join(f'<p class="media">{kind}{file_name(message[kind])}</p>' for kind in KINDS if kind in message)
    text = message.get("text") or message.get("caption") or ""
    entities = message.get("entities") or message.get("caption_entities") or []
    return f'{media}<div class="text">{render_text(text, entities)}</div>' if text else media


def file_name(value: Any) -> str:
    """The name of a file, when it has one."""
    name = value.get("file_name") if isinstance(value, dict) else None
    return f" {escape(name)}" if name else ""


def quoted(message: Message) -> str:
    """The message it answers, in short."""
    original = message.get("reply_to_message")
    if not original:
        return ""
    return f'<p class="quoted">{escape((original.get("text") or original.get("caption") or "…")[:80])}</p>'


def service_text(message: Message) -> str:
    """What a service message says, empty for an ordinary one."""
    kind = next((name for name in SERVICE if name in message), "")
    people = message.get(kind) if kind in {"new_chat_members", "left_chat_member"} else None
    if people:
        names = ", ".join(person["first_name"] for person in (people if isinstance(people, list) else [people]))
        return f"{names} {SERVICE[kind]}"
    return SERVICE.get(kind, "")


def buttons(message: Message, address: Address) -> str:
    """Inline buttons, each row a form of its own."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    if not rows:
        return ""
    forms = "".join(
        f'<form method="post" action="/page/press" class="row">{address.hidden()}'
        f'<input type="hidden" name="message_id" value="{message["message_id"]}">'
        f"{''.join(button(found) for found in row)}</form>"
        for row in rows
    )
    return f'<div class="buttons">{forms}</div>'


def button(found: dict[str, Any]) -> str:
    """A button that presses, or a link."""
    text = escape(found["text"])
    if "callback_data" in found:
        return f'<button name="data" value="{escape(found["callback_data"])}">{text}</button>'
    url = str(found.get("url", ""))
    if url.startswith(SAFE):
        return f'<a class="button" href="{escape(url)}" rel="noreferrer">{text} ↗</a>'
    return f'<button type="button" disabled title="nothing happens here in the simulation">{text}</button>'


def keyboard(dialog: Dialog, address: Address) -> str:
    """The reply keyboard a bot has put up: a press writes the button's text."""
    rows = "".join(
        f'<form method="post" action="/page/say" class="row">{address.hidden()}'
        f'{"".join(f"""<button name="text" value="{escape(text)}">{escape(text)}</button>""" for text in row)}</form>'
        for row in dialog.keyboard
    )
    return f'<div class="buttons keyboard">{rows}</div>' if rows else ""
