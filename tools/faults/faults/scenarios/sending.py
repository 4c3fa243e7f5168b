"""Broadcasts while their processes are killed, told to go, or lose a server; and with every answer of Telegram."""

from __future__ import annotations

import asyncio
import signal
import time

from faults import evidence
from faults.campaign import Campaign
from faults.history import Disturbance
from faults.recalls import judge
from faults.rig import until
from faults.round import Round
from faults.scenarios.handover import GRACE
from faults.scenarios.leases import TAKEOVER, leading
from faults.sendings import AMBIGUOUS, longest_gap, misjudged, rates_between

SENDERS = ("sender-1", "sender-2", "sender-3")
RESUMED = 15.0  # seconds from the port's answer to the next send: a lease that ran out, and a slot
DOWN = 10.0  # seconds: longer than a silence that the reaper takes for death
SLOW, USUAL = "9000-9500", "20-80"  # milliseconds of an answer: the slow one, too, is longer than that silence
CALM, STORM = 8.0, 20.0  # seconds
SEVERAL, CHATS = 10.0, 3  # seconds that the chats of one bot are refused for, and how many of them: its flood
HALF = 7.0  # seconds after it in which the rate is measured
MOST_AFTER = 17.0  # sends a second then: half of thirty, and a bit for where the measured time begins
RECOVERED = 260.0  # seconds of the database's time, when all of the rate is back
SHARE = 0.9  # of their rate that bots keep while others are flooded (F11)
OUTCOMES = (
    "http_500", "http_502_html", "timeout_before", "timeout_after", "cut", "garbage", "sent_deleted", "unknown_fields",
)  # fmt: skip
EACH = 0.1  # probability
ASKED = 7200.0  # seconds: about ten sends a second, for a call that is not answered holds its slot
IMPATIENT = {"MUSTER_TELEGRAM_TIMEOUT": "2"}  # seconds: a fifth of all calls is never answered


async def killed_sender(this: Round) -> None:
    """`unknown` is at most what had its intent in the killed process."""
    await this.rig.start(*SENDERS[1:])
    async with Campaign(this, bots=3) as campaign:
        await campaign.under_way()
        for _ in range(this.trials):
            await this.breathe(0.4, 2.0)
            await _kill(this, campaign, this.rng.choice(SENDERS))
    this.figures["had_intent"] = len(campaign.doubtful)
    await this.rig.stop(*SENDERS[1:])


async def _kill(this: Round, campaign: Campaign, name: str) -> None:
    async def stop_and_kill() -> None:
        this.rig.signal(name, signal.SIGSTOP)
        await asyncio.sleep(0.1)  # a commit that is on its way arrives
        campaign.doubtful |= await evidence.intents(this.pool, this.rig.pid(name))
        await this.rig.kill(name)

    async def restart() -> None:
        await this.rig.launch(name)
        await this.rig.answers(name)

    await this.disturb(name, stop_and_kill, restart, may_double=0)


async def recalled(this: Round) -> None:
    """Recalls beside broadcasts, each with a kill -9 of a sender in the middle: done is deleted, deleted is done."""
    await this.rig.start(*SENDERS[1:])
    async with Campaign(this, bots=2) as campaign:
        await campaign.under_way()
        for _ in range(this.trials):
            await campaign.recall()
            await this.breathe(0.1, 1.0)
            await _kill(this, campaign, this.rng.choice(SENDERS))
    items = await evidence.recalled(this.pool, campaign.recalled)
    found = judge(items, await campaign.deletions())
    this.figures |= {f"recalls_{name}": count for name, count in found.counts.items()}
    this.broken += found.violations
    this.demand(found.counts["deleted"] > 0, "nothing was deleted: the fault tried nothing")
    await this.rig.stop(*SENDERS[1:])


