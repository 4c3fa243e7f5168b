"""What every module here is marked with."""

from __future__ import annotations

from typing import Final

import pytest

# The Kubernetes client leaves the sockets of its streams to the garbage collector.
QUIET: Final = (
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::DeprecationWarning",
)


def marks(timeout: int = 600) -> list[pytest.MarkDecorator]:
    """`cluster`: needs one, and is no part of `make test`."""
    return [pytest.mark.cluster, pytest.mark.timeout(timeout), *(pytest.mark.filterwarnings(each) for each in QUIET)]
