"""What an edit says instead: checked as what is sent, and kept as the Bot API call that each sent message gets."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from common.markup.parse import TEXT_LIMIT
from pydantic import ConfigDict, Field, StringConstraints, model_validator

from ingress.api.content import Button, Captioned, LinkPreview, fits
from ingress.api.fields import Request, Text
from ingress.rules.markup import ParseMode

_Rows = Annotated[list[Annotated[list[Button], Field(min_length=1, max_length=8)]], Field(max_length=12)]
_KEPT = "Without: they stay as they are; an empty list takes them away."


class _Edit(Request):
    buttons: Annotated[_Rows | None, Field(description=_KEPT)] = None

    def params(self) -> dict[str, Any]:
        """Its own parameters, without the buttons."""
        return {}

    def markup(self, current: dict[str, Any]) -> dict[str, Any]:
        """The parameter: Telegram takes buttons away that an edit does not repeat."""
        if self.buttons is None:
            kept = current["params"].get("reply_markup")
            return {"reply_markup": kept} if kept else {}
        rows = [[button.model_dump(exclude_none=True) for button in row] for row in self.buttons]
        return {"reply_markup": {"inline_keyboard": rows}} if rows else {}


class TextEdit(_Edit):
    """Another text for text messages."""

    type: Literal["text"]
    text: Annotated[Text, StringConstraints(min_length=1)]
    parse_mode: ParseMode | None = None
    link_preview_options: LinkPreview | None = None

    @model_validator(mode="after")
    def _understood(self) -> Self:
        fits("text", self.text, self.parse_mode, TEXT_LIMIT)
        return self

    def params(self) -> dict[str, Any]:
        """Of editMessageText."""
        preview = self.link_preview_options
        given = {"text": self.text, "parse_mode": self.parse_mode}
        return given | {"link_preview_options": preview and preview.model_dump(exclude_none=True)}


class CaptionEdit(_Edit, Captioned):
    """Another caption for photos, videos and documents, or none; an album's is its first file's."""

    type: Literal["caption"]
    show_caption_above_media: bool = False

    def params(self) -> dict[str, Any]:
        """Of editMessageCaption."""
        above = self.show_caption_above_media or None
        return {"caption": self.caption, "parse_mode": self.parse_mode, "show_caption_above_media": above}


class ButtonsEdit(_Edit):
    """Other buttons, or none, under the same text."""

    type: Literal["buttons"]
    buttons: _Rows  # here they must be given


Edit = Annotated[TextEdit | CaptionEdit | ButtonsEdit, Field(discriminator="type")]
_METHODS = {"text": "editMessageText", "caption": "editMessageCaption", "buttons": "editMessageReplyMarkup"}
_CAPTIONED = frozenset({"sendPhoto", "sendVideo", "sendDocument"})


class EditAll(Request):
    """The new content of every message that was sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"edit": {"type": "text", "text": "<b>Moved</b> to 18:00", "parse_mode": "HTML"}}]
        }
    )

    edit: Edit


def refusal(edit: Edit, current: dict[str, Any]) -> str | None:
    """Why messages of this content can't be edited so."""
    match edit, current["method"]:
        case (TextEdit(), "sendMessage" | "copyMessage") | (ButtonsEdit(), "sendMessage" | "copyMessage"):
            return None
        case TextEdit(), _:
            return "these messages have a caption, not a text"
        case CaptionEdit(), "sendMessage":
            return "these messages have a text, not a caption"
        case CaptionEdit(buttons=[_, *_]) | ButtonsEdit(), "sendMediaGroup":
            return "an album has no buttons"
        case CaptionEdit(show_caption_above_media=True), "sendDocument" | "sendMediaGroup":
            return "show_caption_above_media is for single photos and videos"
        case _:
            return None


def call(edit: Edit, current: dict[str, Any]) -> dict[str, Any]:
    """As the revision's row keeps it and the sender renders it."""
    params = _given(edit.params()) | edit.markup(current)
    return {"method": _METHODS[edit.type], "params": params}


def applied(edit: Edit, current: dict[str, Any]) -> dict[str, Any]:
    """The broadcast's content with the edit in it, for messages that are sent from now on."""
    method, params = current["method"], dict(current["params"])
    new = _given(edit.params())
    match edit:
        case TextEdit() if method == "copyMessage":  # what is copied has no other text
            method, params = "sendMessage", _without(params, "from_chat_id", "message_id", "caption", "parse_mode")
        case CaptionEdit() if method == "sendMediaGroup":
            first, *others = params["media"]
            return {"method": method, "params": params | {"media": [_recaptioned(first, new), *others]}}
    params = _without(params, *edit.params(), "reply_markup")
    return {"method": method, "params": params | new | edit.markup(current)}


def _recaptioned(item: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return _without(item, "caption", "parse_mode") | new


def _without(params: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name not in names}


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
