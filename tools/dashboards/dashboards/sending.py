"""Broadcasts: why something waits, who is rate-limited, how punctual senders are, what became of each attempt."""

from __future__ import annotations

from dashboards.model import Dashboard, Panel, Query, Row
from dashboards.promql import or_zero, quantile, quantiles, rate

CALLS = "muster_telegram_request_seconds_count"
FLOODS = rate(CALLS, match='outcome="flood"')
SENT = rate("muster_sends_total", match='outcome="sent"')
BACKLOG = Row(
    "Is a backlog growing, and why?",
    [
        Panel(
            "Deliveries that wait, by why",
            "turn: Telegram's limits. later: a retry or a closed window. flood: Telegram said so. paused, bot_off: us.",
            "short",
            [Query("max by (why)(muster_deliveries_waiting)", "{{why}}")],
            stacked=True,
        ),
        Panel(
            "Oldest wait, by why",
            "For how long has the oldest of each been due?",
            "s",
            [Query("max by (why)(muster_deliveries_oldest_wait_seconds)", "{{why}}")],
        ),
        Panel(
            "Broadcasts that have not ended",
            "How many compete for the same bots?",
            "short",
            [Query("max by (state)(muster_broadcasts_open)", "{{state}}")],
            stacked=True,
        ),
        Panel(
            "Share of what Telegram allows",
            "With work waiting, near 1 is as fast as it gets; below, look at slots, lateness and floods.",
            "percentunit",
            [
                Query(
                    f"({SENT} or vector(0)) / max(muster_send_ceiling_per_second > 0)",
                    "share",
                )
            ],
        ),
        Panel(
            "Bots with the most to send",
            "Whose groups wait longest?",
            "short",
            [Query("topk(10, max by (bot_id)(muster_bot_deliveries_waiting))", "{{bot_id}}")],
            "bargauge",
        ),
        Panel(
            "Recalls and edits to do",
            "Do they take slots from broadcasts?",
            "short",
            [Query("max(muster_revision_items_waiting)", "messages")],
        ),
    ],
)
LIMITS = Row(
    "Who is rate-limited?",
    [
        Panel(
            "Bots that must be silent, and for how long",
            "Which bots did Telegram ask to wait? 0: they may send.",
            "s",
            [Query("topk(10, max by (bot_id)(muster_bot_flood_remaining_seconds))", "{{bot_id}}")],
            "bargauge",
        ),
        Panel(
            "429 answers a second, by scope",
            "A chat's flood stops a chat, a bot's a bot. Steady numbers mean that pacing is wrong.",
            "reqps",
            [Query(or_zero(rate("muster_telegram_flood_wait_seconds_count", "scope")), "{{scope}}")],
        ),
        Panel(
            "Bots whose rate was halved",
            "Times in this interval: 429s in three chats within five seconds, or a long one.",
            "short",
            [Query(or_zero("sum(increase(muster_bot_floods_total[$__rate_interval]))"), "bots")],
        ),
        Panel(
            "Share of calls answered 429",
            "More than one in a hundred calls is too many.",
            "percentunit",
            [
                Query(
                    f"({FLOODS} or vector(0)) / {rate(CALLS)}",
                    "429",
                )
            ],
            bounds=(0.01,),
        ),
        Panel(
            "Send slots of usable bots",
            "held: a call is under way. cooling: it counts in Telegram's second. free: nothing to send, or no sender.",
            "short",
            [Query("max by (state)(muster_send_slots)", "{{state}}")],
            stacked=True,
        ),
    ],
)
SENDERS = Row(
    "Are senders punctual, and what becomes of their calls?",
    [
        Panel(
            "Attempts a second, by how they ended",
            "sent, failed, in doubt, or to be tried again?",
            "reqps",
            [Query(rate("muster_sends_total", "outcome"), "{{outcome}}")],
            stacked=True,
        ),
        Panel(
            "From slot to call",
            "Are senders too few or too busy? They should call at the slot.",
            "s",
            quantiles("muster_send_lateness_seconds"),
        ),
        Panel(
            "Earliest slot that nobody has taken up",
            "Is a job lost, or no sender there? The reaper gives it another slot after 5 seconds.",
            "s",
            [Query("max(muster_deliveries_late_seconds)", "late")],
            bounds=(5,),
        ),
        Panel(
            "Deliveries in hand",
            "How much is between its slot and its end?",
            "short",
            [Query("max by (state)(muster_deliveries_in_hand)", "{{state}}")],
        ),
        Panel(
            "Bot API latency, p95 by method",
            "Is Telegram slow?",
            "s",
            [Query(quantile(0.95, "muster_telegram_request_seconds", "method"), "{{method}}")],
        ),
        Panel(
            "Bot API answers a second, by class",
            "What does Telegram refuse?",
            "reqps",
            [Query(rate("muster_telegram_request_seconds_count", "outcome"), "{{outcome}}")],
            stacked=True,
        ),
        Panel(
            "Deliveries in doubt",
            "Each is a crash or a call without an answer; nobody guesses.",
            "short",
            [Query("max(muster_deliveries_unknown)", "unknown")],
        ),
        Panel(
            "Settled by the reaper",
            "orphans: a sender died in a call. unslotted: a job was lost. stuck: a slot nobody gave back.",
            "short",
            [Query(or_zero("sum by (what)(increase(muster_reaped_total[$__rate_interval]))"), "{{what}}")],
        ),
        Panel(
            "Senders alive",
            "Does the database hear from as many as run?",
            "short",
            [
                Query("max(muster_senders_alive)", "say so"),
                Query(or_zero('sum(up{job="sender"})'), "scraped"),
            ],
        ),
    ],
)
DASHBOARD = Dashboard(
    "muster-sending",
    "Muster / Broadcasts and senders",
    "Why deliveries wait, who is rate-limited, and how sending goes.",
    [BACKLOG, LIMITS, SENDERS],
)