async def dismissed_sender(this: Round) -> None:
    """In turn while Telegram answers as usual, and while it takes so long that whoever does not beat is given up."""
    await this.rig.start(*SENDERS[1:])
    async with Campaign(this, bots=3) as campaign:
        await campaign.under_way()
        for nth in range(this.trials):
            slow = nth % 2 == 1
            await this.telegram.set_faults(latency=SLOW if slow else USUAL)
            await this.breathe(1.0, 2.0)
            await _dismiss(this, this.rng.choice(SENDERS))
            await this.telegram.set_faults(latency=USUAL)
    await this.rig.stop(*SENDERS[1:])


async def _dismiss(this: Round, name: str) -> None:
    began, codes = time.monotonic(), {}

    async def go() -> None:
        codes.update(await this.rig.stop(name))

    await this.disturb(name, go, lambda: this.rig.start(name), may_double=0)
    took = time.monotonic() - began
    this.figures["slowest_exit_s"] = max(this.figures.get("slowest_exit_s", 0.0), took)
    this.demand(codes[name] == 0, f"{name} ended with exit code {codes[name]}")
    this.demand(took < GRACE + STARTED, f"{name} took {took:.1f} s to go and come back")


STARTED = 20.0  # seconds that its successor may take to be ready


async def killed_brain(this: Round) -> None:
    """Another hands out slots when the lease has run out."""
    await this.rig.start("tgms-2")
    kills: list[Disturbance] = []
    async with Campaign(this, bots=3) as campaign:
        await campaign.under_way()
        for _ in range(this.trials):
            await this.breathe(1.0, 3.0)
            name, _ = await leading(this)
            kills.append(await this.crash(name, may_double=0))
            await this.rig.ready(name)
            await asyncio.sleep(TAKEOVER)
    for kill in kills:
        gap = longest_gap(campaign.found.arrivals, kill.at, kill.at + TAKEOVER)
        this.figures["longest_gap_s"] = max(this.figures.get("longest_gap_s", 0.0), gap)
        this.demand(gap <= TAKEOVER, f"nothing was sent for {gap:.1f} s after the leader was killed")
    await this.rig.stop("tgms-2")


async def restarted_broker(this: Round) -> None:
    """In turn kill -9, and an orderly stop for a while."""
    await _restarted(this, "rabbitmq")


async def restarted_postgres(this: Round) -> None:
    """In turn kill -9, and an outage so long that nobody could beat: it makes nobody dead."""
    await _restarted(this, "postgres")


async def _restarted(this: Round, server: str) -> None:
    await this.rig.start(*SENDERS[1:])
    async with Campaign(this, bots=3) as campaign:
        await campaign.under_way()
        for nth in range(this.trials):
            await this.breathe(1.0, 4.0)
            made = await (this.take_away(server, seconds=DOWN) if nth % 2 else this.crash_server(server))
            await campaign.resumption(made, RESUMED)
    await this.rig.stop(*SENDERS[1:])


async def storm(this: Round) -> None:
    """One bot gets a 429 for the whole of it, one in several chats at once, one in two chats over and over. The first
    two stop and go on with half of their rate, which comes back; the others don't notice.
    """
    await this.rig.start(*SENDERS[1:])
    async with Campaign(this, bots=4) as campaign:
        whole, several, *calm = campaign.bots
        campaign.waits = {whole: 60.0, several: SEVERAL, calm[0]: 3.0}
        await campaign.under_way(60)
        await asyncio.sleep(2)  # rounds of round trips are known, the first burst is over
        for _ in range(this.trials):
            spans = [(time.time(), CALM)]
            await asyncio.sleep(CALM)
            rule = {"method": "sendMessage", "kind": "http_429"}
            bot_wide = rule | {"bot_id": whole, "retry_after": 60, "times": 1}
            together = rule | {"bot_id": several, "retry_after": SEVERAL, "times": CHATS}
            chats = sorted({each.chat_id for each in await campaign.arrivals() if each.bot_id == calm[0]})[:2]
            single = [rule | {"bot_id": calm[0], "retry_after": 3, "chat_id": chat} for chat in chats]
            await this.telegram.set_faults(rules=[bot_wide, together, *single])
            spans.append((time.time(), STORM))
            await asyncio.sleep(STORM)
            await this.telegram.set_faults(rules=[])
            await _judge_rates(this, campaign, calm, spans)
            await _judge_recovery(this, campaign, (several, calm[1]), spans)
    this.figures["answers_429"] = sum(each.retry_after is not None for each in campaign.found.arrivals)
    await this.rig.stop(*SENDERS[1:])


