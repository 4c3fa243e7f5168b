"""The catalogue: every instrument of every service is made here once.

Labels are bounded: words of ours, queues, routes, and bots where the fleet bounds them. Ids of chats and users never.
docs/observability.md says what each is for.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from common.telemetry.snapshot import Fact, Snapshot

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAITS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)

# --- every process ---
BUILD = Gauge("muster_build_info", "1 for the version that runs.", ["service", "version"])
ACQUIRE_SECONDS = Histogram("muster_store_acquire_seconds", "Wait for a database connection.", buckets=_FAST)
LOOP_LAG_SECONDS = Histogram(
    "muster_loop_lag_seconds", "How late a worker's event loop came back to a timer of a second.", buckets=_FAST
)

# --- jobs ---
PUBLISHED = Counter("muster_jobs_published", "Jobs handed to the broker, by how it ended.", ["queue", "outcome"])
HANDLED = Counter("muster_jobs_handled", "Jobs taken from a queue, by how they ended.", ["queue", "kind", "outcome"])
HANDLE_SECONDS = Histogram("muster_job_duration_seconds", "Time to handle one job.", ["queue", "kind"], buckets=_FAST)
QUEUE_SECONDS = Histogram(
    "muster_queue_latency_seconds", "From published to taken, first attempts only.", ["queue"], buckets=_FAST
)
IN_FLIGHT = Gauge("muster_jobs_in_flight", "Jobs taken and not settled.", ["queue"])
DEAD_LETTERS = Counter("muster_jobs_dead_lettered", "Jobs that became a row in dead_letters.", ["queue", "cause"])
RECONNECTS = Counter("muster_consumer_reconnects", "Times a consumer lost its connection.", ["queue"])

# --- Telegram ---
TELEGRAM_SECONDS = Histogram(
    "muster_telegram_request_seconds",
    "Bot API calls, by method and class of answer.",
    ["method", "outcome"],
    buckets=_FAST,
)
FLOOD_WAIT_SECONDS = Histogram(
    "muster_telegram_flood_wait_seconds",
    "retry_after of 429 answers.",
    ["scope"],
    buckets=(1, 2, 5, 10, 30, 60, 300, 3600),
)
BOT_FLOODS = Counter("muster_bot_floods", "Times a bot was stopped by 429s and its rate halved.")

# --- ingress: OpenTelemetry's own name and labels for HTTP servers, so that anybody's dashboard knows them ---
HTTP_SECONDS = Histogram(
    "http_server_request_duration_seconds",
    "Requests by route template and status; the webhook is one of the routes.",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)
UPDATES = Counter("muster_updates", "Updates that proved their bot, by what became of them.", ["outcome"])

# --- sender ---
SENDS = Counter("muster_sends", "Attempts at a delivery's message, by how they ended.", ["outcome"])
SEND_LATENESS_SECONDS = Histogram(
    "muster_send_lateness_seconds", "From a delivery's slot to its call, by the database's clock.", buckets=_FAST
)

# --- dm ---
REPLIES = Counter("muster_dm_replies", "Replies to private messages, by how they ended.", ["outcome"])
REPLY_SECONDS = Histogram(
    "muster_dm_reply_seconds", "From an update's arrival at the webhook to its last reply's acceptance.", buckets=_WAITS
)

# --- tgms: what the leading process does ---
LEADER = Gauge("muster_tgms_leader", "1 where this process holds the lease.")
TICK_SECONDS = Histogram("muster_tgms_tick_seconds", "One round of a loop that went well.", ["loop"], buckets=_FAST)
TICK_FAILURES = Counter("muster_tgms_tick_failures", "Rounds that a server's absence or a lost lease ended.", ["loop"])
LAST_TICK = Gauge("muster_tgms_last_tick_timestamp_seconds", "When a loop's last round that went well ended.", ["loop"])
OUTBOX_RELAYED = Counter("muster_outbox_relayed", "Outbox rows published.")
WEBHOOK_REQUESTS = Counter("muster_webhook_requests", "Requests to webhooks, by what became of them.", ["outcome"])
REAPED = Counter("muster_reaped", "What the reaper settled for others, by what it was.", ["what"])

# --- tgms: the state of the fleet, told by the leader alone ---
EPOCH: Final = Fact("muster_tgms_epoch", "The lease's epoch: grows with each change of leader.")
DELIVERIES_WAITING: Final = Fact(
    "muster_deliveries_waiting", "Deliveries of open broadcasts that have no slot yet, by why.", ("why",)
)
DELIVERIES_OLDEST: Final = Fact(
    "muster_deliveries_oldest_wait_seconds", "For how long the oldest of them has been due, by why.", ("why",)
)
DELIVERIES_IN_HAND: Final = Fact(
    "muster_deliveries_in_hand", "Deliveries with a slot and no end yet: slotted or sending.", ("state",)
)
DELIVERIES_LATE: Final = Fact(
    "muster_deliveries_late_seconds", "How long ago the earliest slot was that no sender has taken up."
)
DELIVERIES_UNKNOWN: Final = Fact(
    "muster_deliveries_unknown", "Deliveries that may or may not have arrived, and nobody has decided."
)
BROADCASTS: Final = Fact("muster_broadcasts_open", "Broadcasts that have not ended, by state.", ("state",))
REVISIONS_WAITING: Final = Fact("muster_revision_items_waiting", "Messages that a recall or an edit has yet to reach.")
SEND_CEILING: Final = Fact(
    "muster_send_ceiling_per_second", "Messages a second that the bots who may send now are allowed, all together."
)
SEND_SLOTS: Final = Fact("muster_send_slots", "Send slots of usable bots: free, held, or cooling down.", ("state",))
BOTS: Final = Fact("muster_bots", "Bots by state.", ("state",))
BOT_PROBLEMS: Final = Fact("muster_bot_problems", "Bots by what the last look at each found wrong.", ("problem",))
BOT_FLOOD: Final = Fact(
    "muster_bot_flood_remaining_seconds",
    "For how long Telegram has asked a bot to be silent; 0: it may send.",
    ("bot_id",),
)
BOT_WAITING: Final = Fact("muster_bot_deliveries_waiting", "Deliveries that wait for one bot.", ("bot_id",))
GROUPS: Final = Fact("muster_groups", "Groups by phase and health.", ("phase", "health"))
SENDERS: Final = Fact("muster_senders_alive", "Senders that said so in the last seconds.")
OUTBOX_PENDING: Final = Fact("muster_outbox_pending", "Outbox rows that are due and not published.")
OUTBOX_OLDEST: Final = Fact("muster_outbox_oldest_seconds", "For how long the oldest of them has been due.")
DEAD_LETTERS_OPEN: Final = Fact("muster_dead_letters_open", "Dead letters that nobody has decided.", ("queue", "cause"))
QUARANTINED: Final = Fact("muster_quarantine_rows", "Webhook bodies kept because nobody could understand them.")
CENSUS_SECONDS: Final = Fact("muster_census_seconds", "How long the database took to tell all of this.")

FLEET: Final = Snapshot([each for each in list(globals().values()) if isinstance(each, Fact)])
REGISTRY.register(FLEET)
