"""Vercel's entry point; the cluster's image starts `python -m ingress` instead."""

from __future__ import annotations

from ingress.main import app

__all__ = ["app"]
