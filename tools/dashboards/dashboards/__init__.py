"""Grafana's dashboards as code: what they ask is in one module each, how Grafana wants it in `model`."""

from __future__ import annotations

from dashboards import brain, conversations, fleet, infrastructure, sending
from dashboards.model import Dashboard

ALL: tuple[Dashboard, ...] = (
    fleet.DASHBOARD,
    sending.DASHBOARD,
    conversations.DASHBOARD,
    brain.DASHBOARD,
    infrastructure.DASHBOARD,
)
