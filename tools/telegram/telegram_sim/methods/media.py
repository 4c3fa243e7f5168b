"""sendPhoto, sendVideo, sendDocument and albums."""

from __future__ import annotations

from typing import Any

from telegram_sim.conversation import Message
from telegram_sim.errors import bad_request
from telegram_sim.files import StoredFile
from telegram_sim.markup.keyboards import read_markup
from telegram_sim.methods.call import Call
from telegram_sim.methods.writing import draft, read_caption, write
from telegram_sim.params import Params

ALBUM = range(2, 11)
MIXABLE = frozenset({"photo", "video"})
ALBUM_KINDS = MIXABLE | {"document", "audio"}


def send_photo(call: Call) -> Message:
    """core.telegram.org/bots/api#sendphoto."""
    return send_file(call, "photo")


def send_video(call: Call) -> Message:
    """core.telegram.org/bots/api#sendvideo."""
    return send_file(call, "video")


def send_document(call: Call) -> Message:
    """core.telegram.org/bots/api#senddocument."""
    return send_file(call, "document")


def send_file(call: Call, kind: str) -> Message:
    """One file with a caption; markup is checked before the file is stored."""
    caption = read_caption(call.params)
    read_markup(call.params.structure("reply_markup"))
    place = call.place()
    stored = call.world.files.resolve(kind, call.params.values.get(kind), call.params)
    return write(call, place, file_fields(kind, stored) | caption, kind=kind)


def send_media_group(call: Call) -> list[Message]:
    """core.telegram.org/bots/api#sendmediagroup: all items or none."""
    items = read_album(call.params)
    place = call.place()
    group_id = str(call.world.rng.getrandbits(53))
    drafts = [
        draft(call, place, album_item(call, item) | {"media_group_id": group_id}, kind=item["type"]) for item in items
    ]
    return [place.store(message | {"message_id": place.next_message_id()}) for message in drafts]


def read_album(params: Params) -> list[dict[str, Any]]:
    """The list of InputMedia: two to ten, photos and videos together, others among themselves."""
    items = params.structure("media")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise bad_request("can't parse media: expected an Array of InputMedia")
    if len(items) not in ALBUM:
        raise bad_request("group of 2-10 media must be sent")
    kinds = {item.get("type") for item in items}
    if not kinds <= ALBUM_KINDS:
        raise bad_request("can't parse InputMedia: type must be one of photo, video, document, audio")
    if len(kinds) > 1 and not kinds <= MIXABLE:
        raise bad_request("document can't be mixed with other media types")
    return items


def album_item(call: Call, item: dict[str, Any]) -> dict[str, Any]:
    """The content fields of one item."""
    stored = call.world.files.resolve(item["type"], item.get("media"), Params(item, call.params.uploads))
    return file_fields(item["type"], stored) | read_caption(Params(item))


def file_fields(kind: str, stored: StoredFile) -> dict[str, Any]:
    """The message's field for a file of this kind."""
    common = stored.as_json()
    if kind == "photo":
        return {"photo": [common | {"width": 1280, "height": 960}]}
    named = common | {"file_name": stored.name, "mime_type": stored.mime_type}
    if kind == "video":
        return {"video": named | {"width": 1280, "height": 720, "duration": 10}}
    if kind == "audio":
        return {"audio": named | {"duration": 10}}
    return {"document": named}
