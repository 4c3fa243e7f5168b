"""What Muster stands on: queues, the broker, KEDA, processes, the database as they see it."""

from __future__ import annotations

from dashboards.model import Dashboard, Panel, Query, Row
from dashboards.promql import or_zero, quantile, rate

QUEUES = 'queue=~"group_message_queue|tgms_queue|dm_queue"'
SERVICES = 'job=~"ingress|tgms|sender|dm"'
BROKER = Row(
    "Queues and the broker",
    [
        Panel(
            "Ready messages, by queue",
            "More than a few seconds of work on group_message_queue means: too few senders.",
            "short",
            [Query(f"sum by (queue)(rabbitmq_detailed_queue_messages_ready{{{QUEUES}}})", "{{queue}}")],
        ),
        Panel(
            "Unacknowledged messages, by queue",
            "What do consumers hold?",
            "short",
            [Query(f"sum by (queue)(rabbitmq_detailed_queue_messages_unacked{{{QUEUES}}})", "{{queue}}")],
        ),
        Panel(
            "Consumers, by queue",
            "0 on group_message_queue is KEDA's doing while it is empty; elsewhere nobody works.",
            "short",
            [Query(f"sum by (queue)(rabbitmq_detailed_queue_consumers{{{QUEUES}}})", "{{queue}}")],
        ),
        Panel(
            "Retries and dead letters at the broker",
            "What climbs the ladder? Dead queues are emptied into the database by the brain.",
            "short",
            [
                Query('sum(rabbitmq_detailed_queue_messages{queue=~".+[.]retry[.].+"})', "retries"),
                Query('sum(rabbitmq_detailed_queue_messages{queue=~".+[.]dead"})', "dead"),
            ],
        ),
        Panel(
            "Broker's memory, share of its limit",
            "At 1 it blocks publishers: updates take the outbox.",
            "percentunit",
            [
                Query(
                    "sum by (instance)(rabbitmq_process_resident_memory_bytes)"
                    " / sum by (instance)(rabbitmq_resident_memory_limit_bytes)",
                    "{{instance}}",
                )
            ],
            bounds=(0.7, 0.9),
        ),
        Panel(
            "Broker's free disk",
            "Below its limit it blocks publishers.",
            "bytes",
            [
                Query("min(rabbitmq_disk_space_available_bytes)", "free"),
                Query("max(rabbitmq_disk_space_available_limit_bytes)", "limit"),
            ],
        ),
        Panel(
            "Connections",
            "Does something connect again and again?",
            "short",
            [Query("sum(rabbitmq_connections)", "connections")],
        ),
        Panel(
            "Consumers that connected anew",
            "Lost connections, and those that a watchdog gave up.",
            "short",
            [
                Query(
                    or_zero("sum by (queue)(increase(muster_consumer_reconnects_total[$__rate_interval]))"), "{{queue}}"
                )
            ],
        ),
        Panel(
            "Publishes that were not confirmed, a second",
            "unavailable: the broker. unroutable: a queue is missing; run the topology step.",
            "reqps",
            [Query(or_zero(rate("muster_jobs_published_total", "outcome", 'outcome!="confirmed"')), "{{outcome}}")],
        ),
    ],
)
SCALING = Row(
    "Scaling",
    [
        Panel(
            "What KEDA reads",
            "The depth that it scales on.",
            "short",
            [Query("max by (scaledObject)(keda_scaler_metrics_value)", "{{scaledObject}}")],
        ),
        Panel(
            "Processes",
            "What did it make of it?",
            "short",
            [Query(f"sum by (job)(up{{{SERVICES}}})", "{{job}}")],
        ),
        Panel(
            "Scaler errors",
            "Can KEDA read the queues?",
            "short",
            [
                Query(
                    or_zero("sum by (scaledObject)(increase(keda_scaler_detail_errors_total[$__rate_interval]))"),
                    "{{scaledObject}}",
                )
            ],
        ),
        Panel(
            "Active scalers",
            "1: there is work, 0: it may go down to its minimum.",
            "short",
            [Query("max by (scaledObject)(keda_scaler_active)", "{{scaledObject}}")],
        ),
        Panel(
            "Paused",
            "Did somebody pause scaling and forget it?",
            "short",
            [Query(or_zero("max by (scaledObject)(keda_scaled_object_paused)"), "{{scaledObject}}")],
        ),
    ],
)
PROCESSES = Row(
    "Processes",
    [
        Panel(
            "CPU, cores by component",
            "Is somebody at the limit?",
            "short",
            [Query(f"sum by (job)(rate(process_cpu_seconds_total{{{SERVICES}}}[$__rate_interval]))", "{{job}}")],
        ),
        Panel(
            "Memory, the largest process of each",
            "Does somebody grow?",
            "bytes",
            [Query(f"max by (job)(process_resident_memory_bytes{{{SERVICES}}})", "{{job}}")],
        ),
        Panel(
            "Starts in the last hour",
            "Does somebody crash again and again? Rollouts and scaling start processes, too.",
            "short",
            # Changes of a process in the same pod, and one more where the first that was seen is itself new.
            [
                Query(
                    f"sum by (job)(changes(process_start_time_seconds{{{SERVICES}}}[1h])"
                    f" + (min_over_time(process_start_time_seconds{{{SERVICES}}}[1h]) > bool (time() - 3600)))",
                    "{{job}}",
                )
            ],
        ),
        Panel(
            "Event loop lag, p99",
            "Does something hold a worker's loop up?",
            "s",
            [Query(quantile(0.99, "muster_loop_lag_seconds", "job"), "{{job}}")],
            bounds=(0.5,),
        ),
        Panel(
            "Wait for a database connection, p95",
            "Are pools too small, or the database slow?",
            "s",
            [Query(quantile(0.95, "muster_store_acquire_seconds", "job"), "{{job}}")],
            bounds=(0.25,),
        ),
        Panel(
            "Open files, the most of each",
            "Does somebody leak connections?",
            "short",
            [Query(f"max by (job)(process_open_fds{{{SERVICES}}})", "{{job}}")],
        ),
    ],
)
DASHBOARD = Dashboard(
    "muster-infrastructure",
    "Muster / Queues, scaling and processes",
    "RabbitMQ, KEDA and the processes.",
    [BROKER, SCALING, PROCESSES],
)
