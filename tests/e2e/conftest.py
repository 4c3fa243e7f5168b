"""One running system a file; each test finds it whole. Kept longer it would take a tenth of a core from the others."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack.servers.packages import missing

from .house import House, opened


@pytest.fixture(scope="module")
def running_house() -> Iterator[House]:
    """Started for the first test that asks."""
    if missing():
        pytest.skip("PostgreSQL and RabbitMQ are not installed; try: python -m stack servers run -- true")
    folder = Path(tempfile.mkdtemp(prefix="muster-e2e-"))
    folder.chmod(0o711)  # the servers' own users have to pass
    with opened(folder) as house:
        yield house


@pytest.fixture
def house(running_house: House) -> House:
    """Whole, whatever the test before did to it."""
    running_house.restored()
    return running_house


@pytest.fixture
def ada(house: House) -> int:
    """A person who has not written yet."""
    return house.simulator.user("Ada")