async def _judge_rates(this: Round, campaign: Campaign, calm: list[int], spans: list[tuple[float, float]]) -> None:
    arrivals = await campaign.arrivals()
    before, during = (rates_between(arrivals, start, start + length) for start, length in spans)
    for bot in calm:
        share = during[bot] / max(before[bot], 0.001)
        this.figures["least_share_percent"] = min(this.figures.get("least_share_percent", 1000.0), 100 * share)
        this.demand(share >= SHARE, f"a bot that was not flooded kept {100 * share:.0f} % of its rate")


async def _judge_recovery(
    this: Round, campaign: Campaign, bots: tuple[int, int], spans: list[tuple[float, float]]
) -> None:
    """Half of the rate after the stop, and all of it when four minutes have passed, which are moved in the database.

    As fast as the second bot, which had no 429: the machine may have become slower.
    """
    (bot, other), (calm, length), (began, _) = bots, *spans
    arrivals = [each for each in await campaign.arrivals() if each.bot_id == bot]
    refused = [each.at for each in arrivals if each.retry_after is not None and each.at >= began]
    this.demand(len(refused) >= CHATS, f"{len(refused)} 429s for {CHATS} chats")
    back = max(refused, default=began) + SEVERAL
    before = rates_between(arrivals, calm, calm + length)[bot]
    half = rates_between(arrivals, back, back + HALF)[bot]
    await evidence.age_floods(this.pool, [bot], RECOVERED)
    start = time.time() + 1
    await asyncio.sleep(1 + CALM)
    rates = rates_between(await campaign.arrivals(), start, start + CALM)
    again, least = rates[bot], SHARE * min(before, rates[other])
    this.figures |= {
        "rate_before": before, "rate_after_flood": half, "rate_again": again, "rate_of_another": rates[other],
    }  # fmt: skip
    this.demand(0.4 * before <= half <= MOST_AFTER, f"{half:.1f} sends a second after a flood, {before:.1f} before it")
    this.demand(again >= least, f"the rate came back to {again:.1f} a second, {least:.1f} are nine tenths")


async def outcomes(this: Round) -> None:
    """Every way in which a send can end, at a tenth each; `trials` is how many."""
    this.rig.own |= dict.fromkeys(("sender-4", "sender-5"), IMPATIENT)
    await this.rig.start("sender-4", "sender-5")
    await this.rig.stop("sender-1")
    async with Campaign(this, bots=3) as campaign:
        await this.telegram.set_faults(rules=_rules(campaign.bots))
        await until(campaign.asked_for(this.trials), ASKED, f"{this.trials} sends are asked for")
    await this.telegram.set_faults(rules=[])
    this.broken += misjudged(campaign.found)
    seen = {each.fault for each in campaign.found.arrivals}
    this.figures["sorts_of_outcomes"] = len(seen)
    this.figures["ambiguous"] = sum(each.fault in AMBIGUOUS for each in campaign.found.arrivals)
    await this.rig.start("sender-1")
    await this.rig.stop("sender-4", "sender-5")


def _rules(bots: list[int]) -> list[dict[str, object]]:
    """The first rule that strikes is the one, so later ones have a smaller rest to strike in."""
    return [
        {"method": "sendMessage", "bot_id": bot, "kind": kind, "probability": EACH / (1 - nth * EACH)}
        for bot in bots
        for nth, kind in enumerate(OUTCOMES)
    ]
