"""Files: what was uploaded can be sent again by its id and fetched by its path."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from random import Random
from typing import Any

from telegram_sim.errors import bad_request
from telegram_sim.params import Params, Upload

ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
DOWNLOAD_LIMIT = 20 << 20  # bytes, core.telegram.org/bots/api#getfile
MOST_FILES = 100_000
FOLDERS = {"photo": "photos", "video": "videos", "document": "documents", "sticker": "stickers", "audio": "music"}


@dataclass(frozen=True)
class StoredFile:
    """One file; a file known only by its URL has no content of its own."""

    file_id: str
    unique_id: str
    path: str
    name: str
    mime_type: str
    content: bytes

    def as_json(self) -> dict[str, Any]:
        """The fields every file object has."""
        return {"file_id": self.file_id, "file_unique_id": self.unique_id, "file_size": len(self.content)}


class FileStore:
    """Keeps file contents up to a total size, the oldest go first."""

    def __init__(self, rng: Random, *, keep_bytes: int = 256 << 20) -> None:
        self.rng = rng
        self.keep_bytes = keep_bytes
        self.held = 0
        self.count = 0
        self.files: dict[str, StoredFile] = {}
        self.by_path: dict[str, StoredFile] = {}

    def add(self, kind: str, upload: Upload) -> StoredFile:
        """Stores an upload under a new id; the same bytes keep their unique id."""
        suffix = f".{upload.filename.rsplit('.', 1)[1]}" if "." in upload.filename else ".bin"
        self.count += 1
        path = f"{FOLDERS.get(kind, 'files')}/file_{self.count}{suffix}"
        mime = mimetypes.guess_type(upload.filename)[0] or upload.content_type
        digest = hashlib.sha256(upload.content).hexdigest()[:14]
        file_id = "AgAC" + "".join(self.rng.choices(ID_LETTERS, k=60))
        stored = StoredFile(file_id, f"AQAD{digest}", path, upload.filename, mime, upload.content)
        self.files[stored.file_id] = self.by_path[path] = stored
        self.held += len(upload.content)
        while (self.held > self.keep_bytes or len(self.files) > MOST_FILES) and len(self.files) > 1:
            self.forget(next(iter(self.files)))
        return stored

    def forget(self, file_id: str) -> None:
        """Drops one file."""
        stored = self.files.pop(file_id)
        self.by_path.pop(stored.path, None)
        self.held -= len(stored.content)

    def resolve(self, kind: str, reference: Any, params: Params) -> StoredFile:
        """A file_id, a URL, attach://name, or an upload under the parameter's own name."""
        upload = params.uploads.get(kind)
        if isinstance(reference, str) and reference.startswith("attach://"):
            upload = params.uploads.get(reference.removeprefix("attach://"))
        elif isinstance(reference, str) and reference:
            return self.by_reference(kind, reference)
        if upload is None:
            raise bad_request(f"there is no {kind} in the request")
        if not upload.content:
            raise bad_request("file must be non-empty")
        return self.add(kind, upload)

    def by_reference(self, kind: str, reference: str) -> StoredFile:
        """A known id, or a URL that is taken at its word and never fetched."""
        if reference in self.files:
            return self.files[reference]
        if reference.startswith(("http://", "https://")):
            name = reference.rsplit("/", 1)[1].split("?", maxsplit=1)[0] or "file"
            return self.add(kind, Upload(name, "application/octet-stream", reference.encode()))
        raise bad_request("wrong file identifier/HTTP URL specified")
