"""getFile."""

from __future__ import annotations

from typing import Any

from telegram_sim.errors import bad_request
from telegram_sim.files import DOWNLOAD_LIMIT
from telegram_sim.methods.call import Call


def get_file(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#getfile."""
    if not call.params.text("file_id"):
        raise bad_request("file_id is not specified")
    stored = call.world.files.files.get(call.params.text("file_id"))
    if stored is None:
        raise bad_request("invalid file_id")
    if len(stored.content) > DOWNLOAD_LIMIT:
        raise bad_request("file is too big")
    return stored.as_json() | {"file_path": stored.path}
