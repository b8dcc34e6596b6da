"""Conclave: secure team chat on an organisation's own trust and its own machines."""

__version__ = "0.1.0"
