"""The hash chain of a lobby's order: each entry names the hash of the one before it.

``hash = SHA-256(label || encode_ordered(entry))``, and the entry carries the previous hash, so two members that
hold the same hash hold the same order from the first entry that both have. Left out: who may write an entry.
"""

from __future__ import annotations

from hashlib import sha256

ENTRY_LABEL = b"conclave lobby entry 1"
START_LABEL = b"conclave lobby start 1"


def start(group: bytes, leader: str) -> bytes:
    """What the first entry names as previous: 32 bytes that bind the lobby's id and its leader."""
    return sha256(START_LABEL + group + leader.encode()).digest()


def link(entry: bytes) -> bytes:
    """The hash (32 bytes) of an entry as ``encode_ordered`` wrote it."""
    return sha256(ENTRY_LABEL + entry).digest()
