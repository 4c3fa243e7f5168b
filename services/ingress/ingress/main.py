"""The application object that servers are pointed at: `ingress.main:app`."""

from __future__ import annotations

from ingress.app import create_app

app = create_app()
