"""The one word for every kind of loss."""

from __future__ import annotations

import asyncio

import pytest
from aio_pika.exceptions import AMQPConnectionError
from common.bus.session import losses_named
from common.errors import BrokerUnavailable


async def test_a_cancellation_that_nobody_ordered_is_a_loss() -> None:
    """A2: aiormq cancels whoever waits for an answer when a heartbeat fails; a TaskGroup would take it for an end."""
    answer = asyncio.get_running_loop().create_future()
    answer.cancel()
    with pytest.raises(BrokerUnavailable), losses_named():
        await answer


async def test_a_cancellation_that_somebody_ordered_stays_one() -> None:
    async def wait() -> None:
        with losses_named():
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("error", [AMQPConnectionError(), ConnectionResetError(), TimeoutError(), RuntimeError()])
def test_every_kind_of_loss_has_one_name(error: Exception) -> None:
    with pytest.raises(BrokerUnavailable), losses_named():
        raise error


def test_other_errors_keep_theirs() -> None:
    with pytest.raises(KeyError), losses_named():
        raise KeyError
