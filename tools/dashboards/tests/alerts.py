"""Series under which each alert fires, and some under which it must not: promtool evaluates the real rules on them.

Series are written as promtool's own notation has it: `1x20` is 1 and twenty more samples of it, `0+60x20` grows by 60 a
minute, `_x20` is nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

WEBHOOK = (
    'http_server_request_duration_seconds_count{http_route="/api/webhooks/telegram",http_response_status_code="%s"}'
)
SLOW_WEBHOOK = 'http_server_request_duration_seconds_bucket{http_route="/api/webhooks/telegram",le="%s"}'
CALLS = 'muster_telegram_request_seconds_count{outcome="%s"}'
READY = 'rabbitmq_detailed_queue_messages_ready{queue="%s"}'
CONSUMERS = 'rabbitmq_detailed_queue_consumers{queue="%s"}'
SENDERS_HPA = "SENDERS-HPA"  # stands for the name that the chart gives it
HPA = f'kube_horizontalpodautoscaler_%s{{horizontalpodautoscaler="{SENDERS_HPA}"}}'
SOMEBODYS_HPA = 'kube_horizontalpodautoscaler_%s{horizontalpodautoscaler="somebody"}'
TICK = 'muster_tgms_last_tick_timestamp_seconds{loop="%s"}'
TURN = 'muster_deliveries_waiting{why="turn"}'
SENT = 'muster_sends_total{outcome="sent"}'
HANDLED = 'muster_jobs_handled_total{queue="%s",outcome="%s"}'
NODE = 'rabbitmq_resident_memory_limit_bytes{instance="r"}'


@dataclass(frozen=True)
class Case:
    """`fires` and each of `quiet` are series; `labels` are what the alert is told apart by; asked after `minutes`.

    `also` are further series that it fires under, with the same labels. `apart` is False where two releases under one
    Prometheus can't be told apart: the metrics are the broker's own, or there are none.
    """

    fires: Mapping[str, str]
    quiet: list[Mapping[str, str]]
    labels: Mapping[str, str] = field(default_factory=dict)
    minutes: int = 30
    also: list[Mapping[str, str]] = field(default_factory=list)
    apart: bool = True


CASES: Mapping[str, Case] = {
    "MusterNoLeader": Case(
        {"muster_tgms_leader": "0x40"},
        [{"muster_tgms_leader": "1x40"}, {"muster_tgms_leader": "1x29 0 1x10"}],
        also=[{}],
    ),
    "MusterTwoLeaders": Case(
        {'muster_tgms_leader{instance="a"}': "1x40", 'muster_tgms_leader{instance="b"}': "1x40"},
        [{'muster_tgms_leader{instance="a"}': "1x40", 'muster_tgms_leader{instance="b"}': "0x40"}],
    ),
    "MusterLoopLate": Case(
        {TICK % "pacer": "0+60x20 1200x20"},
        # housekeeping rests for a minute between its rounds, health waits for Telegram in one; a process that led
        # before still shows its last one
        [
            {TICK % "pacer": "0+60x40", TICK % "housekeeping": "0+60x26 1560x14", TICK % "health": "0+60x26 1560x14"},
            {
                'muster_tgms_last_tick_timestamp_seconds{loop="pacer",instance="old"}': "60x40",
                TICK % "pacer": "0+60x40",
            },
        ],
        {"loop": "pacer"},
    ),
    "MusterFleetNotCounted": Case(
        {"muster_tgms_leader": "1x40"},
        [{"muster_tgms_leader": "1x40", "muster_tgms_epoch": "7x40"}, {"muster_tgms_leader": "0x40"}],
    ),
    "MusterOutboxStuck": Case(
        {"muster_outbox_oldest_seconds": "0+60x40"},
        [{"muster_outbox_oldest_seconds": "0x28 45 0x10"}],
    ),
    "MusterDeadLetters": Case(
        {'muster_dead_letters_open{queue="dm_queue",cause="rejected"}': "2x40"},
        [{'muster_dead_letters_open{queue="dm_queue",cause="rejected"}': "0x40"}],
        {"queue": "dm_queue"},
    ),
    "MusterSendingStalled": Case(
        {TURN: "100x40", SENT: "500x40"},
        [
            {TURN: "100x40", SENT: "0+60x40"},
            {TURN: "0x40", SENT: "500x40"},
            {'muster_deliveries_waiting{why="paused"}': "100x40", TURN: "0x40"},
        ],
    ),
    "MusterBacklogOld": Case(
        {'muster_deliveries_oldest_wait_seconds{why="turn"}': "6000+60x60"},
        [
            {'muster_deliveries_oldest_wait_seconds{why="turn"}': "0+60x60"},
            {'muster_deliveries_oldest_wait_seconds{why="paused"}': "9000x60"},
        ],
        minutes=50,
    ),
    "MusterSendersLate": Case(
        {"muster_deliveries_late_seconds": "5x40"},
        [{"muster_deliveries_late_seconds": "0.4x40"}, {"muster_deliveries_late_seconds": "0x29 5 0x9"}],
    ),
    "MusterSendersAtMaximum": Case(
        {
            READY % "group_message_queue": "900x40",
            HPA % "status_current_replicas": "20x40",
            HPA % "spec_max_replicas": "20x40",
        },
        [
            {
                READY % "group_message_queue": "900x40",
                HPA % "status_current_replicas": "12x40",
                HPA % "spec_max_replicas": "20x40",
            },
            {
                READY % "group_message_queue": "30x40",
                HPA % "status_current_replicas": "20x40",
                HPA % "spec_max_replicas": "20x40",
            },
            {
                READY % "group_message_queue": "900x40",
                HPA % "status_current_replicas": "2x40",
                HPA % "spec_max_replicas": "20x40",
                SOMEBODYS_HPA % "status_current_replicas": "20x40",
                SOMEBODYS_HPA % "spec_max_replicas": "20x40",
            },
        ],
        {"horizontalpodautoscaler": SENDERS_HPA},
        apart=False,
    ),
    "MusterDeliveriesInDoubt": Case({"muster_deliveries_unknown": "3x40"}, [{"muster_deliveries_unknown": "0x40"}]),
    "MusterFloods": Case(
        {CALLS % "flood": "0+5x40", CALLS % "ok": "0+95x40"},
        [{CALLS % "flood": "0+1x40", CALLS % "ok": "0+999x40"}, {CALLS % "flood": "5x40", CALLS % "ok": "0+95x40"}],
    ),
    "MusterBotFlooded": Case(
        {'muster_bot_flood_remaining_seconds{bot_id="7"}': "9000-60x40"},
        [
            {'muster_bot_flood_remaining_seconds{bot_id="7"}': "0x40"},
            {'muster_bot_flood_remaining_seconds{bot_id="7"}': "60x40"},
        ],
        {"bot_id": "7"},
    ),
    "MusterBotUnusable": Case(
        {'muster_bot_problems{problem="webhook_missing"}': "1x40"},
        [{'muster_bots{state="revoked"}': "0x40", 'muster_bots{state="disabled"}': "3x40"}],
        {"problem": "webhook_missing"},
    ),
    "MusterWebhookErrorsFast": Case(
        {WEBHOOK % "503": "0+3x120", WEBHOOK % "200": "0+97x120"},
        # some errors are within the budget; an hour ago is over
        [
            {WEBHOOK % "503": "0+1x120", WEBHOOK % "200": "0+999x120"},
            {WEBHOOK % "503": "0+30x80 2400x40", WEBHOOK % "200": "0+97x120"},
            {WEBHOOK % "401": "0+50x120", WEBHOOK % "200": "0+50x120"},
        ],
        minutes=100,
    ),
    "MusterWebhookErrorsSlow": Case(
        {WEBHOOK % "503": "0+8x400", WEBHOOK % "200": "0+992x400"},
        [{WEBHOOK % "503": "0+1x400", WEBHOOK % "200": "0+999x400"}],
        minutes=380,
    ),
    "MusterWebhookSlow": Case(
        {SLOW_WEBHOOK % "1": "0+90x40", SLOW_WEBHOOK % "2.5": "0+100x40", SLOW_WEBHOOK % "+Inf": "0+100x40"},
        [{SLOW_WEBHOOK % "0.5": "0+100x40", SLOW_WEBHOOK % "1": "0+100x40", SLOW_WEBHOOK % "+Inf": "0+100x40"}],
    ),
    "MusterRepliesSlow": Case(
        {
            'muster_dm_reply_seconds_bucket{le="10"}': "0+80x40",
            'muster_dm_reply_seconds_bucket{le="30"}': "0+100x40",
            'muster_dm_reply_seconds_bucket{le="+Inf"}': "0+100x40",
        },
        [
            {
                'muster_dm_reply_seconds_bucket{le="1"}': "0+98x40",
                'muster_dm_reply_seconds_bucket{le="+Inf"}': "0+100x40",
            }
        ],
    ),
    "MusterUpdatesQuarantined": Case(
        {'muster_updates_total{outcome="quarantined"}': "0+1x100"},
        [
            {'muster_updates_total{outcome="quarantined"}': "3x100"},
            {'muster_updates_total{outcome="published"}': "0+900x100"},
        ],
        minutes=90,
    ),
    "MusterQueueWithoutConsumers": Case(
        {CONSUMERS % "dm_queue": "0x40"},
        # senders may be none while there is nothing to send
        [
            {CONSUMERS % "dm_queue": "2x40", CONSUMERS % "tgms_queue": "1x40"},
            {CONSUMERS % "group_message_queue": "0x40", READY % "group_message_queue": "0x40"},
        ],
        {"queue": "dm_queue"},
    ),
    "MusterNothingConsumed": Case(
        {READY % "dm_queue": "40x40", HANDLED % ("tgms_queue", "done"): "0+9x40"},
        [
            {READY % "dm_queue": "40x40", HANDLED % ("dm_queue", "done"): "0+9x40"},
            {READY % "dm_queue": "40x40", HANDLED % ("dm_queue", "Reject"): "0+9x40"},
            {READY % "dm_queue": "0x40"},
        ],
        {"queue": "dm_queue"},
        # held jobs are tried again and again, which is no progress
        also=[
            {READY % "dm_queue": "40x40", HANDLED % ("dm_queue", outcome): "0+9x40"}
            for outcome in ("StoreUnavailable", "BrokerUnavailable", "HandBack")
        ],
        apart=False,
    ),
    "MusterBrokerNotSeen": Case(
        {},
        [
            {READY % "dm_queue": "0x40", CONSUMERS % "dm_queue": "2x40", NODE: "100x40"},
            {READY % "dm_queue": "0x12 _x5 0x30", CONSUMERS % "dm_queue": "2x40", NODE: "100x40"},
        ],
        # another's queues are not ours, and each of the three families is needed
        also=[
            {READY % "somebodys": "0x40", CONSUMERS % "somebodys": "2x40", NODE: "100x40"},
            {READY % "dm_queue": "0x40", NODE: "100x40"},
            {READY % "dm_queue": "0x40", CONSUMERS % "dm_queue": "2x40"},
        ],
        apart=False,
    ),
    "MusterBrokerBlocks": Case(
        {
            'rabbitmq_process_resident_memory_bytes{instance="r"}': "95x40",
            'rabbitmq_resident_memory_limit_bytes{instance="r"}': "100x40",
        },
        [
            {
                'rabbitmq_process_resident_memory_bytes{instance="r"}': "50x40",
                'rabbitmq_resident_memory_limit_bytes{instance="r"}': "100x40",
                'rabbitmq_disk_space_available_bytes{instance="r"}': "900x40",
                'rabbitmq_disk_space_available_limit_bytes{instance="r"}': "50x40",
            }
        ],
        {"instance": "r"},
    ),
    "MusterProcessDown": Case(
        {'up{job="dm",instance="a"}': "0x40"},
        [{'up{job="dm",instance="a"}': "1x40"}, {'up{job="somebody",instance="a"}': "0x40"}],
        {"job": "dm", "instance": "a"},
    ),
    "MusterProcessRestarts": Case(
        {'process_start_time_seconds{job="dm",instance="a"}': "0+100x40"},
        [{'process_start_time_seconds{job="dm",instance="a"}': "100x28 1800x12"}],
        {"job": "dm", "instance": "a"},
    ),
    "MusterLoopHeldUp": Case(
        {
            'muster_loop_lag_seconds_bucket{job="dm",le="1"}': "0+50x40",
            'muster_loop_lag_seconds_bucket{job="dm",le="2.5"}': "0+60x40",
            'muster_loop_lag_seconds_bucket{job="dm",le="+Inf"}': "0+60x40",
        },
        [
            {
                'muster_loop_lag_seconds_bucket{job="dm",le="0.001"}': "0+59x40",
                'muster_loop_lag_seconds_bucket{job="dm",le="0.1"}': "0+60x40",
                'muster_loop_lag_seconds_bucket{job="dm",le="+Inf"}': "0+60x40",
            }
        ],
        {"job": "dm"},
    ),
    "MusterDatabaseWait": Case(
        {
            'muster_store_acquire_seconds_bucket{job="dm",le="0.5"}': "0+50x40",
            'muster_store_acquire_seconds_bucket{job="dm",le="1"}': "0+60x40",
            'muster_store_acquire_seconds_bucket{job="dm",le="+Inf"}': "0+60x40",
        },
        [
            {
                'muster_store_acquire_seconds_bucket{job="dm",le="0.01"}': "0+60x40",
                'muster_store_acquire_seconds_bucket{job="dm",le="+Inf"}': "0+60x40",
            }
        ],
        {"job": "dm"},
    ),
    "MusterScalerErrors": Case(
        {'keda_scaler_detail_errors_total{scaledObject="muster-sender"}': "0+2x40"},
        [
            {'keda_scaler_detail_errors_total{scaledObject="muster-sender"}': "9x40"},
            {'keda_scaler_detail_errors_total{scaledObject="somebodys"}': "0+2x40"},
        ],
        {"scaledObject": "muster-sender"},
    ),
    "MusterScalingPaused": Case(
        {'keda_scaled_object_paused{scaledObject="muster-sender"}': "1x60"},
        [
            {'keda_scaled_object_paused{scaledObject="muster-sender"}': "0x60"},
            {'keda_scaled_object_paused{scaledObject="muster-sender"}': "0x40 1x20"},
            {'keda_scaled_object_paused{scaledObject="somebodys"}': "1x60"},
        ],
        {"scaledObject": "muster-sender"},
        minutes=50,
    ),
}
