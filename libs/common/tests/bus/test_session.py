"""A consuming connection against peers that stop answering, and the one word for every kind of loss."""

from __future__ import annotations

import asyncio

import pytest
from aio_pika.exceptions import AMQPConnectionError
from common.bus import subscription as subscriptions
from common.bus.consumer import Consumer, Limits
from common.bus.publisher import Publisher
from common.bus.session import losses_named
from common.errors import BrokerUnavailable
from common.jobs import ProcessPrivateMessage
from common.queues import DM_QUEUE
from common.testing.amqp_peer import AmqpPeer
from common.testing.consuming import Shelf
from common.testing.polling import eventually
from pamqp import base, commands

ANSWERS: dict[type[base.Frame], base.Frame] = {
    commands.Basic.Consume: commands.Basic.ConsumeOk("tag"),
}


@pytest.mark.parametrize(
    "step",
    [commands.Connection.StartOk, commands.Channel.Open, commands.Basic.Qos, commands.Basic.Consume],
    ids=lambda step: step.name,
)
async def test_a_broker_that_freezes_on_the_way_up_is_given_up(
    step: type[base.Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "STEP", 0.3)
    async with AmqpPeer(replies=ANSWERS, mute={step}) as peer:
        publisher = Publisher(peer.url, "test", timeout=1)
        consumer = Consumer(peer.url, DM_QUEUE, nothing, publisher=publisher, store=Shelf(), limits=Limits(grace=1))
        stop = asyncio.Event()
        running = asyncio.create_task(consumer.run(stop))
        await eventually(lambda: peer.connections == 2)
        peer.mute.clear()
        await eventually(lambda: consumer.connected)
        stop.set()
        await running


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


async def nothing(_: ProcessPrivateMessage) -> None:
    """Handles."""
