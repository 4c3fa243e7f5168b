"""What a broadcast says: one of Telegram's messages, checked before it is accepted, and kept as a Bot API call."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import Annotated, Any, Literal, Self, get_args

from common.markup.entities import Marked
from common.markup.errors import MarkupError
from common.markup.parse import CAPTION_LIMIT, MOST_PARTS
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from ingress.api.fields import ChatNumber, Id, Request, Text
from ingress.rules import links, markup
from ingress.rules.files import Kind
from ingress.rules.markup import ParseMode
from ingress.rules.refusals import Misfit

_CALLBACK_LIMIT = 64  # bytes
_SHORTEST = 10  # characters of an address or a file_id
_UPLOAD = re.compile(r"media:([1-9][0-9]{0,17})")


def _source(value: str) -> str:
    """An upload of ours; or a file_id, which has none of an address's characters."""
    if value.startswith("media:"):
        if not _UPLOAD.fullmatch(value):
            raise ValueError("an uploaded file is named media:<id>")
        return value
    if len(value) < _SHORTEST:
        raise ValueError("too short for an address or a file_id")
    return links.public_https(value) if ":" in value or "." in value or "/" in value else value


def _plain(value: str) -> str:
    if "{{" in value:
        raise ValueError("variables are for texts and captions: this is the same in every group")
    return value


Source = Annotated[Text, StringConstraints(max_length=links.MAX_LENGTH), AfterValidator(_source)]
_Plain = Annotated[Text, AfterValidator(_plain)]
ButtonUrl = Annotated[_Plain, AfterValidator(links.button)]


