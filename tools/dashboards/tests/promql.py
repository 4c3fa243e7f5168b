"""What a PromQL expression asks for, and what there is to be asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import promql_parser
from common.telemetry import metrics
from prometheus_client.metrics import MetricWrapperBase

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
_PARTS = ("lhs", "rhs", "expr", "args", "param", "vector_selector")
_TARGET = {"job", "instance", "namespace"}  # Prometheus adds them to whatever it scrapes, in a cluster all three

# Others' metrics with the labels that are used: Prometheus's own, its Python client's, RabbitMQ's (rabbitmq_prometheus
# and its /metrics/detailed), KEDA's, kube-state-metrics'.
FOREIGN: Mapping[str, set[str]] = {
    "up": set(),
    "process_cpu_seconds_total": set(),
    "process_open_fds": set(),
    "process_resident_memory_bytes": set(),
    "process_start_time_seconds": set(),
    "rabbitmq_connections": set(),
    "rabbitmq_detailed_queue_consumers": {"queue", "vhost"},
    "rabbitmq_detailed_queue_messages": {"queue", "vhost"},
    "rabbitmq_detailed_queue_messages_ready": {"queue", "vhost"},
    "rabbitmq_detailed_queue_messages_unacked": {"queue", "vhost"},
    "rabbitmq_disk_space_available_bytes": set(),
    "rabbitmq_disk_space_available_limit_bytes": set(),
    "rabbitmq_process_resident_memory_bytes": set(),
    "rabbitmq_resident_memory_limit_bytes": set(),
    "keda_scaled_object_paused": {"scaledObject", "exported_namespace"},
    "keda_scaler_active": {"scaledObject"},
    "keda_scaler_detail_errors_total": {"scaledObject", "exported_namespace"},
    "keda_scaler_metrics_value": {"scaledObject"},
    "kube_horizontalpodautoscaler_spec_max_replicas": {"horizontalpodautoscaler"},
    "kube_horizontalpodautoscaler_status_current_replicas": {"horizontalpodautoscaler"},
}


def catalogue() -> dict[str, set[str]]:
    """Every name that Prometheus may store of ours, with its labels."""
    found = {fact.name: set(fact.labels) for fact in metrics.FLEET.facts}
    for each in vars(metrics).values():
        if isinstance(each, MetricWrapperBase):
            for suffix in _SUFFIXES[each._type]:
                found[each._name + suffix] = {*each._labelnames, *(["le"] if suffix == "_bucket" else [])}
    return found


KNOWN = {**catalogue(), **FOREIGN}


def parse(expr: str) -> Any:
    """ValueError with the parser's words."""
    return promql_parser.parse(expr.replace("$__rate_interval", "5m"))


def unknown(expr: str) -> list[str]:
    """Metrics that nobody exports, labels that they do not have."""
    return list(_unknown(parse(expr)))


def _unknown(node: Any) -> Iterator[str]:
    for each in _nodes(node):
        if isinstance(each, promql_parser.VectorSelector):
            if each.name not in KNOWN:
                yield f"metric {each.name}"
                continue
            for matcher in each.matchers.matchers:
                if matcher.name not in KNOWN[each.name] | _TARGET:
                    yield f"{each.name} has no label {matcher.name}"
        elif isinstance(each, promql_parser.AggregateExpr) and each.modifier is not None:
            have = set[str]().union(*(KNOWN.get(name, set()) for name in names(each)), _TARGET)
            yield from (f"nothing in {each} has a label {label}" for label in each.modifier.labels if label not in have)


def names(node: Any) -> set[str]:
    """The metrics under a node."""
    return {each.name for each in _nodes(node) if isinstance(each, promql_parser.VectorSelector)}


def _nodes(node: Any) -> Iterator[Any]:
    if isinstance(node, list):
        for each in node:
            yield from _nodes(each)
    elif isinstance(node, promql_parser.Expr):
        yield node
        for part in _PARTS:
            yield from _nodes(getattr(node, part, None))
