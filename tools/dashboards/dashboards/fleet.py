"""The first look: is it alive, is anything waiting, lost or in doubt, and what is it doing."""

from __future__ import annotations

from dashboards.model import Dashboard, Panel, Query, Row
from dashboards.promql import or_zero, quantiles, rate

ALIVE = Row(
    "Is it alive, and is anything waiting, lost or in doubt?",
    [
        Panel(
            "Leaders",
            "Does exactly one brain act? 0: nothing is paced, relayed or reaped.",
            "none",
            [Query("sum(muster_tgms_leader)")],
            "stat",
            4,
            bounds=(1, 2),
            bad="outside",
        ),
        Panel(
            "Oldest delivery that waits for its turn",
            "Is the backlog older than its size explains? Compare with the ETA of what runs.",
            "s",
            [Query('max(muster_deliveries_oldest_wait_seconds{why="turn"})')],
            "stat",
            4,
            bounds=(300, 1800),
        ),
        Panel(
            "Oldest outbox row",
            "Do jobs that the broker did not take get through now?",
            "s",
            [Query("max(muster_outbox_oldest_seconds)")],
            "stat",
            4,
            bounds=(5, 30),
        ),
        Panel(
            "Deliveries in doubt",
            "How many may or may not have arrived, and wait for somebody's decision?",
            "short",
            [Query("max(muster_deliveries_unknown)")],
            "stat",
            4,
            bounds=(1, 100),
        ),
        Panel(
            "Open dead letters",
            "Which jobs will not be tried again by themselves?",
            "short",
            [Query(or_zero("sum(muster_dead_letters_open)"))],
            "stat",
            4,
            bounds=(1, 50),
        ),
        Panel(
            "Bots that must be silent",
            "How many bots has Telegram told to wait?",
            "short",
            [Query(or_zero("count(max by (bot_id)(muster_bot_flood_remaining_seconds) > 0)"))],
            "stat",
            4,
            bounds=(1, 5),
        ),
    ],
)
DOING = Row(
    "What is it doing?",
    [
        Panel(
            "Messages a second, and what is allowed",
            "How near is sending to what Telegram allows all usable bots together?",
            "reqps",
            [
                Query(or_zero(rate("muster_sends_total", match='outcome="sent"')), "sent"),
                Query("max(muster_send_ceiling_per_second)", "ceiling"),
            ],
        ),
        Panel(
            "Deliveries that wait, by why",
            "Is a backlog growing, and is it Telegram's limits, a flood, a pause or a bot that is off?",
            "short",
            [Query("max by (why)(muster_deliveries_waiting)", "{{why}}")],
            stacked=True,
        ),
        Panel(
            "From webhook to reply",
            "How long does a person wait for an answer?",
            "s",
            quantiles("muster_dm_reply_seconds", levels=(0.5, 0.95)),
        ),
        Panel(
            "Webhook requests a second, by status",
            "What does Telegram bring, and is it taken?",
            "reqps",
            [
                Query(
                    rate(
                        "http_server_request_duration_seconds_count",
                        "http_response_status_code",
                        'http_route="/api/webhooks/telegram"',
                    ),
                    "{{http_response_status_code}}",
                )
            ],
            stacked=True,
        ),
        Panel(
            "Groups by phase",
            "Does a phase grow that should not: lost, paused?",
            "short",
            [Query("sum by (phase)(max by (phase, health)(muster_groups))", "{{phase}}")],
            stacked=True,
        ),
        Panel(
            "Bots by state",
            "Is a bot revoked or switched off?",
            "short",
            [Query("max by (state)(muster_bots)", "{{state}}")],
            stacked=True,
        ),
        Panel(
            "Processes",
            "Does every component run, and how many senders has KEDA started?",
            "short",
            [Query('sum by (job)(up{job=~"ingress|tgms|sender|dm"})', "{{job}}")],
            width=12,
        ),
        Panel(
            "Versions",
            "Which versions run side by side?",
            "none",
            [Query("count by (service, version)(muster_build_info)")],
            "table",
            12,
        ),
    ],
)
DASHBOARD = Dashboard("muster-fleet", "Muster / Fleet", "The first look at a running fleet.", [ALIVE, DOING])
