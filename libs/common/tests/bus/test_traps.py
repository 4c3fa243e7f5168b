"""reliability.md §3, A1-A10 and C4: what aio-pika and the broker do to the naive, each as its own regression test."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from common.bus import connection as connections
from common.bus import consumer as consuming_module
from common.bus import publisher as publishing
from common.bus.consumer import Consumer, Limits
from common.bus.publisher import Publisher
from common.errors import BrokerUnavailable, Unroutable
from common.ids import JobId
from common.jobs import ProcessPrivateMessage
from common.queues import DM_QUEUE, Queue
from common.testing.amqp_peer import AmqpPeer, acknowledge, returned
from common.testing.builders import make_envelope, make_private_job
from common.testing.consuming import Shelf, consuming
from common.testing.polling import eventually
from common.testing.rabbitmq import Broker
from common.testing.tcp_proxy import TcpProxy
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pamqp import base, commands

Job = ProcessPrivateMessage


@pytest.fixture
async def queue(broker: Broker) -> Queue[Job]:
    return await broker.queue(DM_QUEUE)


@pytest.fixture
async def proxy(broker: Broker) -> AsyncIterator[TcpProxy]:
    async with TcpProxy.before(broker.url) as between:
        yield between


@pytest.fixture
async def publisher(broker: Broker) -> AsyncIterator[Publisher]:
    ours = Publisher(broker.url, "test", timeout=5)
    yield ours
    await ours.close()


async def test_a1_a_handler_outlives_the_connection_its_job_came_by(
    broker: Broker, queue: Queue[Job], publisher: Publisher, proxy: TcpProxy
) -> None:
    """A1: the loss cancels running callbacks, in the middle of a send; ours only hand over to tasks of their own."""
    gate, calls, finished = asyncio.Event(), 0, 0

    async def handle(_: Job) -> None:
        nonlocal calls, finished
        calls += 1
        await gate.wait()
        finished += 1

    await publisher.publish(queue, make_private_job(), job_id=JobId("tg:1:1"))
    async with consuming(proxy.through(broker.url), queue, handle, Shelf()) as running:
        await eventually(lambda: calls == 1)
        proxy.reset()
        await eventually(lambda: running.consumer.connected and proxy.accepted >= 2)
        gate.set()
        await eventually(lambda: finished == 2)  # the first one was not cut short, and the broker redelivered
    assert calls == 2
    assert await broker.depth(queue.name) == 0


@pytest.mark.parametrize("loss", ["reset", "cut"])
async def test_a2_a_lost_connection_is_no_cancellation_of_the_caller(
    broker: Broker, queue: Queue[Job], proxy: TcpProxy, loss: str
) -> None:
    """A2: aio-pika's publish raises CancelledError at a caller whom nobody cancelled."""
    publisher = Publisher(proxy.through(broker.url), "test", timeout=2)
    await publisher.ping()
    proxy.freeze("down")
    sending = asyncio.create_task(publisher.send(make_envelope(queue=queue.name)))
    await eventually(lambda: is_depth(broker, queue.name, 1))
    proxy.refuse = True
    getattr(proxy, loss)()
    with pytest.raises(BrokerUnavailable):
        await sending


async def test_a2_a_caller_that_is_cancelled_is_told_so(broker: Broker, queue: Queue[Job], proxy: TcpProxy) -> None:
    """A2, the other way round: a real cancellation is not turned into BrokerUnavailable."""
    publisher = Publisher(proxy.through(broker.url), "test", timeout=5)
    await publisher.ping()
    proxy.freeze("down")
    sending = asyncio.create_task(publisher.send(make_envelope(queue=queue.name)))
    await eventually(lambda: is_depth(broker, queue.name, 1))
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await publisher.close()


async def test_a3_both_sides_ask_for_a_short_heartbeat() -> None:
    """A3: the default of 60 s notices a dead broker after 183 s."""
    async with AmqpPeer() as peer:
        publisher = Publisher(peer.url, "test", timeout=2)
        await publisher.ping()
        await publisher.close()
        consumer = a_consumer(peer.url, publisher)
        stop = asyncio.Event()
        running = asyncio.create_task(consumer.run(stop))
        await eventually(lambda: len(peer.of(commands.Connection.TuneOk)) >= 2)
        stop.set()
        await peer.__aexit__(None, None, None)
        await running
        asked = [each.heartbeat for each in peer.of(commands.Connection.TuneOk)]  # type: ignore[attr-defined]
    assert set(asked) == {connections.HEARTBEAT}
    assert connections.HEARTBEAT <= 10


