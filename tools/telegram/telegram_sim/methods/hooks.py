"""setWebhook, deleteWebhook, getWebhookInfo."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from telegram_sim.errors import bad_request, flood
from telegram_sim.methods.call import Call
from telegram_sim.webhook import DEFAULT_CONNECTIONS, Webhook

SECRET = re.compile(r"[A-Za-z0-9_-]+")  # W1
SECRET_LIMIT = 256  # W1
PUBLIC_PORTS = frozenset({443, 80, 88, 8443})  # W2


def set_webhook(call: Call) -> bool:
    """core.telegram.org/bots/api#setwebhook; an empty url deletes."""
    url = call.params.text("url").strip()
    if not url:
        return delete_webhook(call)
    check_url(url, local=call.office.local)
    secret = call.params.text("secret_token")
    if len(secret) > SECRET_LIMIT:
        raise bad_request("secret token is too long")
    if secret and not SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    check_pace(call)
    take_allowed_updates(call)
    connections = call.params.integer("max_connections", DEFAULT_CONNECTIONS)
    if call.params.flag("drop_pending_updates"):
        call.bot.updates.drop_pending(now=call.world.clock.now())
    hook = Webhook(url, secret_token=secret, max_connections=min(max(connections, 1), 100))
    call.office.attach(call.bot, hook)
    return True


def delete_webhook(call: Call) -> bool:
    """core.telegram.org/bots/api#deletewebhook."""
    if call.params.flag("drop_pending_updates"):
        call.bot.updates.drop_pending(now=call.world.clock.now())
    call.office.detach(call.bot)
    return True


def get_webhook_info(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#getwebhookinfo."""
    return call.bot.webhook_info()


def check_url(url: str, *, local: bool) -> None:
    """HTTPS on one of four ports, which a local server does not ask for (W2)."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError as error:
        raise bad_request("bad webhook: invalid webhook URL specified") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise bad_request("bad webhook: invalid webhook URL specified")
    if local:
        return
    if parts.scheme != "https":
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if port not in PUBLIC_PORTS:
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")


def check_pace(call: Call) -> None:
    """One setWebhook a second (W12)."""
    now = call.world.clock.steady()
    if now - call.bot.webhook_set_at < 1:
        raise flood(1)
    call.bot.webhook_set_at = now


def take_allowed_updates(call: Call) -> None:
    """Omitted keeps the previous setting, an empty list is the default set (W11)."""
    wanted = call.params.structure("allowed_updates")
    if wanted is None:
        return
    if not isinstance(wanted, list) or not all(isinstance(kind, str) for kind in wanted):
        raise bad_request("can't parse allowed updates: expected an Array of String")
    call.bot.updates.allowed = frozenset(wanted)
