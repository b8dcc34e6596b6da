"""A reader that does what the report's own program did, mistakes included, and which of them can be chosen.

It opens one fragment after another as the report prints it: decrypt, take the padding off, compare the MAC. It never
compares the number, and says what was wrong. Nothing outside the lab has it; the shipped one is ``classic.records``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from conclave.classic.events import Arrived
from conclave.classic.keys import Direction
from conclave.classic.machine import ClassicLink
from conclave.classic.records import FULL_BYTES, HEADER_BYTES, LAST_BYTES, PIECE_BYTES, SEQUENCE_LAST, Reader
from conclave.classic.state import State
from conclave.crypto.classic import BLOCK_BYTES, Cbc, Mac
from conclave.errors import VerificationError

OFF_BY_CHECK = frozenset({"sequence", "mac", "ending"})
"""Which of ``lab.careless`` set this reader in the place of the shipped one."""


class BadPadding(VerificationError):
    """The padding is none of PKCS#7: an attacker may not be told."""


class BadMac(VerificationError):
    """The padding is right and the MAC is not: an attacker may not be told that either."""


class ReportReader(Reader):
    """As ``classic.records.Reader``, for one that leaves out what ``without`` names."""

    __slots__ = ("_seal", "_text", "_unread", "_without", "count")

    def __init__(self, direction: Direction, without: Collection[str] = ("sequence",), first: int = 1) -> None:
        super().__init__(direction, first=first)
        self._without = frozenset(without)
        self._unread = b""
        self._text = b""
        self.count = first

    @property
    def within(self) -> bool:
        """Whether an end of the stream here would cut a message short."""
        return bool(self._unread or self._text)

    @property
    def room(self) -> int:
        """It does not think of the end."""
        return SEQUENCE_LAST

    @property
    def text(self) -> bytes:
        """What it has of a message that is not whole."""
        return self._text

    def read(self, data: bytes) -> Iterator[bytes]:
        """Take bytes, give messages. Raises ``BadPadding`` or ``BadMac``."""
        self._unread += data
        while len(self._unread) >= HEADER_BYTES:
            size = FULL_BYTES if self._unread[7:HEADER_BYTES] == b"000016" else LAST_BYTES
            if len(self._unread) < size:
                return
            fragment, self._unread = self._unread[:size], self._unread[size:]
            self._text += self.open(fragment)
            if fragment[6:7] == b"1":
                message, self._text = self._text, b""
                self._iv = self._direction.next_iv(message)
                yield message

    def open(self, fragment: bytes) -> bytes:
        """The piece of one fragment. Raises ``BadPadding``, ``BadMac``, or plain ``VerificationError``."""
        header = fragment[:HEADER_BYTES]
        if "sequence" not in self._without and header[:6] != b"%06d" % self.count:
            raise VerificationError("another number than the next one", reason="bad-record")
        length = int(header[7:]) if header[7:].isdigit() else 0
        plain = Cbc(self._direction.cipher_key).open(self._iv, [fragment[HEADER_BYTES:]])
        pad = plain[-1]
        if not 1 <= pad <= BLOCK_BYTES or plain[-pad:] != bytes([pad]) * pad:
            raise BadPadding("the padding is wrong", reason="bad-record")
        piece, mac = plain[: min(length, PIECE_BYTES)], plain[min(length, PIECE_BYTES) : -pad]
        if "mac" not in self._without and mac != Mac(self._direction.mac_key).tag(piece + header):
            raise BadMac("the MAC is wrong", reason="bad-record")
        self.count += 1
        return piece


class CarelessLink(ClassicLink):
    """A classic link whose reader leaves checks out."""

    __slots__ = ("without",)

    without: frozenset[str]

    def _open(self, now: float) -> None:
        super()._open(now)
        keys = self._handshake.keys
        if keys is not None:
            theirs = keys.receiver if self.initiator else keys.sender
            self._reader = ReportReader(theirs, self.without, self._first)

    def receive_eof(self) -> None:
        """Show what there is, where that is how careless we are."""
        reader = self._reader
        if self.state is State.OPEN and "ending" in self.without and isinstance(reader, ReportReader) and reader.text:
            self._events.append(Arrived(reader.text))
        super().receive_eof()