async def test_a4_results_are_not_swapped_between_messages_of_one_job(
    broker: Broker, queue: Queue[Job], publisher: Publisher
) -> None:
    """A4: with one message id for both, 100 of 100 pairs had the good one's and the unroutable one's result swapped."""
    pairs = [(queue.name, "nobody.listens") for _ in range(50)]
    sends = [publisher.send(make_envelope(queue=name, job_id=JobId("the same"))) for pair in pairs for name in pair]
    results = await asyncio.gather(*sends, return_exceptions=True)
    assert results[0::2] == [None] * 50
    assert all(isinstance(result, Unroutable) for result in results[1::2])
    await eventually(lambda: is_depth(broker, queue.name, 50))


async def test_a4_a_return_is_never_taken_for_another_attempts() -> None:
    """A4, in the order that swaps them: the return of the one, the ack of the other, and then the first one's ack."""
    async with AmqpPeer() as peer:
        peer.be_silent()
        publisher = Publisher(peer.url, "test", timeout=4)
        await publisher.ping()
        sends = [asyncio.create_task(publisher.send(make_envelope(job_id=JobId("the same")))) for _ in range(2)]
        await eventually(lambda: len(peer.message_ids) == 2)
        peer.say_bytes(returned(peer.message_ids[0]))
        peer.say(commands.Basic.Ack(2))
        peer.say(commands.Basic.Ack(1))
        unroutable, good = await asyncio.gather(*sends, return_exceptions=True)
        await publisher.close()
    assert isinstance(unroutable, Unroutable)
    assert good is None


async def test_a5_a_message_without_a_queue_is_an_error(publisher: Publisher) -> None:
    """A5: aio-pika returns the message, or an ack where `mandatory` is off, and the job is lost in silence."""
    with pytest.raises(Unroutable):
        await publisher.publish(Queue("nobody.listens", DM_QUEUE.adapter), make_private_job(), job_id=JobId("tg:1:1"))


async def test_a6_a_channel_that_the_broker_closed_fails_no_later_publish() -> None:
    """A6: the publish after the one that closed the channel fails as well, unless it is tried again on a new one."""

    def close_the_first(tag: int) -> list[base.Frame]:
        if peer.connections == 1:
            return [commands.Channel.Close(404, "NOT_FOUND - no exchange", 60, 40)]
        return acknowledge(tag)

    async with AmqpPeer(on_publish=close_the_first) as peer:
        publisher = Publisher(peer.url, "test", timeout=2)
        await publisher.send(make_envelope())
        await publisher.send(make_envelope())
        await publisher.close()
        assert peer.connections == 2


@pytest.mark.parametrize("bytes_until_the_loss", range(0, 800, 40))
@pytest.mark.timeout(60)
async def test_a7_the_consumer_resumes_wherever_it_lost_the_connection(
    broker: Broker, queue: Queue[Job], publisher: Publisher, proxy: TcpProxy, bytes_until_the_loss: int
) -> None:
    """A7: connect_robust has hung or not resumed in a dozen ways; here each step of the way up is cut once."""
    handled = asyncio.Event()

    async def handle(_: Job) -> None:
        handled.set()

    proxy.cut_up_after = bytes_until_the_loss
    consumer = a_consumer(proxy.through(broker.url), publisher, queue, handle)
    stop = asyncio.Event()
    running = asyncio.create_task(consumer.run(stop))
    await eventually(lambda: proxy.accepted >= 2 or consumer.connected)
    proxy.heal()
    proxy.reset()
    await publisher.publish(queue, make_private_job(), job_id=JobId("tg:1:1"))
    await asyncio.wait_for(handled.wait(), 15)
    stop.set()
    await running


async def test_a7_a_consumer_that_gets_nothing_while_jobs_wait_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A7: connected, consuming, and nothing arrives although the queue is not empty: the watchdog's case."""
    monkeypatch.setattr(consuming_module, "_WATCH", 0.05)
    answers: dict[type[base.Frame], base.Frame] = {
        commands.Queue.Declare: commands.Queue.DeclareOk("q", 5, 1),
        commands.Basic.Consume: commands.Basic.ConsumeOk("tag"),
    }
    async with AmqpPeer(replies=answers) as peer:
        publisher = Publisher(peer.url, "test", timeout=2)
        stop = asyncio.Event()
        running = asyncio.create_task(a_consumer(peer.url, publisher).run(stop))
        await eventually(lambda: len(peer.of(commands.Basic.Consume)) >= 2)
        stop.set()
        await running


