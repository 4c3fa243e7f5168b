"""What a user can put into a message besides text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telegram_sim.conversation import Message
from telegram_sim.errors import AdminError
from telegram_sim.files import FileStore
from telegram_sim.markup.builder import utf16_length
from telegram_sim.markup.detect import detect_entities
from telegram_sim.methods.media import file_fields
from telegram_sim.params import Upload
from telegram_sim.users import User

FILES = {"photo": "photo.jpg", "video": "video.mp4", "document": "document.pdf", "audio": "music.mp3"}
TEXT_LIMIT = 4096  # UTF-16 units, what a user's app lets through


def read_content(values: Mapping[str, Any], user: User, files: FileStore) -> Message:
    """Text, or one kind of media with a caption."""
    text = values.get("text") or ""
    if not isinstance(text, str):
        raise AdminError("text must be a string")
    if utf16_length(text) > TEXT_LIMIT:
        raise AdminError(f"text is longer than {TEXT_LIMIT} characters")
    media = media_fields(values, user, files)
    if not media and not text:
        raise AdminError("text is required")
    name = "caption" if media else "text"
    fields: Message = dict(media)
    if text:
        fields[name] = text
        entities = detect_entities(text)
        if entities:
            fields["caption_entities" if media else "entities"] = entities
    return fields


def media_fields(values: Mapping[str, Any], user: User, files: FileStore) -> Message:
    """The content field that is asked for: true makes one up, an object is taken as it is."""
    for kind, filename in FILES.items():
        if values.get(kind):
            return file_fields(kind, files.add(kind, Upload(filename, "application/octet-stream", kind.encode())))
    for kind in ("sticker", "voice", "contact", "location"):
        wanted = values.get(kind)
        if wanted:
            return {kind: wanted if isinstance(wanted, dict) else made_up(kind, user, files)}
    return {}


def made_up(kind: str, user: User, files: FileStore) -> dict[str, Any]:
    """A content that nobody cared to spell out."""
    if kind == "contact":
        return {"phone_number": "+10000000000", "first_name": user.first_name, "user_id": user.id}
    if kind == "location":
        return {"latitude": 52.0, "longitude": 13.0}
    if kind == "voice":
        stored = files.add(kind, Upload("voice.ogg", "audio/ogg", b"voice")).as_json()
        return stored | {"duration": 3, "mime_type": "audio/ogg"}
    shape = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False, "emoji": "👍"}
    return files.add(kind, Upload("sticker.webp", "image/webp", b"sticker")).as_json() | shape
