"""Brings the files of a call: by the file_id that Telegram gave this bot, or to be uploaded, once for all senders."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from common.errors import StoreUnavailable
from common.ids import BotId
from common.store import media, media_files
from common.store.media import Media
from common.store.media_files import Key
from common.store.pool import Pool
from common.telegram.client import Upload, upload_time
from common.telemetry.redact import describe

from sender.rules.sources import Source, file_id, of_address, sources

_PATIENCE = 2.0  # seconds to wait for another's upload before the slot is given back
_LOOK = 0.1  # seconds between looks
_AT_ONCE = 2  # uploads in hand: each is in memory
_MARGIN = 30.0  # seconds of a lease beyond the upload's own time: for the slot, and for reading the file
_REMEMBERED = 10_000
_log = logging.getLogger(__name__)


class MediaGone(Exception):  # noqa: N818 (what it says)
    """The file has expired."""


@dataclass
class Supply:
    """`files` by place in the call; what is to be `learned` from the answer, what is `claimed`, what was `known`."""

    files: dict[int, str] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    learned: list[tuple[Source, Key]] = field(default_factory=list)
    claimed: list[Key] = field(default_factory=list)
    known: list[tuple[Key, str]] = field(default_factory=list)


class MediaDesk:
    """One a process, named by `owner` in its claims."""

    def __init__(self, pool: Pool, owner: str, *, timeout: float) -> None:
        self._pool = pool
        self._owner = owner
        self._timeout = timeout
        self._known: dict[Key, str] = {}
        self._rows: dict[int, Media] = {}
        self._looked: dict[Key, float] = {}
        self._ours: set[Key] = set()  # claims of this process
        self._uploads = 0

    async def supply(self, bot_id: BotId, broadcast_id: int, content: dict[str, Any]) -> Supply | None:
        """None where others are still uploading, or this process has its hands full: come back later.

        MediaGone for a file that is not kept any more.
        """
        supply, deadline = Supply(), time.monotonic() + _PATIENCE
        try:
            for source in sources(content):
                if not await self._add(supply, source, bot_id, broadcast_id, deadline):
                    await self.done(supply)
                    return None
        except BaseException:
            await self.done(supply)
            raise
        return supply

    async def learn(self, supply: Supply, result: Any) -> None:
        """What Telegram calls the files now. An answer that names none leaves the claim to `done`."""
        found = {key: named for source, key in supply.learned if (named := file_id(result, source.place, source.kind))}
        if not found:
            return
        for key, named in found.items():
            self._remember(key, named)
        try:
            async with self._pool.transaction("file ids") as tx:
                for key, named in found.items():
                    await media_files.save(tx, key, named, self._owner)
        except StoreUnavailable as error:
            _log.warning("a file id is not kept", extra={"error": describe(error)})

    async def forget(self, supply: Supply) -> None:
        """Telegram refused them: they are uploaded again."""
        for key, named in supply.known:
            if self._known.get(key) == named:
                del self._known[key]
        async with self._pool.transaction("forget file ids") as tx:
            for key, named in supply.known:
                await media_files.forget(tx, key, named)

    async def done(self, supply: Supply) -> None:
        """Gives back the claims that came to nothing."""
        claimed, supply.claimed = supply.claimed, []
        if not claimed:
            return
        self._uploads -= 1
        self._ours.difference_update(claimed)
        supply.uploads.clear()
        try:
            async with self._pool.transaction("release uploads") as tx:
                for key in claimed:
                    await media_files.release(tx, key, self._owner)
        except StoreUnavailable as error:
            _log.warning("a claim stays until its lease is over", extra={"error": describe(error)})

    async def _add(self, supply: Supply, source: Source, bot_id: BotId, broadcast_id: int, deadline: float) -> bool:
        row = None if source.media_id is None else await self._row(source.media_id)
        digest = of_address(broadcast_id, source.value) if row is None else media_files.of_upload(row.digest, row.name)
        key = Key(bot_id, digest, source.kind)
        if row is None:
            return await self._address(supply, source, key)
        if key in supply.claimed:  # twice in one album
            supply.files[source.place] = _attached(key)
            return True
        while True:
            named = await self._look(supply, key, row)
            if named is not None:
                supply.files[source.place] = named
                supply.known.append((key, named))
                return True
            if key in supply.claimed:
                return await self._load(supply, source, key, row)
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_LOOK)

    async def _address(self, supply: Supply, source: Source, key: Key) -> bool:
        """Telegram fetches it as often as it must: no claim, but what it is called then is used by all."""
        named = self._known.get(key)
        if named is None and self._due(key):
            async with self._pool.transaction("file id") as tx:
                named = await media_files.get(tx, key)
        if named is None:
            supply.files[source.place] = source.value
            supply.learned.append((source, key))
        else:
            self._remember(key, named)
            supply.files[source.place] = named
            supply.known.append((key, named))
        return True

    async def _look(self, supply: Supply, key: Key, row: Media) -> str | None:
        """The file_id; None with the key among the claimed, or without, while another has it."""
        if key in self._known or key in self._ours or not self._due(key):
            return self._known.get(key)
        if not supply.claimed and self._uploads >= _AT_ONCE:
            async with self._pool.transaction("file id") as tx:
                named = await media_files.get(tx, key)
        else:
            named = await self._claim(supply, key, row)
        if named is not None:
            self._remember(key, named)
        return named

    async def _claim(self, supply: Supply, key: Key, row: Media) -> str | None:
        self._ours.add(key)  # before the first await: of many jobs of this process one asks
        try:
            lease = timedelta(seconds=upload_time(row.size, self._timeout) + _MARGIN)
            async with self._pool.transaction("claim upload") as tx:
                found = await media_files.claim(tx, key, self._owner, lease)
        except BaseException:
            self._ours.discard(key)
            raise
        if not found.mine:
            self._ours.discard(key)
            return found.file_id
        self._uploads += not supply.claimed
        supply.claimed.append(key)
        return None

    async def _load(self, supply: Supply, source: Source, key: Key, row: Media) -> bool:
        async with self._pool.transaction("read file") as tx:
            content = await media.read(tx, row.digest)
        if content is None:
            raise MediaGone
        supply.uploads[_name(key)] = Upload(row.name, row.mime, content)
        supply.files[source.place] = _attached(key)
        supply.learned.append((source, key))
        return True

    async def _row(self, media_id: int) -> Media:
        row = self._rows.get(media_id)
        if row is None:
            async with self._pool.transaction("media") as tx:
                row = await media.row(tx, media_id)
            if row is None:
                raise MediaGone
            _bound(self._rows)
            self._rows[media_id] = row
        return row

    def _due(self, key: Key) -> bool:
        """At most one look in a while, however many jobs of this process wait."""
        now = time.monotonic()
        if now - self._looked.get(key, 0.0) < _LOOK:
            return False
        _bound(self._looked)
        self._looked[key] = now
        return True

    def _remember(self, key: Key, named: str) -> None:
        _bound(self._known)
        self._known[key] = named


def _bound(cache: dict[Any, Any]) -> None:
    if len(cache) >= _REMEMBERED:
        del cache[next(iter(cache))]


def _name(key: Key) -> str:
    return f"{key.kind}_{key.source.hex()[:16]}"


def _attached(key: Key) -> str:
    return f"attach://{_name(key)}"
