"""Rules and fixtures for all tests of the tree; under MUSTER_FORBID_SKIPS=1, which CI sets, a skipped test fails."""

from __future__ import annotations

pytest_plugins = (
    "common.testing.skips",
    "common.testing.postgres",
    "common.testing.rabbitmq",
    "common.testing.otlp",
    "common.testing.spans",
    "stack.testing",
)
