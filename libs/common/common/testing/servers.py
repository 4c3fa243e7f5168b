"""Which real servers a test may use; in CI the root conftest.py turns each skip into a failure."""

from __future__ import annotations

import os

import pytest


def needed(variable: str) -> str:
    """The server's URL; the test skips, and says what to do, where it is not given."""
    url = os.environ.get(variable)
    if not url:
        pytest.skip(f"{variable} is not set; try: python -m stack servers run -- pytest")
    return url
