"""The application object that servers are pointed at: `ingress.main:app`."""

from __future__ import annotations

import logging
import os

from common.telemetry.logs import setup_logging

from ingress.app import create_app

_level = os.environ.get("MUSTER_LOG_LEVEL", "")
# A server of the platform's imports this and nothing else; a wrong level must not keep it from answering.
setup_logging("ingress", _level if _level in logging.getLevelNamesMapping() else "INFO")

app = create_app()
