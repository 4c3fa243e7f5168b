"""The catalogue: every instrument of every service is made here once. Ids of chats and users are never labels."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

PUBLISHED = Counter("muster_jobs_published", "Jobs handed to the broker, by how it ended.", ["queue", "outcome"])
HANDLED = Counter("muster_jobs_handled", "Jobs taken from a queue, by how they ended.", ["queue", "kind", "outcome"])
HANDLE_SECONDS = Histogram("muster_job_duration_seconds", "Time to handle one job.", ["queue", "kind"], buckets=_FAST)
QUEUE_SECONDS = Histogram(
    "muster_queue_latency_seconds", "From published to taken, first attempts only.", ["queue"], buckets=_FAST
)
IN_FLIGHT = Gauge("muster_jobs_in_flight", "Jobs taken and not settled.", ["queue"])
DEAD_LETTERS = Counter("muster_jobs_dead_lettered", "Jobs that became a row in dead_letters.", ["queue", "cause"])
RECONNECTS = Counter("muster_consumer_reconnects", "Times a consumer lost its connection.", ["queue"])
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
ACQUIRE_SECONDS = Histogram("muster_store_acquire_seconds", "Wait for a database connection.", buckets=_FAST)
OUTBOX_PENDING = Gauge("muster_outbox_pending", "Outbox rows that are due and not published.")
OUTBOX_AGE_SECONDS = Gauge("muster_outbox_oldest_seconds", "Age of the oldest due outbox row.")
OUTBOX_RELAYED = Counter("muster_outbox_relayed", "Outbox rows published.")
LEADER = Gauge("muster_tgms_leader", "1 where this process holds the lease.")
REPLIES = Counter("muster_dm_replies", "Replies to private messages, by how they ended.", ["outcome"])
WEBHOOK_REQUESTS = Counter("muster_webhook_requests", "Requests to webhooks, by what became of them.", ["outcome"])
