"""The Bot API's methods: one module a topic, one function a method, joined in registry.py."""

from __future__ import annotations
