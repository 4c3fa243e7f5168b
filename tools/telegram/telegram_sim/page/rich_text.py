"""Entities as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from telegram_sim.markup.builder import Entity

TAGS = {
    "bold": "strong",
    "italic": "em",
    "underline": "u",
    "strikethrough": "s",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote",
    "spoiler": "mark",
}
SAFE = ("http://", "https://", "tg://", "mailto:")


def render_text(text: str, entities: Sequence[Entity]) -> str:
    """Escaped text inside the elements of its entities, which nest because Telegram lets them only nest."""
    units = text.encode("utf-16-le", "surrogatepass")
    opens: dict[int, list[Entity]] = {}
    for entity in sorted(entities, key=lambda found: (found["offset"], -found["length"])):
        opens.setdefault(entity["offset"], []).append(entity)
    stops = sorted({0, len(units) // 2, *opens, *(entity["offset"] + entity["length"] for entity in entities)})
    out: list[str] = []
    stack: list[tuple[int, str]] = []
    for here, following in zip(stops, [*stops[1:], stops[-1]], strict=True):
        while stack and stack[-1][0] <= here:
            out.append(stack.pop()[1])
        for entity in opens.get(here, []):
            piece = units[2 * here : 2 * (here + entity["length"])].decode("utf-16-le", "replace")
            start, end = element(entity, piece)
            out.append(start)
            stack.append((here + entity["length"], end))
        out.append(escape(units[2 * here : 2 * following].decode("utf-16-le", "replace")))
    return "".join(out + [end for _, end in reversed(stack)])


def element(entity: Entity, text: str) -> tuple[str, str]:
    """Start and end tag; only links of known schemes become links."""
    kind = entity["type"]
    if kind in TAGS:
        return f"<{TAGS[kind]}>", f"</{TAGS[kind]}>"
    url = entity.get("url", "") if kind == "text_link" else text if kind == "url" else ""
    if url and "://" not in url:
        url = f"https://{url}"
    if url.startswith(SAFE):
        return f'<a href="{escape(url)}" rel="noreferrer">', "</a>"
    return '<span class="entity">', "</span>"