async def test_a8_an_exception_does_not_dead_letter_the_job(
    broker: Broker, queue: Queue[Job], publisher: Publisher
) -> None:
    """A8: `message.process()` rejects without requeue at any exception; a surprise here climbs the ladder instead."""
    calls = 0

    async def handle(_: Job) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError

    shelf = Shelf()
    await publisher.publish(queue, make_private_job(), job_id=JobId("tg:1:1"))
    async with consuming(broker.url, queue, handle, shelf):
        await eventually(lambda: calls == 2)
    assert shelf == Shelf()
    assert await broker.depth(queue.dead) == 0


async def test_a9_the_garbage_collector_takes_no_channel(
    broker: Broker, queue: Queue[Job], publisher: Publisher
) -> None:
    """A9: aio-pika 10.2.1 holds channels weakly; whoever keeps none loses its consumer at the next collection."""
    handled: list[int] = []

    async def handle(job: Job) -> None:
        handled.append(job.update_id)

    async with consuming(broker.url, queue, handle, Shelf()):
        for number in (1, 2, 3):
            gc.collect()
            await publisher.publish(queue, make_private_job(number), job_id=JobId(f"tg:1:{number}"))
            await eventually(lambda: len(handled) == number, within=5)  # noqa: B023 (awaited in the loop)


async def test_a10_after_a_freeze_the_first_publish_already_succeeds(
    broker: Broker, queue: Queue[Job], proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A10: a process that was frozen for longer than the heartbeat holds a dead connection and does not know it yet."""
    publisher = Publisher(proxy.through(broker.url), "test", timeout=1)
    await publisher.send(make_envelope(queue=queue.name))
    proxy.freeze()  # the broker gave the connection up meanwhile: nothing that is written to it arrives
    monkeypatch.setattr(publishing, "HEARTBEAT", 0.001)
    await asyncio.sleep(0.01)
    thawing = asyncio.create_task(thaw_new_connections(proxy))
    await publisher.send(make_envelope(queue=queue.name))
    await thawing
    await publisher.close()
    assert await broker.depth(queue.name) == 2


async def test_a10_a_connection_that_only_seems_alive_costs_one_attempt(
    broker: Broker, queue: Queue[Job], proxy: TcpProxy
) -> None:
    """A10: thawed before anybody could notice; the second attempt has a connection of its own."""
    publisher = Publisher(proxy.through(broker.url), "test", timeout=1)
    await publisher.send(make_envelope(queue=queue.name))
    proxy.freeze()
    thawing = asyncio.create_task(thaw_new_connections(proxy))
    await publisher.send(make_envelope(queue=queue.name))
    await thawing
    await publisher.close()
    assert proxy.accepted == 2


async def test_c4_the_trace_goes_on_in_the_consumer(
    broker: Broker, queue: Queue[Job], publisher: Publisher, spans: InMemorySpanExporter
) -> None:
    """C4: OpenTelemetry's aio-pika instrumentation does not know this version; the header is ours."""
    seen: list[int] = []

    async def handle(_: Job) -> None:
        seen.append(trace.get_current_span().get_span_context().trace_id)
        if len(seen) == 1:
            raise ValueError  # the trace also survives the ladder

    with trace.get_tracer("test").start_as_current_span("webhook") as root:
        await publisher.publish(queue, make_private_job(), job_id=JobId("tg:1:1"))
    async with consuming(broker.url, queue, handle, Shelf()):
        await eventually(lambda: len(seen) == 2)
    assert seen == [root.get_span_context().trace_id] * 2
    kinds = {span.name.split()[0]: span.kind for span in spans.get_finished_spans() if span.name != "webhook"}
    assert kinds == {"send": trace.SpanKind.PRODUCER, "process": trace.SpanKind.CONSUMER}


async def nothing(_: Job) -> None:
    """Handles."""


def a_consumer(
    url: str, publisher: Publisher, queue: Queue[Job] = DM_QUEUE, handle: consuming_module.Handler[Job] = nothing
) -> Consumer[Job]:
    return Consumer(url, queue, handle, publisher=publisher, store=Shelf(), limits=Limits(grace=2))


async def thaw_new_connections(proxy: TcpProxy) -> None:
    """The broker itself is well: a new connection works, the old one stays dead."""
    await eventually(lambda: proxy.accepted == 2)
    proxy.heal()


async def is_depth(broker: Broker, name: str, depth: int) -> bool:
    return await broker.depth(name) == depth
