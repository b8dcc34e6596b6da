"""The port through which every word goes before it leaves, and after it came: protect and process.

A protection is a value: either verb gives the next one with its result, so that a step whose commit failed has not
moved a ratchet. ``HopByHop`` is what there is until a conversation has end-to-end keys: it adds nothing to what the
link does, and says so. Left out: links (``link``), which protect each hop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Protection(Protocol):
    """What a conversation needs of whatever protects its words. ``words`` is what fronts show of it."""

    @property
    def words(self) -> str:
        """How the conversation is protected, in plain words."""

    def protect(self, plain: bytes) -> tuple[Protection, int, bytes]:
        """The next protection, the epoch, and the payload to send."""

    def process(self, sender: str, epoch: int, payload: bytes) -> tuple[Protection, bytes]:
        """The next protection and the plain bytes. Raises ``RemoteError`` for a payload that does not hold."""


@dataclass(frozen=True, slots=True)
class HopByHop:
    """Passes the bytes through: mutual TLS protects them between two peers, and a lobby's leader reads them."""

    @property
    def words(self) -> str:
        """What fronts show."""
        return "protected hop by hop"

    def protect(self, plain: bytes) -> tuple[Protection, int, bytes]:
        """The bytes as they are, in epoch 0."""
        return self, 0, plain

    def process(self, sender: str, epoch: int, payload: bytes) -> tuple[Protection, bytes]:  # noqa: ARG002
        """The bytes as they are."""
        return self, payload


HOP_BY_HOP = HopByHop()
