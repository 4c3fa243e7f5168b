"""Every sentence a user reads, from one catalogue file a language."""

from __future__ import annotations

import html
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Self

DEFAULT = "en"


@dataclass(frozen=True)
class Texts:
    """Catalogues by language; English has every key, and a test says that the others do too."""

    catalogues: dict[str, dict[str, str]]

    @classmethod
    def load(cls) -> Self:
        """The files shipped in this package."""
        found = [f for f in files("dm.texts").iterdir() if f.name.endswith(".toml")]
        return cls({f.name.removesuffix(".toml"): tomllib.loads(f.read_text("utf-8")) for f in found})

    @property
    def names(self) -> dict[str, str]:
        """Code to the language's own name."""
        return {code: catalogue["language_name"] for code, catalogue in self.catalogues.items()}

    def best(self, *wanted: str | None) -> str:
        """The first that we speak, regions set aside (`de-AT` is German)."""
        for code in wanted:
            short = (code or "").lower().partition("-")[0]
            if short in self.catalogues:
                return short
        return DEFAULT

    def say(self, language: str, key: str, /, **values: object) -> str:
        """Values are escaped for Telegram's HTML mode; KeyError for a key that no catalogue has."""
        catalogue = self.catalogues.get(language, {})
        text = catalogue.get(key) or self.catalogues[DEFAULT][key]
        return text.format(**{name: html.escape(str(value), quote=False) for name, value in values.items()})
