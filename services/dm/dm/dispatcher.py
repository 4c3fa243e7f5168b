"""One dispatcher for every bot: routers in the order in which they are asked."""

from __future__ import annotations

from aiogram import Dispatcher

from dm.middlewares import CommandLeavesMiddleware, PatienceMiddleware, StateMiddleware
from dm.routers import basics, fallback, feedback, language, membership


def build_dispatcher(*, commands_per_minute: int) -> Dispatcher:
    """aiogram's own FSM is off: its storage is one for all, ours is one transaction's."""
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.update.outer_middleware(StateMiddleware())
    dispatcher.message.outer_middleware(PatienceMiddleware(commands_per_minute))
    dispatcher.message.outer_middleware(CommandLeavesMiddleware())
    dispatcher.include_routers(basics.build(), language.build(), feedback.build(), membership.build(), fallback.build())
    return dispatcher
