"""Holds the lease: exactly one process acts, and one that was paused notices before it acts again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
import uuid
from datetime import timedelta

from common.errors import LeaseLost, MusterError, StoreUnavailable
from common.ids import Epoch
from common.store import leases
from common.store.pool import Pool, Tx
from common.telemetry import metrics
from common.telemetry.redact import describe

LEASE = "tgms"
_log = logging.getLogger(__name__)


class Leader:
    """Renews at a third of the time to live and stops acting at two thirds, by the monotonic clock."""

    def __init__(self, pool: Pool, *, ttl: float) -> None:
        self._pool = pool
        self._ttl = ttl
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._epoch: Epoch | None = None
        self._until = 0.0
        self._elected = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Takes, renews, and at the stop gives back, so that the next one need not wait."""
        while not stop.is_set():
            await self._renew()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._ttl / 3)
        await self._release()

    async def elected(self, timeout: float) -> bool:  # noqa: ASYNC109 (a poll, not a limit)
        """True when this process may act now; waits at most `timeout` seconds for it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._elected.wait(), timeout)
        return self._acting()

    @property
    def epoch(self) -> Epoch | None:
        """None where another process leads."""
        return self._epoch if self._acting() else None

    async def fence(self, tx: Tx) -> None:
        """In every transaction that changes something: LeaseLost unless the lease is still ours."""
        if self._epoch is None or not self._acting():
            raise LeaseLost
        await leases.fence(tx, LEASE, self._epoch)

    def _acting(self) -> bool:
        return self._epoch is not None and time.monotonic() < self._until

    async def _renew(self) -> None:
        asked = time.monotonic()  # the lease runs from when the database was asked, not from its answer
        try:
            async with self._pool.transaction("lease") as tx:
                epoch = await leases.acquire(tx, LEASE, self._holder, timedelta(seconds=self._ttl))
        except StoreUnavailable as error:
            _log.warning("lease not renewed", extra={"error": describe(error)})
            epoch = self._epoch if self._acting() else None
        else:
            self._until = asked + self._ttl * 2 / 3
        self._become(epoch)

    def _become(self, epoch: Epoch | None) -> None:
        if epoch != self._epoch:
            _log.info(
                "leader" if epoch is not None else "not the leader", extra={"epoch": epoch, "holder": self._holder}
            )
        self._epoch = epoch
        metrics.LEADER.set(epoch is not None)
        if epoch is None:
            metrics.FLEET.forget()
        (self._elected.clear if epoch is None else self._elected.set)()

    async def _release(self) -> None:
        epoch = self._epoch
        if epoch is None:
            return
        self._become(None)
        with contextlib.suppress(MusterError):
            async with self._pool.transaction("release lease") as tx:
                await leases.release(tx, LEASE, self._holder, epoch)
