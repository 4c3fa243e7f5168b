"""The brain: who leads, whether its loops keep time, and what it has yet to decide."""

from __future__ import annotations

from dashboards.model import Dashboard, Panel, Query, Row
from dashboards.promql import or_zero, quantile, quantiles, rate

TICKS = "muster_tgms_tick_seconds"
LEAD = Row(
    "Is the brain alive?",
    [
        Panel(
            "Leaders",
            "Exactly one, also during a rollout; a gap of a few seconds is a change of leader.",
            "none",
            [Query("sum(muster_tgms_leader)", "leaders")],
            bounds=(1, 2),
            bad="outside",
        ),
        Panel("Epoch", "How often did leadership change?", "none", [Query("max(muster_tgms_epoch)", "epoch")]),
        Panel(
            "Since a loop's last good round",
            "Which loop hangs or fails? housekeeping rests for a minute, health waits for Telegram, others are quick.",
            "s",
            [Query("time() - max by (loop)(muster_tgms_last_tick_timestamp_seconds)", "{{loop}}")],
        ),
        Panel(
            "One round, p95 by loop",
            "Does the database slow a loop down? The pacer wants 50 ms.",
            "s",
            [Query(quantile(0.95, TICKS, "loop"), "{{loop}}")],
        ),
        Panel(
            "Rounds a second, by loop",
            "Does each keep its beat?",
            "reqps",
            [Query(rate(f"{TICKS}_count", "loop"), "{{loop}}")],
        ),
        Panel(
            "Failed rounds",
            "The database or broker was away, or the lease was lost.",
            "short",
            [Query(or_zero("sum by (loop)(increase(muster_tgms_tick_failures_total[$__rate_interval]))"), "{{loop}}")],
        ),
        Panel(
            "Counting the fleet",
            "How long does the census take? It runs less often where it takes long.",
            "s",
            [Query("max(muster_census_seconds)", "census")],
        ),
    ],
)
LOST = Row(
    "Is anything lost or stuck?",
    [
        Panel(
            "Outbox",
            "Rows that are due and not published.",
            "short",
            [Query("max(muster_outbox_pending)", "rows")],
        ),
        Panel(
            "Oldest outbox row",
            "An update that was answered 200 waits here while the broker is away.",
            "s",
            [Query("max(muster_outbox_oldest_seconds)", "oldest")],
            bounds=(5, 30),
        ),
        Panel(
            "Relayed a second",
            "Does the relay work it off?",
            "reqps",
            [Query("sum(rate(muster_outbox_relayed_total[$__rate_interval]))", "rows")],
        ),
        Panel(
            "Open dead letters, by queue and cause",
            "What has to be decided by somebody?",
            "short",
            [Query(or_zero("max by (queue, cause)(muster_dead_letters_open)"), "{{queue}} {{cause}}")],
            stacked=True,
        ),
        Panel(
            "Buried jobs",
            "When did they come?",
            "short",
            [
                Query(
                    or_zero("sum by (queue)(increase(muster_jobs_dead_lettered_total[$__rate_interval]))"), "{{queue}}"
                )
            ],
        ),
        Panel(
            "Requests to clients' webhooks, by what became of them",
            "Are clients told? pending: it will be tried again.",
            "reqps",
            [Query(or_zero(rate("muster_webhook_requests_total", "outcome")), "{{outcome}}")],
            stacked=True,
        ),
        Panel(
            "Settled by the reaper",
            "What died or got lost between slot and end?",
            "short",
            [Query(or_zero("sum by (what)(increase(muster_reaped_total[$__rate_interval]))"), "{{what}}")],
        ),
    ],
)
LIFE = Row(
    "Groups, bots and their updates",
    [
        Panel(
            "Groups by phase",
            "How does the fleet grow, and what is lost?",
            "short",
            [Query("sum by (phase)(max by (phase, health)(muster_groups))", "{{phase}}")],
            stacked=True,
        ),
        Panel(
            "Groups by health",
            "How many are degraded, throttled, blind or unreachable?",
            "short",
            [Query("sum by (health)(max by (phase, health)(muster_groups))", "{{health}}")],
            stacked=True,
        ),
        Panel(
            "Bots by state",
            "Is one revoked or switched off?",
            "short",
            [Query("max by (state)(muster_bots)", "{{state}}")],
            stacked=True,
        ),
        Panel(
            "What is wrong with bots",
            "Of the last check of each: webhook missing or another's, failing deliveries, a backlog at Telegram.",
            "short",
            [Query(or_zero("max by (problem)(muster_bot_problems)"), "{{problem}}")],
        ),
        Panel(
            "Group updates handled a second, by kind",
            "What do groups bring?",
            "reqps",
            [Query(or_zero(rate("muster_jobs_handled_total", "kind", 'queue="tgms_queue"')), "{{kind}}")],
            stacked=True,
        ),
        Panel(
            "Group updates in the queue",
            "Does the brain keep up?",
            "s",
            quantiles("muster_queue_latency_seconds", 'queue="tgms_queue"'),
        ),
    ],
)
DASHBOARD = Dashboard(
    "muster-brain", "Muster / Brain and lifecycle", "Leadership, loops, and the state of the fleet.", [LEAD, LOST, LIFE]
)
