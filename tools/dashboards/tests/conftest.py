"""promtool, the judge of rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from stack import prometheus
from stack.errors import StackError
from stack.prometheus import Prometheus


@pytest.fixture(scope="session")
def binaries() -> Prometheus:
    """Fetched where they are missing."""
    try:
        return prometheus.have()
    except StackError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def promtool(binaries: Prometheus) -> Path:
    """Of the same version as the server."""
    return binaries.promtool
