"""Input that no Telegram sends, at the door, in the chats, and in the queues."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from random import Random
from typing import Any

from common.queues import ALL_QUEUES

from faults import broker, evidence
from faults.broker import RawMessage
from faults.cast import add_bot
from faults.fuzz import Body, bodies
from faults.history import Attempt
from faults.poster import Answer
from faults.probe import Probe
from faults.report import quantiles
from faults.rig import resident
from faults.round import Round
from faults.telegram import attempts_of

AT_ONCE = 16  # requests in flight
MEMORY = 256.0  # MiB that the ingress may take (F20)
SLOWER = 0.25  # seconds that the others' p99 may grow to


async def bodies_at_the_door(this: Round) -> None:
    """Never 5xx; everything that could not be understood is kept; others are not slowed down; memory stays bounded."""
    bot = await add_bot(this.cast, this.telegram, this.pool, None)
    sent = list(bodies(this.trials, this.rng, 10_000_000))
    secret, slots, most = this.cast.secret(bot.bot_id), asyncio.Semaphore(AT_ONCE), 0.0

    async def post(body: Body) -> tuple[Body, Answer]:
        nonlocal most
        async with slots:
            answer = await this.poster.post(this.rig.url("ingress-1"), secret, body.data)
        most = max(most, resident(this.rig.pid("ingress-1")))
        return body, answer

    async with Probe(this) as probe:
        answered = await asyncio.gather(*(post(body) for body in sent))
    _judge_answers(this, answered)
    taken = [body for body, answer in answered if answer.status == 200]
    this.afterwards.append(lambda: _judge_traces(this, bot.bot_id, taken))
    p99 = _p99([answer.seconds for answer in probe.answers])
    this.figures |= {"ingress_max_mib": most, "others_p99_s": p99}
    this.demand(most < MEMORY, f"the ingress took {most:.0f} MiB")
    this.demand(p99 <= SLOWER, f"the p99 of others was {p99:.3f} s")


def _judge_answers(this: Round, answered: list[tuple[Body, Answer]]) -> None:
    by_status = Counter(answer.status for _, answer in answered)
    this.figures |= {f"status_{status}": count for status, count in by_status.items()}
    wrong = Counter(
        f"{body.sort}: {answer.status}"
        for body, answer in answered
        if answer.status != (413 if body.fate == "refused" else 200)
    )
    this.demand(not wrong, f"answers that should not be: {dict(wrong)}")


async def _judge_traces(this: Round, bot_id: int, taken: list[Body]) -> None:
    """What got 200 is in quarantine, or has its mark, or is a dead letter."""
    must = {hashlib.sha256(body.data).digest(): body for body in taken if body.fate == "quarantine"}
    may = {f"tg:{bot_id}:{body.update_id}": body for body in taken if body.fate == "any"}
    kept = await evidence.quarantined(this.pool, bot_id)
    buried = await evidence.buried_jobs(this.pool, this.since)
    rows = await evidence.gather(this.pool, [bot_id], this.since)
    traced = {f"tg:{bot_id}:{update_id}" for _, update_id in rows.inbox} | buried
    mute = [body for job, body in may.items() if job not in traced and hashlib.sha256(body.data).digest() not in kept]
    missing = Counter(body.sort for digest, body in must.items() if digest not in kept)
    this.demand(not missing, f"not in quarantine: {dict(missing)}")
    this.demand(not mute, f"200 and no trace: {dict(Counter(body.sort for body in mute))}")
    this.dead_letters = len(buried & set(may))
    this.others |= rows.inbox
    this.figures |= {"quarantined": len(kept), "understood": len(rows.inbox), "buried": this.dead_letters}


async def chats(this: Round) -> None:
    """Poison in many chats at once, brought by Telegram's own rules: all of it is taken, and nobody else waits."""
    poisoned = await add_bot(this.cast, this.telegram, this.pool, this.rig.url("ingress-1") + "/api/webhooks/telegram")
    calm = _p99(await _webhook_times(this))
    count = 200 * this.trials
    for nth in range(count):
        await this.telegram.inject_raw(poisoned.bot_id, _raw(this.rng, nth))
    await this.breathe(2, 3)
    brought = [attempts_of(update) for update in await this.telegram.updates(poisoned.bot_id)]
    again = sum(len(attempts) != 1 or attempts[0].status != 200 for attempts in brought)
    busy = _p99(await _webhook_times(this))
    this.figures |= {"chats": count, "not_taken_at_once": again, "calm_p99_s": calm, "busy_p99_s": busy}
    this.demand(again == 0, f"{again} poisoned updates were not taken at the first attempt")
    this.demand(busy <= SLOWER, f"the p99 of others was {busy:.3f} s")


async def messages(this: Round) -> None:
    """Garbage in the queues themselves becomes dead letters; jobs in the same prefetch are handled."""
    letters = 0
    for queue in ALL_QUEUES:
        garbage = [_message(this.rng, nth) for nth in range(this.trials // len(ALL_QUEUES))]
        await broker.publish(this.rig.servers.amqp_url, queue.name, garbage)
        letters += len(garbage)
    this.dead_letters = letters
    this.figures["poison"] = letters


def _raw(rng: Random, nth: int) -> str:
    return rng.choice(
        [
            f"not json {nth}",
            f'{{"update_id": {nth}, "message": {{"chat": {{"id": {nth}}}',
            json.dumps({"update_id": 10**20 + nth, "message": {}}),
            json.dumps({"update_id": 30_000_000 + nth, "message": {"chat": "no object"}}),
            json.dumps([nth]),
        ]
    )


def _message(rng: Random, nth: int) -> RawMessage:
    body = rng.choice(
        [
            b"", b"\x00", b"null", b"not json %d" % nth, rng.randbytes(500), b"[" * 5_000,
            b'{"kind":"no_such_kind","bot_id":1}', b'{"kind":"process_private_message"}',
            b'{"kind":"process_private_message","bot_id":"x","update_id":[],"user_id":{},"update":7}',
            b'{"kind":"send_final_message","delivery_id":1e400}',
            b'{"kind":"record_activity","bot_id":1,"update_id":1,"update":[]}',
            b"x" * 1_000_000,
        ]
    )  # fmt: skip
    headers: dict[str, Any] = rng.choice(
        [
            {},
            {"attempt": "many"},
            {"attempt": -5},
            {"job_id": 7},
            {"traceparent": "00-zz"},
            {"attempt": 2**40},
            {"job_id": "\0"},
        ]
    )
    # An id of its own: one dead letter for each, however often the broker brings it.
    return RawMessage(
        body, headers, rng.choice([None, "no_such_kind", "x" * 200, "\0"]), f"poison-{nth}-{rng.randrange(10**9)}"
    )


async def _webhook_times(this: Round) -> list[float]:
    """How long the writers' updates waited before their first successful request began."""
    bots = [bot for bot in this.cast.hooked if any(person.bot_id == bot for person in this.cast.people)]
    times = []
    for bot in bots:
        for update in await this.telegram.updates(bot):
            good = next((a for a in attempts_of(update) if a.status == 200), None)
            times += [good.at - update["created_at"]] if isinstance(good, Attempt) else []
    return times


def _p99(values: list[float]) -> float:
    return quantiles(values, (0.99,))[0] or 0.0
