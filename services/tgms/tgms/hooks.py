"""The loop that tells webhooks what happened: at least once, each webhook at its own pace."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter
from datetime import timedelta

from common.clock import utc_now
from common.errors import ConfigurationError, LeaseLost, MusterError, StoreUnavailable
from common.store import webhook_messages, webhooks
from common.store.pool import Pool, Tx
from common.store.webhook_messages import Claim
from common.store.webhooks import Sealed
from common.telegram.secrets import SigningVault
from common.telemetry import metrics
from common.telemetry.redact import describe, frames

from tgms.leader import Leader
from tgms.outbound import Outbound
from tgms.rounds import timed
from tgms.rules import telling
from tgms.rules.telling import Answer, Verdict

_INTERVAL = 0.5  # seconds between looks
_COMPANY = 1.0  # seconds that events wait for company which go out together
_GATHERINGS = 10  # statements in a round
_TURNS = 4  # requests to one webhook at once; none takes another's turn
_HOLD = timedelta(seconds=30)  # longer than a request may take: then its sender is gone
_RESEAL = 60.0  # seconds
_log = logging.getLogger(__name__)


class Hooks:
    """Under the lease. Killed between an answer and its row, it asks the same again: receivers know it by its id."""

    def __init__(
        self, pool: Pool, leader: Leader, vault: SigningVault, outbound: Outbound, *, hold: timedelta = _HOLD
    ) -> None:
        self._pool = pool
        self._leader = leader
        self._vault = vault
        self._outbound = outbound
        self._hold = hold
        self._busy = Counter[int]()
        self._tasks: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._gathered = self._resealed = 0.0
        self._random = random.Random()  # noqa: S311 (spreads retries, guards nothing)

    async def run(self, stop: asyncio.Event) -> None:
        """Twice a second, and at once when a turn is free again; at the end what is under way ends."""
        while not stop.is_set():
            self._freed.clear()
            if await self._leader.elected(_INTERVAL):
                await self._round()
            waits = [asyncio.create_task(event.wait()) for event in (stop, self._freed)]
            await asyncio.wait(waits, timeout=_INTERVAL, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _round(self) -> None:
        try:
            with timed("hooks"):
                await self._reseal()
                claims = await self._claim()
        except (StoreUnavailable, LeaseLost) as error:
            _log.warning("hooks wait", extra={"error": describe(error)})
            return
        for claim in claims:
            self._busy[claim.webhook_id] += 1
            task = asyncio.create_task(self._tell(claim), name=f"webhook {claim.webhook_id}")
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    async def _claim(self) -> list[Claim]:
        async with self._pool.transaction("hooks") as tx:
            await self._leader.fence(tx)
            if time.monotonic() - self._gathered > _COMPANY:
                for _ in range(_GATHERINGS):
                    if await webhook_messages.gather(tx) < webhook_messages.GATHERS:
                        break
                self._gathered = time.monotonic()
            return await webhook_messages.claim(tx, self._busy, turns=_TURNS, hold=self._hold)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        surprise = None if task.cancelled() else task.exception()
        if surprise is not None:  # its row comes back by itself, and other webhooks go on
            _log.error("surprise", extra={"error": describe(surprise), "where": frames(surprise.__traceback__)[-5:]})

    async def _tell(self, claim: Claim) -> None:
        try:
            verdict, answer = await self._ask(claim)
            async with self._pool.transaction("webhook told") as tx:
                # Not fenced, as a sender's outcome is not: it says how an attempt of this process ended, nothing else.
                await _write(tx, claim, verdict, answer.status)
            metrics.WEBHOOK_REQUESTS.labels(verdict.state).inc()
            if verdict.state == "delivered":
                self._freed.set()  # after a failure the next look is soon enough: one that is down costs little
        except MusterError as error:  # the row is as it was claimed, and comes back
            _log.warning("a webhook's answer is lost", extra={"error": describe(error), "message_id": claim.message_id})
        finally:
            self._busy[claim.webhook_id] -= 1
            self._busy += Counter()  # drops the zeros

    async def _ask(self, claim: Claim) -> tuple[Verdict, Answer]:
        if not claim.events:
            return Verdict("failed", "its events are kept no more"), Answer(None)
        try:
            secrets = [self._vault.open(claim.webhook_id, sealed.secret, sealed.key) for sealed in claim.secrets]
        except ConfigurationError as error:
            _log.error("webhook %s can't be told: %s", claim.webhook_id, error)
            answer = Answer(None, "its secret does not open: rotate it")
        else:
            named = telling.name(claim.message_id, claim.kind, claim.events)
            content = telling.body(named, claim.kind, claim.events)
            headers = telling.headers(named, utc_now(), content, secrets)
            answer = await self._outbound.post(claim.url, content, headers)
        verdict = telling.decide(
            answer,
            attempts=claim.attempts,
            tried_for=claim.tried_at - claim.first_tried_at,
            failing_for=claim.tried_at - (claim.failing_since or claim.tried_at),
            jitter=self._random.random(),
        )
        return verdict, answer

    async def _reseal(self) -> None:
        """So that a key that is not current any more can be taken out of the ring."""
        if time.monotonic() - self._resealed < _RESEAL:
            return
        async with self._pool.transaction("reseal") as tx:
            await self._leader.fence(tx)
            for webhook_id, secret, old in await webhooks.sealed_otherwise(tx, self._vault.current, 100):
                with contextlib.suppress(ConfigurationError):  # told where it is used
                    again = [self._sealed_anew(webhook_id, each) for each in (secret, old) if each]
                    await webhooks.reseal(tx, webhook_id, again[0], again[1] if old else None)
        self._resealed = time.monotonic()

    def _sealed_anew(self, webhook_id: int, sealed: Sealed) -> Sealed:
        return Sealed(*self._vault.seal(webhook_id, self._vault.open(webhook_id, sealed.secret, sealed.key)))


async def _write(tx: Tx, claim: Claim, verdict: Verdict, status: int | None) -> None:
    if not await webhook_messages.settle(
        tx, claim, verdict.state, status=status, reason=verdict.reason, delay=verdict.delay
    ):
        return
    if verdict.state == "delivered":
        if claim.failing_since is not None:
            await webhooks.recovered(tx, claim.webhook_id)
    elif claim.events:
        await webhooks.failed(tx, claim.webhook_id, claim.tried_at)
        _log.info("a webhook failed", extra={"webhook_id": claim.webhook_id, "reason": verdict.reason})
    if verdict.disable and await webhooks.disable(tx, claim.webhook_id, claim.url, verdict.disable):
        _log.warning("webhook disabled", extra={"webhook_id": claim.webhook_id, "reason": verdict.disable})
