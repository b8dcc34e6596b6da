"""What a peer's store must do, whichever it is: commit a step's records at once, and give back what was kept.

``store.memory`` and ``store.peer`` both are one, and are held to the same contract tests. What both promise:

* ``commit`` is all or nothing, and what it took is on disk when it returns. Where it raises ``StorageError``,
  nothing has changed, and the store can still be used: free some space and commit again.
* A line of a sender with the same id in the same conversation is kept once; a mark on a line that is not there does
  nothing. A mark that gives a line its place in a lobby's order moves it behind what arrived before that, so that
  history has the order that everybody has.
* A post or an entry under a number that is taken is an error, since one of the two would be lost.
* Reads see whole commits only. They may be made while a commit runs in another thread.

Left out: what the states and bodies mean (``chat``), keys and passphrases (``store.vault``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from conclave.chat.effects import Line, Record


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line of history and its position: positions grow in order of arrival, through all conversations."""

    position: int
    line: Line


@dataclass(frozen=True, slots=True)
class Conversation:
    """What there is of one conversation: at least one line."""

    name: str
    count: int
    last: StoredLine


@dataclass(frozen=True, slots=True)
class Found:
    """A line that a search found."""

    conversation: str
    position: int
    line: Line


class PeerStore(Protocol):
    """A peer's history, outbox, lobby orders and states. Every read raises ``StorageError`` where the disk does."""

    def commit(self, records: Sequence[Record]) -> None:
        """Take all of ``records``, in order, or none. On disk when it returns. Raises ``StorageError``."""

    def states(self, prefix: str = "") -> list[tuple[str, bytes]]:
        """Keys that begin with ``prefix``, in order of the key, and their values."""

    def lines(
        self, conversation: str, *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[StoredLine]:
        """At most ``limit`` lines in order of arrival, of those between the two positions (both exclusive).

        With ``after`` the first ones, to follow from a position; without it the last ones, to leaf back.
        """

    def line(self, conversation: str, sender: str, id: bytes) -> StoredLine | None:  # noqa: A002 - Line's own word
        """One line by its name, or None."""

    def conversations(self) -> list[Conversation]:
        """All conversations, the one with the latest line first."""

    def posts(self, peer: str, first: int, count: int) -> list[tuple[int, int, bytes]]:
        """At most ``count`` posts of the outbox to ``peer`` from number ``first`` on: number, kind, body."""

    def outbox(self) -> dict[str, tuple[int, int, int]]:
        """For every peer with posts in the outbox: their first number, last number, and count."""

    def entries(self, group: bytes, first: int, count: int) -> list[bytes]:
        """At most ``count`` entries of the lobby's order from ``first`` on."""

    def heads(self) -> dict[bytes, tuple[int, bytes]]:
        """For every lobby with entries: the last one's number and the entry."""

    def search(self, text: str, limit: int) -> list[Found]:
        """At most ``limit`` lines, latest first, in which each word of ``text`` begins a word, case aside."""

    def close(self) -> None:
        """Let go of the files. A second call does nothing."""
