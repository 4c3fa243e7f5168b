"""The sets of values that every chart is looked at with."""

from __future__ import annotations

from typing import Any

from rendering import Object, render

SERVICES = ("ingress", "tgms", "sender", "dm")
SUPPORTED = ("1.33", "1.34", "1.35", "1.36", "1.37")

_PEER = {"podSelector": {"matchLabels": {"app": "x"}}}
_PLACED: dict[str, Any] = {
    "nodeSelector": {"pool": "workers"},
    "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"podAntiAffinity": {}},
    "priorityClassName": "high",
    "serviceAccount": {"annotations": {"example.com/role": "muster"}},
    "extraEnv": [{"name": "OTEL_BSP_SCHEDULE_DELAY", "value": "1000"}],
    "command": ["python", "-X", "dev"],
}
ALL_ON: dict[str, Any] = {
    "image": {"registry": "registry.example.com/team/", "tag": "1.2.3", "pullSecrets": ["registry"]},
    "secrets": {
        "migrationDatabaseUrl": {"name": "owner", "key": "url"},
        "tracingHeaders": {"name": "", "key": "OTEL_HEADERS"},
        "caBundle": {"name": "authorities", "key": "ca.crt"},
    },
    "tracing": {"endpoint": "https://collector.example.com"},
    "podAnnotations": {"example.com/rolled": "1"},
    "podLabels": {"team": "messaging"},
    "components": {
        "ingress": {
            **_PLACED,
            "settings": {"publicUrl": "https://muster.example.com", "mediaQuota": 2000000},
            "service": {"type": "LoadBalancer", "nodePort": 30080, "annotations": {"example.com/x": "y"}},
            "ingress": {
                "enabled": True,
                "className": "nginx",
                "hosts": ["a.example.com", "b.example.com"],
                "tlsSecret": "tls",
                "annotations": {"example.com/x": "y"},
            },
        },
        "tgms": {**_PLACED, "secrets": {"databaseUrl": {"name": "brain", "key": "url"}}},
        "sender": {**_PLACED, "autoscaling": {"minReplicas": 0}, "image": {"tag": f"1.2.4@sha256:{'0' * 64}"}},
        "dm": {**_PLACED, "secrets": {"amqpUrl": {"name": "voice", "key": "url"}}},
    },
    "keda": {
        "protocol": "http",
        "secret": {"name": "keda", "key": "url"},
        "vhost": "muster",
        "tls": {"enabled": True, "caSecret": {"name": "authorities", "key": "ca.crt"}},
        "annotations": {"autoscaling.keda.sh/paused": "true"},
    },
    "migration": {"useHelmHooks": False, "annotations": {"argocd.argoproj.io/hook": "PreSync"}},
    "networkPolicy": {"ingressFrom": [_PEER], "database": {"to": [_PEER]}, "tracing": {"to": [_PEER]}},
    "monitoring": {
        "labels": {"release": "prometheus"},
        "podMonitor": {"enabled": True},
        "rules": {"enabled": True},
        "dashboards": {"enabled": True},
    },
}
ALL_OFF: dict[str, Any] = {
    "components": {name: {"enabled": False} for name in SERVICES},
    "migration": {"enabled": False},
    "networkPolicy": {"enabled": False},
}
FIXED: dict[str, Any] = {
    "components": {
        **{name: {"autoscaling": {"enabled": False}, "replicas": 3} for name in ("ingress", "sender", "dm")},
        "ingress": {"autoscaling": {"enabled": False}, "replicas": 3, "opensTokens": False, "pdb": {"enabled": False}},
    }
}
MUSTER: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "default": ((), {}),
    "dev": (("values-dev.yaml",), {}),
    "e2e": (("values-e2e.yaml",), {}),
    "prod": (("values-prod.yaml",), {}),
    "all on": ((), ALL_ON),
    "fixed size": ((), FIXED),
    "all off": ((), ALL_OFF),
}
_SERVERS = ("postgres", "rabbitmq", "telegram", "jaeger", "prometheus", "grafana")
DEVINFRA: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "default": ((), {}),
    "e2e": (("values-e2e.yaml",), {}),
    "lab": (("values-e2e.yaml", "values-lab.yaml"), {}),
    "all on": ((), {name: {"nodePort": 30090 + number} for number, name in enumerate(_SERVERS)}),
    "all off": ((), {name: {"enabled": False} for name in _SERVERS}),
}
WORKLOADS = [name for name in MUSTER if name != "all off"]


def muster(name: str) -> list[Object]:
    """The chart muster with one of its sets of values."""
    files, values = MUSTER[name]
    return render("muster", *files, values=values)


def devinfra(name: str) -> list[Object]:
    """The same for muster-devinfra."""
    files, values = DEVINFRA[name]
    return render("muster-devinfra", *files, values=values, release="infra")
