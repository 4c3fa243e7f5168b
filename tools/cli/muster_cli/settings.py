"""Where the API is and who asks: from the environment or a file, for a command line can be read by every user."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from muster_cli.errors import usage

_KEY: Final = re.compile(r"mst_[a-z]{2,8}_([0-9A-Za-z]{12})_[0-9A-Za-z]{49}")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Settings:
    """Complete and well formed; whether they are right the API will say."""

    url: str
    key: str = field(repr=False)
    timeout: float = 30.0  # seconds for one answer
    tries: int | None = None  # of one request; None: as the verb has it

    @property
    def key_id(self) -> str:
        """The part that is no secret."""
        return self.key.split("_")[2]

    @property
    def in_the_clear(self) -> bool:
        """Whether the key travels unencrypted to another machine."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in _LOOPBACK


def load(options: Namespace, environment: Mapping[str, str] = os.environ) -> Settings:
    """Failure that says which one is missing or can't be used, never what it holds."""
    return Settings(
        _url(options.url or environment.get("MUSTER_URL", "")),
        _key(options, environment),
        options.timeout,
        options.tries,
    )


def _url(text: str) -> str:
    if not text:
        raise usage(
            "the API's address is missing", "set MUSTER_URL, for example to https://muster.example.org, or give --url"
        )
    try:
        parts = urlsplit(text)
        well_formed = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        well_formed = False
    if not well_formed or parts.query or parts.fragment or "@" in parts.netloc:
        raise usage("the API's address must look like https://muster.example.org or http://127.0.0.1:8080")
    return text.rstrip("/")


def _key(options: Namespace, environment: Mapping[str, str]) -> str:
    where = "MUSTER_API_KEY"
    text = environment.get(where, "")
    if options.key_file is not None:
        where, text = "--key-file", _read(options.key_file)
    if not text.strip():
        raise usage(
            "the API key is missing",
            "set MUSTER_API_KEY, or name a file that holds it with --key-file",
            "a first key is made on the server: python -m common key new --name operations --scope '*'",
        )
    if not _KEY.fullmatch(text.strip()):
        raise usage(f"{where} holds no API key of Muster (mst_…)")
    return text.strip()


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError as error:
        raise usage(f"--key-file can't be read: {error.strerror}") from None
    except ValueError:
        raise usage("--key-file holds no API key of Muster (mst_…)") from None
