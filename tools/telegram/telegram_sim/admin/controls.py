"""/admin/reset, /admin/clock, /admin/health."""

from __future__ import annotations

from typing import Any

from telegram_sim.admin.form import Form
from telegram_sim.errors import AdminError
from telegram_sim.stage import Stage


def health(stage: Stage, _form: Form) -> dict[str, Any]:
    """GET /admin/health."""
    world = stage.world
    return {"ok": True, "bots": len(world.bots), "users": len(world.users), "effects": world.effects.log.last}


async def reset(stage: Stage, _form: Form) -> dict[str, Any]:
    """POST /admin/reset."""
    await stage.office.stop()
    stage.world.clear()
    stage.gate.restore()
    return {"ok": True}


def set_clock(stage: Stage, form: Form) -> dict[str, Any]:
    """POST /admin/clock: how fast Telegram's delays pass, and how long a webhook may take to answer."""
    scale = form.number("time_scale", stage.world.clock.time_scale)
    timeout = form.number("webhook_timeout", stage.office.postman.answer_timeout)
    if scale <= 0 or timeout <= 0:
        raise AdminError("time_scale and webhook_timeout must be above 0")
    stage.world.clock.time_scale = scale
    stage.office.postman.answer_timeout = timeout
    return {"time_scale": scale, "webhook_timeout": timeout}
