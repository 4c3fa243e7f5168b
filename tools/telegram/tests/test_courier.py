"""Webhook delivery by Telegram's rules W1 to W9."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from itertools import pairwise
from random import Random
from typing import Any

from aiohttp import web
from telegram_sim.testing import Posted, Receiver, until
from telegram_sim.webhook import Webhook

SLACK = 40  # simulated seconds, 2 real ones: a busy machine is late, a wrong schedule is early or out of order


def in_turn(*statuses: int, headers: dict[str, str] | None = None) -> Callable[[Posted], Awaitable[web.Response]]:
    """Answers with these statuses one after the other, then 200 for ever."""
    waiting = list(statuses)

    async def script(_posted: Posted) -> web.Response:
        status = waiting.pop(0) if waiting else 200
        return web.Response(status=status, headers=headers if status != 200 else None)

    return script


async def hook(scene: Any, receiver: Receiver, **more: Any) -> None:
    await scene.ok("setWebhook", url=receiver.url, **more)


async def delivered(scene: Any, count: int) -> list[dict[str, Any]]:
    """Waits until so many updates are delivered, on the queue's own word."""
    history = scene.sim.stage.world.bots[scene.bot_id].updates.history
    await until(lambda: sum(record.state == "delivered" for record in history.entries) >= count)
    path = f"updates?bot_id={scene.bot_id}&state=delivered"
    found: list[dict[str, Any]] = (await scene.sim.admin("GET", path))["updates"]
    return found


