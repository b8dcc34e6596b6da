"""Messaging Layer Security, RFC 9420: a pure engine. ``group`` is the only door; the other files are its sections."""
