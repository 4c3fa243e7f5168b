"""Files for broadcasts: uploaded here, kept once by content, and named as `media:<id>` in messages."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, TypeAlias

from common.errors import AppError
from common.store import audit, media, pool
from common.store.media import CHUNK, Media, New
from fastapi import APIRouter, Depends, Path, Query, Request, Response, Security, UploadFile
from pydantic import Field
from starlette.datastructures import UploadFile as Part
from starlette.exceptions import HTTPException
from starlette.types import Message

from ingress.api import content, fields
from ingress.api.fields import BIGINT, Answer
from ingress.api.pages import Asked, Page
from ingress.auth import Caller, authorized
from ingress.backend import Backend
from ingress.deps import Tx, backend_of
from ingress.once import Once, once
from ingress.rules.files import FILE_LIMIT, HEAD, MIB, Kind, kinds_of, mime_of, name_of

router = APIRouter(prefix="/api/media", tags=["media"])
Writer: TypeAlias = Annotated[Caller, Security(authorized, scopes=["messages:write"])]
_FRAME: Final = 64 * 1024  # bytes of a multipart body that are not the file
_ELSEWHERE: Final = 1 << 40  # the limit is our own: the framework answers in plain text, not with a problem
_SLOWEST: Final = 300.0  # seconds for the whole upload
_DAY: Final = 86_400
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "additionalProperties": False,
                }
            }
        },
    }
}


class MediaAnswer(Answer):
    """A file that is kept; `media` is what messages name it by."""

    media_id: int
    media: Annotated[str, Field(examples=["media:7"])]
    name: str
    mime: Annotated[str, Field(description="By the file's first bytes where they tell.")]
    size: Annotated[int, Field(description="Bytes.")]
    sha256: str
    kinds: Annotated[list[Kind], Field(description="What it can be sent as.")]
    created_at: datetime
    expires_at: Annotated[datetime, Field(description="Later where an accepted broadcast needs it for longer.")]


class _Uploaded(fields.Request):
    """What makes two uploads the same request."""

    name: str
    mime: str
    sha256: str


@router.post(
    "",
    status_code=201,
    response_model=MediaAnswer,
    operation_id="upload_media",
    openapi_extra=_FORM,
    max_body_size=_ELSEWHERE,
)
async def upload_media(
    request: Request,
    caller: Writer,
    one: Annotated[Once, Depends(once)],
    backend: Annotated[Backend, Depends(backend_of)],
    expires_in_seconds: Annotated[int, Query(ge=3600, le=90 * _DAY, description="From now.")] = 30 * _DAY,
) -> Response:
    """Upload a file of up to 50 MiB (photos: 10 MiB), as multipart/form-data in the field `file`.

    On Vercel the platform takes bodies of up to 4.5 MB: larger files go to the ingress in the cluster.
    """
    async with _form_file(request) as part:  # after the key was checked: nobody else's bytes are read
        new = await _understood(part, caller)
        asked = _Uploaded(name=new.name, mime=new.mime, sha256=new.digest.hex())
        quota = backend.settings.media_quota * MIB
        keep = timedelta(seconds=expires_in_seconds)
        return await one.run(caller, lambda tx: _keep(tx, new, part, caller, keep, quota), body=asked, status=201)


@router.get("", operation_id="list_media")
async def list_media(caller: Writer, tx: Tx, asked: Asked) -> Page[MediaAnswer]:
    """List the files that are kept, the newest first."""
    rows = await media.page(tx, within=caller.bot_ids, before_id=asked.number(BIGINT), limit=asked.limit + 1)
    return asked.page(rows, _shown, lambda row: row.media_id)


@router.get("/{media_id}", operation_id="get_media")
async def get_media(caller: Writer, tx: Tx, media_id: Annotated[int, Path(ge=1, le=BIGINT)]) -> MediaAnswer:
    """Show a file that is kept."""
    found = (await media.find(tx, [media_id], caller.bot_ids)).get(media_id)
    if found is None:
        raise AppError("media_not_found", 404, "there is no such file, or it has expired")
    return _shown(found)


@router.delete("/{media_id}", response_model=MediaAnswer, operation_id="delete_media")
async def delete_media(
    caller: Writer, one: Annotated[Once, Depends(once)], media_id: Annotated[int, Path(ge=1, le=BIGINT)]
) -> Response:
    """Delete a file for good, with what Telegram calls it; what was sent stays in its groups.

    Refused with `media_in_use` while a broadcast or a schedule that is not ended names it.
    """
    return await one.run(caller, lambda tx: _delete(tx, media_id, caller))


async def check(tx: pool.Tx, message: content.Message, caller: Caller) -> list[int]:
    """The message's files; AppError where one is not there, is no such thing, or they are too much for one album."""
    wanted = message.uploads()
    found = await media.find(tx, [media_id for _, media_id in wanted], caller.bot_ids)
    for kind, media_id in wanted:
        row = found.get(media_id)
        if row is None:
            raise AppError("media_not_found", 422, f"media:{media_id} is not there, or has expired", media_id=media_id)
        if kind not in kinds_of(row.mime, row.size):
            why = f"media:{media_id} can't be sent as a {kind}"
            raise AppError("media_unsuitable", 422, why, media_id=media_id, kinds=kinds_of(row.mime, row.size))
    if sum(row.size for row in found.values()) > FILE_LIMIT:
        raise AppError("album_too_large", 422, f"an album's files have more than {FILE_LIMIT // MIB} MiB together")
    return list(found)


