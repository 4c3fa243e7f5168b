"""The door and the voice: requests, updates, and how long people wait for an answer."""

from __future__ import annotations

from dashboards.model import Dashboard, Panel, Query, Row
from dashboards.promql import or_zero, quantile, quantiles, rate

HTTP = "http_server_request_duration_seconds"
WEBHOOK = 'http_route="/api/webhooks/telegram"'
API = 'http_route=~"/api/.*",http_route!="/api/webhooks/telegram"'


def failures(match: str) -> str:
    """The share of 5xx."""
    failed = rate(f"{HTTP}_count", match=f'{match},http_response_status_code=~"5.."')
    return f"({failed} or vector(0)) / {rate(f'{HTTP}_count', match=match)}"


DOOR = Row(
    "The webhook: is everything taken, and quickly?",
    [
        Panel(
            "Requests a second, by status",
            "200: durable. 401: a stranger, or a rotated secret. 503: neither broker nor database; Telegram retries.",
            "reqps",
            [Query(rate(f"{HTTP}_count", "http_response_status_code", WEBHOOK), "{{http_response_status_code}}")],
            stacked=True,
        ),
        Panel(
            "Share of 5xx",
            "The objective is 99.9 % without.",
            "percentunit",
            [Query(failures(WEBHOOK), "5xx")],
            bounds=(0.001,),
        ),
        Panel(
            "Duration",
            "How long does Telegram wait? A slow webhook is given fewer connections.",
            "s",
            quantiles(HTTP, WEBHOOK),
        ),
        Panel(
            "Updates a second, by what became of them",
            "outbox: the broker was away. quarantined: nobody understood them. refused: Telegram brings them again.",
            "reqps",
            [Query(rate("muster_updates_total", "outcome"), "{{outcome}}")],
            stacked=True,
        ),
        Panel(
            "Bodies in quarantine",
            "Does Telegram send something new, or somebody garbage with a good secret?",
            "short",
            [Query("max(muster_quarantine_rows)", "rows")],
        ),
        Panel(
            "Jobs published a second, by outcome",
            "Does the broker confirm?",
            "reqps",
            [Query(rate("muster_jobs_published_total", "queue, outcome"), "{{queue}} {{outcome}}")],
        ),
    ],
)
VOICE = Row(
    "Private messages: how long from webhook to reply?",
    [
        Panel(
            "From webhook to reply",
            "From the update's arrival to Telegram's acceptance of its last reply.",
            "s",
            quantiles("muster_dm_reply_seconds"),
        ),
        Panel(
            "In the queue",
            "Are there too few dm workers? First attempts only.",
            "s",
            quantiles("muster_queue_latency_seconds", 'queue="dm_queue"'),
        ),
        Panel(
            "Handling one update",
            "Transaction, waiting for the bot's turn, and Telegram's answer.",
            "s",
            quantiles("muster_job_duration_seconds", 'queue="dm_queue"'),
        ),
        Panel(
            "Replies a second, by how they ended",
            "failed: refused by Telegram. unknown: said once more, and still no answer.",
            "reqps",
            [Query(rate("muster_dm_replies_total", "outcome"), "{{outcome}}")],
            stacked=True,
        ),
        Panel(
            "Updates handled a second, by outcome",
            "RetryLater: the ladder or the outbox has them. Reject: a dead letter.",
            "reqps",
            [Query(rate("muster_jobs_handled_total", "outcome", 'queue="dm_queue"'), "{{outcome}}")],
            stacked=True,
        ),
        Panel(
            "In flight",
            "Taken and not settled; at its limit, jobs of one user wait for each other or Telegram is slow.",
            "short",
            [Query('sum(muster_jobs_in_flight{queue="dm_queue"})', "jobs")],
        ),
    ],
)
PUBLIC = Row(
    "The API",
    [
        Panel(
            "Requests a second, by route",
            "Who asks for what?",
            "reqps",
            [
                Query(
                    rate(f"{HTTP}_count", "http_request_method, http_route", API),
                    "{{http_request_method}} {{http_route}}",
                )
            ],
        ),
        Panel(
            "Share of 5xx of the API",
            "Every 5xx is ours.",
            "percentunit",
            [Query(failures(API), "5xx")],
            bounds=(0.01,),
        ),
        Panel(
            "Duration, p95 by route",
            "Which route is slow?",
            "s",
            [Query(quantile(0.95, HTTP, "http_route", API), "{{http_route}}")],
        ),
        Panel(
            "Refused requests a second",
            "401 and 403: keys. 409: the same Idempotency-Key in use. 429: a key's own rate.",
            "reqps",
            [
                Query(
                    or_zero(
                        rate(f"{HTTP}_count", "http_response_status_code", f'{API},http_response_status_code=~"4.."')
                    ),
                    "{{http_response_status_code}}",
                )
            ],
            stacked=True,
        ),
    ],
)
DASHBOARD = Dashboard(
    "muster-conversations",
    "Muster / Webhook, replies and API",
    "Requests, updates and how long people wait.",
    [DOOR, VOICE, PUBLIC],
)
