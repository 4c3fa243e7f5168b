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
    "libs/common/tests/store/test_ledger_machine.py",
    "libs/common/tests/store/test_limiter_machine.py",
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks them."""
    for item in items:
        if item.nodeid.startswith(_SLOW):
            item.add_marker(pytest.mark.slow)
