"""One installation a session, in the cluster of KUBECONFIG; a failure tells what pods, events and logs say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from .fleet import Fleet, assembled
from .site import Site, from_environment, opened


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Both charts, ready; an error where there is no cluster."""
    with opened(from_environment()) as found:
        yield found


@pytest.fixture
async def fleet(site: Site) -> AsyncIterator[Fleet]:
    """For a test's own bots."""
    async with assembled(site) as found:
        yield found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    """While the namespace is still there."""
    report = yield
    site = getattr(item, "funcargs", {}).get("site")
    if report.failed and site is not None:
        try:
            report.sections.append(("the cluster", "\n".join(site.cluster.story())))
        except Exception as error:  # noqa: BLE001 (the failure itself has to be seen)
            report.sections.append(("the cluster", f"says nothing: {error}"))
    return report