class Button(Request):
    """Opens an address, or sends `callback_data` to the bot."""

    text: Annotated[_Plain, StringConstraints(min_length=1, max_length=64)]
    url: ButtonUrl | None = None
    callback_data: Annotated[_Plain, StringConstraints(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.url is None) == (self.callback_data is None):
            raise ValueError("a button has either url or callback_data")
        if self.callback_data is not None and len(self.callback_data.encode()) > _CALLBACK_LIMIT:
            raise Misfit("callback_data", f"is longer than {_CALLBACK_LIMIT} bytes")
        return self


Buttons = Annotated[
    list[Annotated[list[Button], Field(min_length=1, max_length=8)]], Field(min_length=1, max_length=12)
]


class LinkPreview(Request):
    """Bot API, LinkPreviewOptions."""

    is_disabled: bool | None = None
    url: ButtonUrl | None = None
    prefer_small_media: bool | None = None
    prefer_large_media: bool | None = None
    show_above_text: bool | None = None


class _Message(Request):
    """The Bot API's options that all kinds have."""

    disable_notification: bool = False
    protect_content: bool = False
    message_thread_id: Id | None = None

    @abstractmethod
    def call(self) -> tuple[str, dict[str, Any]]:
        """(method, its own parameters)."""

    def uploads(self) -> list[tuple[Kind, int]]:
        """Which of our files it sends, and as what."""
        return []

    def content(self) -> dict[str, Any]:
        """As the broadcast's row keeps it and the sender renders it."""
        method, params = self.call()
        options: dict[str, Any] = {
            "disable_notification": self.disable_notification or None,
            "protect_content": self.protect_content or None,
            "message_thread_id": self.message_thread_id,
        }
        return {"method": method, "params": _given(params | options)}


class _WithButtons(_Message):
    buttons: Buttons | None = None

    def _markup(self) -> dict[str, Any]:
        rows = [[button.model_dump(exclude_none=True) for button in row] for row in self.buttons or ()]
        return {"reply_markup": {"inline_keyboard": rows}} if rows else {}


class Captioned(Request):
    """What has a caption, of a file or an album's file."""

    caption: Annotated[Text, StringConstraints(min_length=1)] | None = None
    parse_mode: ParseMode | None = None

    @model_validator(mode="after")
    def _understood(self) -> Self:
        if self.caption is not None:
            fits("caption", self.caption, self.parse_mode, CAPTION_LIMIT)
        return self


class TextMessage(_WithButtons):
    """Text; `{{name}}` is the group's variable, `{{title}}` its title. A long one becomes up to 20 messages."""

    type: Literal["text"]
    text: Annotated[Text, StringConstraints(min_length=1)]
    parse_mode: ParseMode | None = None
    link_preview_options: LinkPreview | None = None

    @model_validator(mode="after")
    def _understood(self) -> Self:
        marked = _read("text", self.text, self.parse_mode)
        parts = markup.most_parts(markup.longest(self.text, marked), len(marked.entities))
        if parts > MOST_PARTS:
            why = f"may become {parts} messages with the longest variables; {MOST_PARTS} are possible"
            raise Misfit("text", why)
        return self

    def call(self) -> tuple[str, dict[str, Any]]:
        """sendMessage; the sender splits what is too long."""
        preview = self.link_preview_options
        params = {"text": self.text, "parse_mode": self.parse_mode, **self._markup()}
        return "sendMessage", params | {"link_preview_options": preview and preview.model_dump(exclude_none=True)}


class MediaMessage(_WithButtons, Captioned):
    """One file: `media:<id>` for an upload, an https address that Telegram fetches, or a file_id of the sending bot."""

    type: Literal["photo", "video", "document"]
    media: Source
    has_spoiler: bool = False
    show_caption_above_media: bool = False

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.type == "document" and (self.has_spoiler or self.show_caption_above_media):
            raise ValueError("a document has neither has_spoiler nor show_caption_above_media")
        return self

    def uploads(self) -> list[tuple[Kind, int]]:
        """The one."""
        return _uploads(self)

    def call(self) -> tuple[str, dict[str, Any]]:
        """sendPhoto, sendVideo, sendDocument."""
        params = {
            self.type: self.media,
            "caption": self.caption,
            "parse_mode": self.parse_mode,
            "has_spoiler": self.has_spoiler or None,
            "show_caption_above_media": self.show_caption_above_media or None,
        }
        return f"send{self.type.capitalize()}", params | self._markup()


class AlbumItem(Captioned):
    """A file of an album."""

    type: Literal["photo", "video", "document"]
    media: Source


class AlbumMessage(_Message):
    """2 to 10 files as one message; documents only among themselves."""

    type: Literal["album"]
    media: Annotated[list[AlbumItem], Field(min_length=2, max_length=10)]

    @model_validator(mode="after")
    def _alike(self) -> Self:
        if len({item.type == "document" for item in self.media}) > 1:
            raise ValueError("documents can't be mixed with photos and videos")
        return self

    def uploads(self) -> list[tuple[Kind, int]]:
        """By item."""
        return _uploads(*self.media)

    def call(self) -> tuple[str, dict[str, Any]]:
        """sendMediaGroup."""
        return "sendMediaGroup", {"media": [item.model_dump(exclude_none=True) for item in self.media]}


class CopyMessage(_WithButtons, Captioned):
    """A copy of a message that the bots can see, without a link to it."""

    type: Literal["copy"]
    from_chat_id: ChatNumber
    message_id: Id
    remove_caption: Annotated[bool, Field(description="Leave the original's caption out.")] = False
    show_caption_above_media: bool = False

    @model_validator(mode="after")
    def _one_caption(self) -> Self:
        if self.remove_caption and self.caption is not None:
            raise ValueError("remove_caption stands without a caption")
        return self

    def call(self) -> tuple[str, dict[str, Any]]:
        """copyMessage: without a caption the original's stays, with an empty one it goes."""
        params = {
            "from_chat_id": self.from_chat_id,
            "message_id": self.message_id,
            "caption": "" if self.remove_caption else self.caption,
            "parse_mode": self.parse_mode,
            "show_caption_above_media": self.show_caption_above_media or None,
        }
        return "copyMessage", params | self._markup()


Message = Annotated[TextMessage | MediaMessage | AlbumMessage | CopyMessage, Field(discriminator="type")]


def fits(field: str, text: str, parse_mode: ParseMode | None, limit: int) -> None:
    """Misfit for a text that is no message by itself."""
    if markup.length(_read(field, text, parse_mode).text) > limit:
        raise Misfit(field, f"longer than {limit} UTF-16 units")


def _read(field: str, text: str, parse_mode: ParseMode | None) -> Marked:
    try:
        marked = markup.read(text, parse_mode)
    except MarkupError as error:
        raise Misfit(field, str(error)) from None
    if not marked.text.strip():
        raise Misfit(field, "nothing is left of it without its markup")
    return marked


def _uploads(*files: MediaMessage | AlbumItem) -> list[tuple[Kind, int]]:
    return [(file.type, int(found[1])) for file in files if (found := _UPLOAD.fullmatch(file.media))]


def messages_each(content: dict[str, Any]) -> int:
    """About how many messages a group gets by kept content, as Telegram counts them."""
    params = content["params"]
    match content["method"]:
        case "sendMediaGroup":
            return len(params["media"])
        case "sendMessage":
            return markup.parts(params["text"], params.get("parse_mode"))
        case _:
            return 1


def files_of(content: dict[str, Any]) -> list[int]:
    """Our files that kept content sends."""
    params = content["params"]
    items = params["media"] if content["method"] == "sendMediaGroup" else []
    sources = [item["media"] for item in items] or [params.get(kind) for kind in get_args(Kind)]
    return [int(found[1]) for source in sources if source and (found := _UPLOAD.fullmatch(source))]


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
