"""How long a person waited, from the webhook to the reply."""

from __future__ import annotations

import time

from common.testing.builders import make_private_job
from prometheus_client import REGISTRY

from .conftest import Join


def observed() -> tuple[float, float]:
    samples = [REGISTRY.get_sample_value(f"muster_dm_reply_seconds_{part}") for part in ("count", "sum")]
    return samples[0] or 0.0, samples[1] or 0.0


async def test_the_wait_is_counted_from_the_webhook(join: Join) -> None:
    user, before = await join(), observed()
    job = make_private_job(5001, user_id=user.user_id, text="/help")
    await user.voice(job.model_copy(update={"received_ms": int(time.time() * 1000) - 7000}))
    count, total = observed()
    assert count == before[0] + 1
    assert 7 <= total - before[1] < 12


async def test_nobody_guesses_when_an_older_ingress_did_not_say(join: Join) -> None:
    user, before = await join(), observed()
    await user.voice(make_private_job(5002, user_id=user.user_id, text="/help"))
    assert observed() == before
