"""promtool, the judge of rules, and what the chart calls things."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from stack import prometheus
from stack.errors import StackError
from stack.helm import helm
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


@pytest.fixture(scope="session")
def senders_hpa() -> str:
    """The autoscaler that KEDA makes for senders, by its name in the rendered chart."""
    chart = Path(__file__).parents[3] / "charts" / "muster"
    try:
        words = [str(helm()), "template", "muster", str(chart), "--show-only", "templates/keda.yaml"]
    except StackError as error:
        pytest.skip(str(error))
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    [scaled] = [
        each
        for each in yaml.safe_load_all(done.stdout)
        if each["kind"] == "ScaledObject" and each["spec"]["scaleTargetRef"]["name"].endswith("-sender")
    ]
    return str(scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["name"])
