"""/admin/faults and /admin/limits."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from telegram_sim.admin.form import Form
from telegram_sim.errors import AdminError
from telegram_sim.faults import KINDS, FaultRule
from telegram_sim.latency import Latency, read_latency
from telegram_sim.limits import MODES
from telegram_sim.stage import Stage

RULE_FIELDS = frozenset(
    {
        "kind", "method", "bot_id", "chat_id", "probability", "times", "effect",
        "retry_after", "error_code", "description", "parameters",
    }
)  # fmt: skip


def show_faults(stage: Stage, _form: Form) -> dict[str, Any]:
    """GET /admin/faults: the rules, with how often each has struck."""
    return {"rules": [asdict(rule) for rule in stage.gate.faults.rules], "latency": str(stage.gate.latency)}


def set_faults(stage: Stage, form: Form) -> dict[str, Any]:
    """PUT /admin/faults: these rules and no others; rules or latency stay when they are not named."""
    old = stage.gate.faults.rules
    rules = [read_rule(rule, stage) for rule in form.items("rules")] if form.has("rules") else old
    if form.has("latency"):
        stage.gate.latency = read_latency(str(form.values["latency"]))
    stage.gate.faults.rules = rules
    return show_faults(stage, form)


def clear_faults(stage: Stage, form: Form) -> dict[str, Any]:
    """DELETE /admin/faults: no rules and no latency."""
    stage.gate.faults.rules = []
    stage.gate.latency = Latency()
    return show_faults(stage, form)


def read_rule(given: Any, stage: Stage) -> FaultRule:
    """A rule with known fields and a known kind."""
    if not isinstance(given, dict):
        raise AdminError("each rule must be an object")
    unknown = given.keys() - RULE_FIELDS
    if unknown:
        raise AdminError(f"unknown field in a rule: {', '.join(sorted(unknown))}")
    if given.get("kind") not in KINDS:
        raise AdminError(f"kind must be one of {', '.join(KINDS)}")
    method = given.get("method")
    if method is not None and str(method).lower() not in stage.gate.methods:
        raise AdminError(f"no such method: {method}")
    rule = FaultRule(**{name: value for name, value in given.items() if value is not None})
    if not 0 <= rule.probability <= 1:
        raise AdminError("probability must be from 0 to 1")
    return rule


def show_limits(stage: Stage, _form: Form) -> dict[str, Any]:
    """GET /admin/limits."""
    return asdict(stage.gate.limiter.settings)


def set_limits(stage: Stage, form: Form) -> dict[str, Any]:
    """PUT /admin/limits: what is not named stays; the windows start empty."""
    mode = form.text("mode", stage.gate.limiter.settings.mode)
    if mode not in MODES:
        raise AdminError("mode must be off, strict or penalty")
    old = stage.gate.limiter.settings
    numbers = {
        name: form.number(name, getattr(old, name)) for name in ("per_bot", "per_chat", "per_group_minute", "penalty")
    }
    if min(numbers.values()) <= 0:
        raise AdminError("limits must be above 0")
    stage.gate.limiter.settings = replace(old, mode=mode, **numbers)
    stage.gate.limiter.windows.clear()
    return show_limits(stage, form)
