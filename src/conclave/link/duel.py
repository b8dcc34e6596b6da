"""Which of two links to the same peer stays: a rule that both ends apply alone and alike.

Two peers that dial each other at once get two links. Both keep the one that the smaller handle dialled; of two
dialled from the same side (a reconnect that overtook the end of the old link), the newer. Left out: closing the
other, which is the node's business.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from conclave.errors import LocalError


class Dialled(Protocol):
    """A link, as far as the rule needs it."""

    @property
    def initiator(self) -> bool:
        """Whether our side dialled."""


L = TypeVar("L", bound=Dialled)


def survivor(ours: str, theirs: str, older: L, newer: L) -> L:
    """The link to keep, where ``ours`` and ``theirs`` are the handles at the two ends.

    Raises ``LocalError`` for a link to oneself, between whose ends the rule cannot choose.
    """
    if ours == theirs:
        raise LocalError(f"{ours} has a link to itself")
    if older.initiator == newer.initiator:
        return newer
    return older if older.initiator == (ours < theirs) else newer