async def webhook_info(scene: Any, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Asks until getWebhookInfo says what is awaited."""
    bot = scene.sim.stage.world.bots[scene.bot_id]
    await until(lambda: holds(bot.webhook_info()))
    info: dict[str, Any] = await scene.ok("getWebhookInfo")
    return info


async def test_an_update_arrives_with_the_secret_and_counts_as_delivered(scene: Any, receiver: Receiver) -> None:
    await hook(scene, receiver, secret_token="s-1_A")
    ids = (await scene.say("hello"))["update_ids"]
    (posted,) = await receiver.take(1)
    assert posted.secret == "s-1_A"
    assert posted.update["update_id"] == ids[str(scene.bot_id)]
    assert posted.update["message"]["text"] == "hello"
    record = (await delivered(scene, 2))[-1]
    assert (record["status_codes"], record["attempts"], record["queue_key"]) == ([200], 1, scene.user_id)
    assert record["delivered_at"] >= record["first_attempt_at"]


async def test_one_chat_is_in_order_with_one_in_flight_and_chats_do_not_wait_for_each_other(
    scene: Any, receiver: Receiver
) -> None:
    gate = asyncio.Event()

    async def script(posted: Posted) -> web.Response:
        if posted.update["message"]["text"] == "first":
            await gate.wait()
        return web.Response()

    receiver.script = script
    other = await scene.user()
    await hook(scene, receiver)
    # A first success opens more than one connection.
    await scene.say("warm")
    await receiver.take(1)
    await delivered(scene, 2)
    await scene.say("first")
    await scene.say("second")
    await scene.sim.admin("POST", "messages", bot_id=scene.bot_id, user_id=other, text="other")
    texts = [posted.update["message"]["text"] for posted in await receiver.take(2)]
    assert sorted(texts) == ["first", "other"], (
        "the second message of a chat waits for the first, another chat does not"
    )
    gate.set()
    (last,) = await receiver.take(1)
    assert last.update["message"]["text"] == "second"


async def test_a_failure_is_retried_at_once_then_after_two_four_and_eight_seconds(
    fast_scene: Any, receiver: Receiver
) -> None:
    receiver.script = in_turn(500, 500, 404, 302, 500)
    await hook(fast_scene, receiver)
    await fast_scene.say("x")
    times = [posted.at for posted in await receiver.take(6)]
    waits = [(later - earlier) * 20 for earlier, later in pairwise(times)]
    for wait, expected in zip(waits, [0, 2, 4, 8, 16], strict=True):
        assert expected <= wait + 0.1, waits
        assert wait < expected + SLACK, waits
    record = (await delivered(fast_scene, 2))[-1]
    assert record["status_codes"] == [500, 500, 404, 302, 500, 200]


async def test_retry_after_is_honoured(fast_scene: Any, receiver: Receiver) -> None:
    receiver.script = in_turn(503, headers={"Retry-After": "6"})
    await hook(fast_scene, receiver)
    await fast_scene.say("x")
    first, second = await receiver.take(2)
    assert 5.9 <= (second.at - first.at) * 20 < 6 + SLACK


async def test_a_refused_connection_is_a_failure_that_is_retried(fast_scene: Any, receiver: Receiver) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    await fast_scene.ok("setWebhook", url=f"http://127.0.0.1:{port}/hook")
    await fast_scene.say("x")
    info = await webhook_info(fast_scene, lambda found: "last_error_message" in found)
    assert info["pending_update_count"] == 1
    server = web.Server(receiver.receive)  # type: ignore[arg-type]
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await receiver.take(1)
    record = (await delivered(fast_scene, 2))[-1]
    assert record["status_codes"][0] == 0
    assert record["status_codes"][-1] == 200
    await runner.cleanup()


async def test_a_webhook_that_does_not_answer_in_sixty_seconds_has_failed(fast_scene: Any, receiver: Receiver) -> None:
    await fast_scene.sim.admin("POST", "clock", webhook_timeout=4)
    answered = asyncio.Event()

    async def script(_posted: Posted) -> web.Response:
        if len(receiver.posts) == 1:
            await answered.wait()
        return web.Response()

    receiver.script = script
    await hook(fast_scene, receiver)
    await fast_scene.say("x")
    first, second = await receiver.take(2)
    assert 0.19 <= second.at - first.at < 3
    answered.set()


async def test_an_update_expires_and_its_lane_goes_on(fast_scene: Any, receiver: Receiver) -> None:
    await fast_scene.sim.admin("POST", "clock", time_scale=100_000, webhook_timeout=10**7)

    async def script(posted: Posted) -> web.Response:
        return web.Response(status=500 if posted.update["message"]["text"] == "bad" else 200)

    receiver.script = script
    await hook(fast_scene, receiver)
    await fast_scene.say("bad")
    await fast_scene.say("good")
    async with asyncio.timeout(10):
        while (await receiver.arrivals.get()).update["message"]["text"] != "good":
            pass
    path = f"updates?bot_id={fast_scene.bot_id}&state=expired"
    (expired,) = (await fast_scene.sim.admin("GET", path))["updates"]
    assert expired["attempts"] > 5
    assert set(expired["status_codes"]) == {500}


async def test_410_for_23_hours_deletes_the_webhook_but_500_never_does(fast_scene: Any, receiver: Receiver) -> None:
    await fast_scene.sim.admin("POST", "clock", time_scale=100_000, webhook_timeout=10**7)
    receiver.script = in_turn(*[410] * 100_000)
    await hook(fast_scene, receiver)
    await fast_scene.say("x")
    await webhook_info(fast_scene, lambda found: found["url"] == "")
    assert len(receiver.posts) > 5


async def test_as_many_stuck_chats_as_twice_max_connections_stall_the_bot(scene: Any, receiver: Receiver) -> None:
    async def script(posted: Posted) -> web.Response:
        bad = posted.update["message"]["text"] == "bad"
        return web.Response(status=500 if bad else 200, headers={"Retry-After": "60"} if bad else None)

    receiver.script = script
    users = [await scene.user() for _ in range(5)]
    await hook(scene, receiver, max_connections=2)
    await scene.say("warm")
    await receiver.take(1)
    for user in users[:3]:
        await scene.sim.admin("POST", "messages", bot_id=scene.bot_id, user_id=user, text="bad")
    await receiver.take(3)
    await scene.say("three stuck lanes of four leave one free")
    await receiver.take(1)
    await scene.sim.admin("POST", "messages", bot_id=scene.bot_id, user_id=users[3], text="bad")
    await receiver.take(1)
    await scene.say("the fourth stuck lane stalls the bot")
    await asyncio.sleep(0.2)  # Nothing may arrive: there is no signal to wait for.
    assert receiver.arrivals.empty()


async def test_no_more_than_max_connections_at_once(scene: Any, receiver: Receiver) -> None:
    async def script(posted: Posted) -> web.Response:
        if receiver.posts[0].body != posted.body:
            await until(lambda: receiver.most_in_flight >= 3)
            await asyncio.sleep(0.02)  # A fourth one would come in now.
        return web.Response()

    receiver.script = script
    users = [await scene.user() for _ in range(12)]
    await hook(scene, receiver, max_connections=3)
    await scene.say("warm")
    await receiver.take(1)
    for user in users:
        await scene.sim.admin("POST", "messages", bot_id=scene.bot_id, user_id=user, text="x")
    await receiver.take(12)
    assert receiver.most_in_flight == 3


async def test_before_the_first_success_there_is_one_connection(scene: Any, receiver: Receiver) -> None:
    answer = asyncio.Event()

    async def script(_posted: Posted) -> web.Response:
        await answer.wait()
        return web.Response()

    receiver.script = script
    other = await scene.user()
    await hook(scene, receiver)
    await scene.say("x")
    await scene.sim.admin("POST", "messages", bot_id=scene.bot_id, user_id=other, text="y")
    await receiver.take(1)
    await asyncio.sleep(0.1)  # Nothing may arrive: there is no signal to wait for.
    assert receiver.arrivals.empty()
    answer.set()
    await receiver.take(1)


async def test_connections_are_kept_alive(scene: Any, receiver: Receiver) -> None:
    await hook(scene, receiver)
    for text in "abc":
        await scene.say(text)
    posts = await receiver.take(3)
    assert len({posted.peer for posted in posts}) == 1
    await delivered(scene, 4)
    connections = scene.sim.stage.office.couriers[scene.bot_id].connections
    assert (connections.open, connections.busy) == (1, 0)

    async def closing(_posted: Posted) -> web.Response:
        return web.Response(headers={"Connection": "close"})

    receiver.script = closing
    await scene.say("d")
    await delivered(scene, 5)
    assert (connections.open, connections.busy) == (0, 0)


async def test_a_method_in_the_answer_is_called_but_setwebhook_and_getters_are_not(
    scene: Any, receiver: Receiver
) -> None:
    replies = [
        {"method": "deleteWebhook"},
        {"method": "getMe"},
        {"method": "noSuchMethod"},
        {"method": "sendMessage", "chat_id": scene.user_id, "text": "from the hook"},
    ]

    async def script(_posted: Posted) -> web.Response:
        return web.json_response(replies.pop(0)) if replies else web.Response()

    receiver.script = script
    await hook(scene, receiver)
    for text in "abcde":
        await scene.say(text)
    await receiver.take(5)
    await delivered(scene, 6)
    await until(lambda: any(effect.via == "webhook" for effect in scene.sim.stage.world.effects.log.entries))
    effects = [effect for effect in await scene.effects() if effect["via"] == "webhook"]
    assert [(effect["method"], effect["status"]) for effect in effects] == [("sendMessage", "ok")]
    assert (await scene.ok("getWebhookInfo"))["url"] == receiver.url


async def test_a_poisoned_update_goes_out_byte_by_byte(scene: Any, receiver: Receiver) -> None:
    await hook(scene, receiver)
    await scene.sim.admin("POST", "updates", bot_id=scene.bot_id, raw='{"update_id": 1, "mess')
    (posted,) = await receiver.take(1)
    assert posted.body == b'{"update_id": 1, "mess'
    answer = await scene.sim.admin(
        "POST", "updates", bot_id=scene.bot_id, update={"poll": {"id": "1"}}, update_id=10**20
    )
    (posted,) = await receiver.take(1)
    assert posted.update == {"poll": {"id": "1"}, "update_id": 10**20}
    assert answer["update_id"] == 10**20


async def test_redelivery_posts_the_same_bytes_at_once(scene: Any, receiver: Receiver) -> None:
    await hook(scene, receiver)
    ids = (await scene.say("x"))["update_ids"]
    (first,) = await receiver.take(1)
    answer = await scene.sim.admin("POST", "redeliver", bot_id=scene.bot_id, update_id=ids[str(scene.bot_id)], times=20)
    assert answer["status_codes"] == [200] * 20
    assert {posted.body for posted in await receiver.take(20)} == {first.body}
    record = (await delivered(scene, 2))[-1]
    assert record["attempts"] == 21


async def test_pending_updates_go_to_a_later_webhook_unless_they_are_dropped(scene: Any, receiver: Receiver) -> None:
    await scene.say("kept")
    await hook(scene, receiver)
    (posted,) = await receiver.take(1)
    assert posted.update["message"]["text"] == "kept"
    await scene.ok("deleteWebhook")
    await scene.say("dropped")
    await scene.ok("deleteWebhook", drop_pending_updates=True)
    assert (await scene.ok("getWebhookInfo"))["pending_update_count"] == 0
    assert await scene.updates() == []


async def test_a_new_webhook_is_not_ended_by_what_the_old_one_answers(fast_scene: Any, receiver: Receiver) -> None:
    """The old webhook's delivery is still in flight when the new one is set."""
    release = asyncio.Event()

    async def script(posted: Posted) -> web.Response:
        if receiver.posts[0] is posted:
            await release.wait()
        return web.Response()

    receiver.script = script
    await hook(fast_scene, receiver)
    await fast_scene.say("x")
    await receiver.take(1)
    bot = fast_scene.sim.stage.world.bots[fast_scene.bot_id]
    old = bot.webhook
    fast_scene.sim.stage.office.attach(bot, Webhook(receiver.url))
    fast_scene.sim.stage.office.forget(bot, old)
    assert bot.webhook is not None
    await receiver.take(1)
    release.set()


async def test_updates_that_expired_while_they_waited_are_never_sent(fast_scene: Any, receiver: Receiver) -> None:
    queue = fast_scene.sim.stage.world.bots[fast_scene.bot_id].updates
    queue.store(b'{"update_id": 1}', kind="message", key=5, now=0.0, expires_at=1.0)
    await fast_scene.say("fresh")
    await hook(fast_scene, receiver)
    (posted,) = await receiver.take(1)
    assert posted.update["message"]["text"] == "fresh"


async def test_a_redirect_is_a_failure_and_not_followed(scene: Any, receiver: Receiver) -> None:
    receiver.script = in_turn(307, headers={"Location": receiver.url})
    await hook(scene, receiver)
    await scene.say("x")
    record = (await delivered(scene, 2))[-1]
    assert record["status_codes"] == [307, 200]


async def test_under_random_failures_every_chat_still_gets_all_in_order(fast_scene: Any, receiver: Receiver) -> None:
    seed, users, each = 7, 40, 8
    rng = Random(seed)  # noqa: S311 no secret
    accepted: dict[int, list[int]] = {}

    async def script(posted: Posted) -> web.Response:
        roll = rng.random()
        if roll < 0.1:
            raise ConnectionResetError
        if roll < 0.3:
            return web.Response(status=500)
        if roll < 0.4:
            return web.Response(status=503, headers={"Retry-After": "1"})
        update = posted.update
        accepted.setdefault(update["message"]["chat"]["id"], []).append(update["update_id"])
        return web.Response()

    receiver.script = script
    await fast_scene.sim.admin("POST", "clock", time_scale=500, webhook_timeout=10**5)
    people = (await fast_scene.sim.admin("POST", "users", count=users))["users"]
    await hook(fast_scene, receiver)
    sent: dict[int, list[int]] = {}
    for _ in range(each):
        for person in people:
            answer = await fast_scene.sim.admin(
                "POST", "messages", bot_id=fast_scene.bot_id, user_id=person["id"], text="x"
            )
            sent.setdefault(person["id"], []).append(answer["update_ids"][str(fast_scene.bot_id)])
    await until(lambda: sum(map(len, accepted.values())) >= users * each)
    assert accepted == sent, f"seed {seed}"
