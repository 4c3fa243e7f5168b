"""From what a bot sent to what Telegram keeps: text without marks, and entities in order."""

from __future__ import annotations

from typing import Any

from telegram_sim.errors import bad_request
from telegram_sim.markup.builder import Entity, utf16_length
from telegram_sim.markup.detect import detect_entities
from telegram_sim.markup.html import parse_html
from telegram_sim.markup.markdown import parse_markdown
from telegram_sim.markup.markdown_v2 import parse_markdown_v2

PARSERS = {"html": parse_html, "markdownv2": parse_markdown_v2, "markdown": parse_markdown}
WHITESPACE = " \t\n\r\v\f"
MOST_ENTITIES = 100


def compose(source: str, parse_mode: str, given: Any) -> tuple[str, list[Entity]]:
    """Text and entities as they come back in the message; a parse mode beats given entities."""
    mode = parse_mode.strip().lower()
    if mode and mode not in PARSERS:
        raise bad_request("unsupported parse_mode")
    if mode:
        text, entities = PARSERS[mode](source)
    else:
        text, entities = source, read_entities(source, given)
    text, entities = trim(text, entities)
    entities += detect_entities(text, entities)
    ordered = sorted(without_marks_in_code(entities), key=lambda entity: (entity["offset"], -entity["length"]))
    return text, ordered[:MOST_ENTITIES]


def read_entities(text: str, given: Any) -> list[Entity]:
    """Entities a bot gave itself, cut to the text they belong to."""
    if not given:
        return []
    if not isinstance(given, list):
        raise bad_request("can't parse entities: expected an Array of MessageEntity")
    whole = utf16_length(text)
    return [cut for entity in given if (cut := read_entity(entity, whole))]


def read_entity(entity: Any, whole: int) -> Entity | None:
    """One of them; None when nothing of it is inside the text."""
    if not isinstance(entity, dict) or not isinstance(entity.get("type"), str):
        raise bad_request("can't parse MessageEntity: Can't find field \"type\"")
    try:
        offset, length = int(entity["offset"]), int(entity["length"])
    except (KeyError, TypeError, ValueError) as error:
        raise bad_request('can\'t parse MessageEntity: Field "offset" must be a valid Number') from error
    if offset < 0 or length <= 0 or offset >= whole:
        return None
    return entity | {"offset": offset, "length": min(length, whole - offset)}


def trim(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """White space at both ends goes, and entities move along."""
    stripped = text.strip(WHITESPACE)
    if stripped == text:
        return text, entities
    cut = utf16_length(text[: len(text) - len(text.lstrip(WHITESPACE))])
    whole = utf16_length(stripped)
    moved: list[Entity] = []
    for entity in entities:
        start = max(entity["offset"] - cut, 0)
        end = min(entity["offset"] + entity["length"] - cut, whole)
        if end > start:
            moved.append(entity | {"offset": start, "length": end - start})
    return stripped, moved


def without_marks_in_code(entities: list[Entity]) -> list[Entity]:
    """Code holds no other entity."""
    code = [entity for entity in entities if entity["type"] in {"code", "pre"}]
    return [entity for entity in entities if not any(inside(entity, block) for block in code)]


def inside(entity: Entity, block: Entity) -> bool:
    """True when one entity lies in another; of two with the same range the earlier made one is inner."""
    if entity is block or (entity["type"] == "pre" and block["type"] == "code"):
        return False
    return bool(
        entity["offset"] >= block["offset"] and entity["offset"] + entity["length"] <= block["offset"] + block["length"]
    )
