"""What a peer's store must do, whichever it is: commit a step's records at once, and give back what was kept.

``store.memory`` and ``store.peer`` both are one, and are held to the same contract tests. What both promise:

* ``commit`` is all or nothing, and what it took is on disk when it returns. Where it raises ``StorageError``,
  nothing has changed, and the store can still be used: free some space and commit again.
* A line of a sender with the same id in the same conversation is kept once; a mark on a line that is not there does
  nothing. A mark that gives a line its place in a lobby's order moves it behind what arrived before that, so that
  history has the order that everybody has.
* Marks, edits, reactions, pins and erasures of a line change it where it is. What is said of a line that has not come
  yet is kept, within bounds, and takes effect when it comes; an erasure is for good, in whatever order things come.
* An erased or expired line leaves no words behind, neither in the search index nor in the freed parts of the file.
  With it go the originals of its edits and reactions: lines of the kind *about* with the line under ``reply``, also
  such as come later; and of one that expired, what is said of it later is not kept, within bounds, until it comes
  again.
* Lines of the kind *about* are there for their signatures: of the reads, only ``line``, ``original``, ``originals``,
  ``recorded`` and ``lines_after`` give them.
* A post or an entry under a number that is taken is an error, since one of the two would be lost.
* Reads see whole commits only. They may be made while a commit runs in another thread.

Left out: what the states and bodies mean (``chat``), keys and passphrases (``store.vault``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from conclave.chat.effects import AddLine, Record
from conclave.chat.words.line import Line
from conclave.values import dataclass


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line of history as it stands now, and its position: positions grow in order of arrival, through all.

    ``line.text`` has the newest words. ``reactions`` has one tuple a sign: the sign, then who put it, both sorted.
    """

    position: int
    line: Line
    edited: bool = False
    deleted: bool = False
    pinned: bool = False
    reactions: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A line with what its author signed: ``chat.words.originals``; empty where there is none."""

    stored: StoredLine
    original: bytes

    @property
    def sender(self) -> str:
        """The line's author."""
        return self.stored.line.sender

    @property
    def id(self) -> bytes:
        """The line's name."""
        return self.stored.line.id

    @property
    def seq(self) -> int:
        """The line's place in its lobby's order."""
        return self.stored.line.seq

    @property
    def expires(self) -> float:
        """When the line disappears (UNIX seconds); 0: never."""
        return self.stored.line.expires


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


LineName = tuple[str, str, bytes]
"""A line's conversation, sender and id."""


def name_of(record: AddLine) -> LineName:
    """The line that a record adds."""
    return record.conversation, record.line.sender, record.line.id


PINS_SHOWN = 100
"""Pins of one conversation that a read gives."""


class Lines(Protocol):
    """Lines of history with what their authors signed, to be read in order."""

    def recorded(self, conversation: str, after: int, limit: int) -> list[Recorded]:
        """At most ``limit`` lines from behind the position ``after`` on, in order of arrival."""


class PeerStore(Lines, Protocol):
    """A peer's history, outbox, lobby orders and states. Every read raises ``StorageError`` where the disk does."""

    def commit(self, records: Sequence[Record]) -> frozenset[LineName]:
        """Take all of ``records``, in order, or none. On disk when it returns. Raises ``StorageError``.

        Returns which of the lines that were to be added are no news: they were there, or are erased.
        """

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

    def pinned(self, conversation: str) -> list[StoredLine]:
        """The pinned lines in order, at most the ``PINS_SHOWN`` last ones."""

    def original(self, conversation: str, sender: str, id: bytes) -> bytes | None:  # noqa: A002 - Line's own word
        """What a line's author signed, or None where that is not kept: for no such line, a notice, an erased one."""

    def originals(self, conversation: str, after_seq: int, before_seq: int, limit: int) -> list[Recorded]:
        """At most ``limit`` lines of the order between two places (both exclusive), first ones first."""

    def unmoved(self) -> AbstractContextManager[Lines]:
        """History as it is now, to be read in pieces whatever is committed meanwhile; in any one thread.

        What is erased meanwhile is overwritten on disk only once this is over.
        """

    def lines_after(self, conversation: str, seq: int) -> list[tuple[str, bytes]]:
        """Sender and id of every line past place ``seq`` of the order, in that order."""

    def certificate(self, fingerprint: bytes) -> bytes | None:
        """The certificate (DER) of that SHA-256, or None where it was never kept."""

    def certificates(self) -> Iterator[bytes]:
        """Every certificate (DER) that was kept."""

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
        """At most ``limit`` lines, last kept first, in which each word of ``text`` begins a word, case aside."""

    def close(self) -> None:
        """Let go of the files. A second call does nothing."""
