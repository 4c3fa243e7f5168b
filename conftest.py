"""Rules and fixtures for all tests of the tree; under MUSTER_FORBID_SKIPS=1, which CI sets, a skipped test fails."""

from __future__ import annotations

import pytest

pytest_plugins = (
    "common.testing.skips",
    "common.testing.postgres",
    "common.testing.rabbitmq",
    "common.testing.otlp",
    "common.testing.spans",
    "stack.testing",
)

# The tools, the whole system, and files that wait for Telegram's limits: once is enough, whatever the Python.
_SLOW = (
    "libs/common/tests/store/",  # SQL is the same on each
    "tests/",
    "tools/",
    "services/ingress/tests/test_cold.py",
    "services/ingress/tests/test_markup.py",
    "services/ingress/tests/test_once_machine.py",
    "services/sender/tests/test_broadcast.py",
    "services/sender/tests/test_in_doubt.py",
    "services/sender/tests/test_long_texts.py",
    "services/sender/tests/test_media.py",
    "services/sender/tests/test_revisions.py",
    "services/sender/tests/test_target_sets.py",
)


# The whole system answers one message: that has to work on each Python.
_EVERYWHERE = ("tests/e2e/test_dm_reply.py",)

# Begun first, the longest first, so that no core waits for the other's last file. All others come as they are found.
_LONGEST = (
    "services/sender/tests/test_revisions.py",
    "tools/stack/tests/test_whole.py",
    "tests/e2e/test_shutdown.py",
    "tests/e2e/test_canary.py",
    "tests/e2e/",
    "libs/common/tests/store/test_ledger_machine.py",
    "libs/common/tests/store/test_limiter_machine.py",
    "services/sender/tests/",
    "services/ingress/tests/test_markup.py",
    "tools/stack/tests/",
    "libs/common/tests/bus/test_broker_killed.py",
    "services/ingress/tests/test_once_machine.py",
    "services/ingress/tests/test_cold.py",
    "libs/common/tests/store/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the slow ones, and puts the longest first."""
    for item in items:
        if item.nodeid.startswith(_SLOW) and not item.nodeid.startswith(_EVERYWHERE):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: next((n for n, name in enumerate(_LONGEST) if item.nodeid.startswith(name)), 99))