@asynccontextmanager
async def _form_file(request: Request) -> AsyncIterator[UploadFile | Part]:
    """The one part of the form, closed afterwards."""
    wrong = AppError("invalid_upload", 400, "send one file as multipart/form-data, in the field `file`")
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise wrong
    try:
        async with asyncio.timeout(_SLOWEST):
            form = await _limited(request).form(max_files=1, max_fields=0)
    except TimeoutError:
        raise AppError("upload_too_slow", 408, f"the file was not there after {_SLOWEST:g} s") from None
    except HTTPException as error:
        raise wrong if error.status_code == 400 else error from None
    try:
        part = form.get("file")
        if not isinstance(part, Part):
            raise wrong
        yield part
    finally:
        await form.close()


def _limited(request: Request) -> Request:
    """The same, and its body ends with AppError where it is larger than any file may be."""
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > FILE_LIMIT + _FRAME:
            raise _too_large()
        return message

    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > FILE_LIMIT + _FRAME:
        raise _too_large()
    return Request(request.scope, receive)


def _too_large() -> AppError:
    return AppError("content_too_large", 413, f"the file has more than {FILE_LIMIT // MIB} MiB")


async def _understood(part: UploadFile | Part, caller: Caller) -> New:
    digest, size, head = hashlib.sha256(), 0, b""
    while chunk := await part.read(CHUNK):
        head = head or chunk[:HEAD]
        digest.update(chunk)
        size += len(chunk)
    if size == 0:
        raise AppError("invalid_upload", 400, "the file is empty")
    if size > FILE_LIMIT:
        raise _too_large()
    try:
        name, mime = name_of(part.filename or ""), mime_of(head, part.content_type or "")
    except ValueError as error:
        raise AppError("invalid_file", 422, str(error)) from None
    return New(caller.owner, caller.bot_ids, digest.digest(), name, mime, size)


async def _keep(
    tx: pool.Tx, new: New, part: UploadFile | Part, caller: Caller, keep: timedelta, quota: int
) -> MediaAnswer:
    if await media.claim_blob(tx, new.digest, new.size):
        await part.seek(0)
        for seq in range(-(-new.size // CHUNK)):
            await media.add_chunk(tx, new.digest, seq, await part.read(CHUNK))
    saved = await media.save(tx, new, keep)
    if await media.stored(tx, caller.owner) > quota:
        raise AppError("media_quota", 422, f"this key's files would have more than {quota // MIB} MiB")
    facts: dict[str, object] = {"size": new.size, "mime": new.mime, "sha256": new.digest.hex()}
    entry = caller.entry("media.upload", f"media:{saved.media_id}", after=facts, bot_ids=caller.bot_ids)
    await audit.record(tx, entry)
    return _shown(saved)


async def _delete(tx: pool.Tx, media_id: int, caller: Caller) -> MediaAnswer:
    found = await media.lock(tx, media_id, caller.bot_ids)
    if found is None:
        raise AppError("media_not_found", 404, "there is no such file")
    row, bot_ids = found
    open_ones, planned = await media.needed_by(tx, media_id)
    if open_ones or planned:
        why = "a broadcast or a schedule that is not ended needs it: cancel that first"
        raise AppError("media_in_use", 409, why, broadcast_ids=open_ones, schedule_ids=planned)
    await media.remove(tx, row)
    facts: dict[str, object] = {"size": row.size, "mime": row.mime, "sha256": row.digest.hex()}
    await audit.record(tx, caller.entry("media.delete", f"media:{media_id}", before=facts, bot_ids=bot_ids))
    return _shown(row)


async def hold(tx: pool.Tx, ids: Sequence[int], until: datetime) -> None:
    """Kept for as long as they may be needed, also expired ones; AppError where one is gone."""
    gone = set(ids) - await media.hold(tx, ids, until) if ids else set()
    if gone:
        media_id = min(gone)
        raise AppError("media_not_found", 422, f"media:{media_id} is not there any more", media_id=media_id)


def _shown(row: Media) -> MediaAnswer:
    return MediaAnswer(
        media_id=row.media_id,
        media=f"media:{row.media_id}",
        name=row.name,
        mime=row.mime,
        size=row.size,
        sha256=row.digest.hex(),
        kinds=kinds_of(row.mime, row.size),
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
