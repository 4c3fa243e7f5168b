"""Telegram's markup read into text and entities, by the same rules for who accepts a text and who sends it."""
