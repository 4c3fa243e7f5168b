"""Which function serves which method; names compare without case, as on the real server."""

from __future__ import annotations

from collections.abc import Mapping

from telegram_sim.methods import hooks, identity, sending
from telegram_sim.methods.call import Handler


def all_methods() -> Mapping[str, Handler]:
    """Every method by its documented name."""
    return {
        "getMe": identity.get_me,
        "logOut": identity.log_out,
        "close": identity.close,
        "setWebhook": hooks.set_webhook,
        "deleteWebhook": hooks.delete_webhook,
        "getWebhookInfo": hooks.get_webhook_info,
        "sendMessage": sending.send_message,
    }


def by_lower_name() -> Mapping[str, tuple[str, Handler]]:
    """The documented name and the function, by the name in lower case."""
    return {name.lower(): (name, handler) for name, handler in all_methods().items()}
