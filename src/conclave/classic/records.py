"""Phases 4 to 6: messages cut into fragments of 16 bytes, each with number, type, length and MAC, under AES-CBC.

::

    header   = dec(seq, 6) || type || dec(length, 6)                        13 bytes
    fragment = header || AES-256-CBC(PKCS7(piece || HMAC(piece || header)))   77 or 61 bytes

The type is ``1`` on the last fragment, which has 0 to 15 bytes of text, and ``0`` on all others, which have 16. So a
header can be one of 17 for a given number, and tells the padding: the reader never interprets a decrypted byte. It
works out what number, type, length, MAC and padding must be and compares everything of one reading at once, in time
that depends on the visible lengths alone; one error stands for all. The MAC is always over one block of SHA-256.

At 999999 a direction is used up: the link ends. Left out: the network's framing, who the peer is (``handshake``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from conclave.classic.keys import Direction
from conclave.classic.limits import MESSAGE_BYTES
from conclave.crypto.classic import TAG_BYTES, Cbc, Mac, demand_equal
from conclave.errors import LocalError, RemoteError

PIECE_BYTES: Final = 16
HEADER_BYTES: Final = 13
SEQUENCE_LAST: Final = 999_999
"""The last number that the header's six digits can say."""
FULL_BYTES: Final = HEADER_BYTES + PIECE_BYTES + TAG_BYTES + 16
"""A fragment that is not the last of its message: 77."""
LAST_BYTES: Final = HEADER_BYTES + PIECE_BYTES + TAG_BYTES
"""The last one: 61."""

_FULL: Final = b"0000016"
_LAST: Final = {b"1%06d" % length: length for length in range(PIECE_BYTES)}
_LAST_HEADERS: Final = tuple(_LAST)
_PADDING: Final = tuple(bytes((16 - length % 16,)) * (16 - length % 16) for length in range(PIECE_BYTES + 1))
"""PKCS#7 (RFC 5652 section 6.3) behind a piece of each length and its MAC."""


def fragments(length: int) -> int:
    """How many fragments a message of ``length`` bytes takes."""
    return length // PIECE_BYTES + 1


class Writer:
    """One direction's sealing end. ``first`` is the number of its first fragment."""

    __slots__ = ("_cipher", "_direction", "_iv", "_mac", "_next")

    def __init__(self, direction: Direction, first: int = 1) -> None:
        self._direction = direction
        self._mac = Mac(direction.mac_key)
        self._cipher = Cbc(direction.cipher_key)
        self._iv = direction.iv
        self._next = first

    @property
    def room(self) -> int:
        """Fragments that can still be written; at 0 the link must end."""
        return SEQUENCE_LAST + 1 - self._next

    def seal(self, message: bytes) -> bytes:
        """All fragments of ``message``, joined. Raises ``LocalError`` where there are not numbers enough left."""
        count = fragments(len(message))
        if count > self.room:
            raise LocalError("the link's sequence numbers are used up", remedy="connect again: new keys, new numbers")
        first = self._next
        full = self._seal_full(message, count - 1, first)
        sealed = full + self._seal_last(message[(count - 1) * PIECE_BYTES :], first + count - 1)
        self._next += count
        self._iv = self._direction.next_iv(message)
        return sealed

    def _seal_full(self, message: bytes, count: int, first: int) -> bytes:
        if count == 0:
            return b""
        begin = self._mac.copy
        headers, left, right = [], [], []
        at = 0
        for seq in range(first, first + count):
            header = b"%06d0000016" % seq
            headers.append(header)
            context = begin()
            context.update(message[at : at + PIECE_BYTES] + header)
            tag = context.finalize()
            left.append(tag[:16])
            right.append(tag[16:])
            at += PIECE_BYTES
        columns = (message[:at], b"".join(left), b"".join(right), _PADDING[PIECE_BYTES] * count)
        one, two, three, four = self._cipher.seal(self._iv, columns)
        sealed: list[bytes] = []
        for number, header in enumerate(headers):
            a = number * 16
            z = a + 16
            sealed += (header, one[a:z], two[a:z], three[a:z], four[a:z])
        return b"".join(sealed)

    def _seal_last(self, piece: bytes, seq: int) -> bytes:
        header = b"%06d%b" % (seq, _LAST_HEADERS[len(piece)])
        plain = piece + self._mac.tag(piece + header) + _PADDING[len(piece)]
        return header + b"".join(self._cipher.seal(self._iv, (plain[:16], plain[16:32], plain[32:])))


class Reader:
    """One direction's opening end. Of a message that is not whole, nothing is given out."""

    __slots__ = ("_cipher", "_direction", "_iv", "_limit", "_mac", "_next", "_pieces", "_waiting", "_whole")

    def __init__(self, direction: Direction, limit: int = MESSAGE_BYTES, first: int = 1) -> None:
        """``limit``: the largest message that is read (bytes); ``first``: the number of the first fragment."""
        self._direction = direction
        self._mac = Mac(direction.mac_key)
        self._cipher = Cbc(direction.cipher_key)
        self._iv = direction.iv
        self._limit = fragments(limit)
        self._next = first
        self._waiting = b""  # a fragment that is not whole
        self._pieces: list[bytes] = []  # of the message under way: verified text
        self._whole = 0  # fragments of it

    @property
    def room(self) -> int:
        """Fragments that can still come; at 0 the link must end."""
        return SEQUENCE_LAST + 1 - self._next

    @property
    def within(self) -> bool:
        """Whether an end of the stream here would cut a message short."""
        return bool(self._waiting or self._whole)

    def read(self, data: bytes) -> Iterator[bytes]:
        """Take bytes of the network, give each message that they complete.

        Raises ``VerificationError``, the same for whatever does not verify, and ``RemoteError`` for a message that
        is too long or comes after the last number. Nothing can be read after an error.
        """
        data = self._waiting + data
        self._waiting = b""
        at = 0
        while at < len(data):
            ends, last = self._scan(data, at)
            if not ends:
                break
            text = self._open(data, at, ends, last)
            at = ends[-1]
            self._pieces.append(text)
            self._whole += len(ends)
            if last is None:
                break
            message = b"".join(self._pieces)
            self._pieces, self._whole = [], 0
            self._iv = self._direction.next_iv(message)
            yield message
        self._waiting = data[at:]

    def _scan(self, data: bytes, at: int) -> tuple[list[int], bytes | None]:
        """Where the whole fragments of one message end, as their headers claim; the last one's header, if there."""
        ends: list[int] = []
        size = len(data)
        most = min(self._limit - self._whole, self.room)
        while at + HEADER_BYTES <= size:
            claim = data[at + 6 : at + HEADER_BYTES]
            full = claim == _FULL
            at += FULL_BYTES if full else LAST_BYTES
            if len(ends) >= most:
                raise RemoteError("a message is longer than is read here, or comes after the link's last number")
            if at > size:
                break
            ends.append(at)
            if not full:
                return ends, claim
        return ends, None

    def _open(self, data: bytes, at: int, ends: list[int], last: bytes | None) -> bytes:
        """The text of fragments of one message that follow each other."""
        starts = [at, *ends[:-1]]
        plain = self._cipher.open(
            self._iv, [data[start + HEADER_BYTES : end] for start, end in zip(starts, ends, strict=True)]
        )
        begin = self._mac.copy
        text: list[bytes] = []
        found: list[bytes] = []
        expected: list[bytes] = []
        seq = self._next
        full = len(ends) - (last is not None)
        at = 0
        for start in starts[:full]:
            header = b"%06d0000016" % seq
            piece = plain[at : at + PIECE_BYTES]
            context = begin()
            context.update(piece + header)
            text.append(piece)
            found += (data[start : start + HEADER_BYTES], plain[at + PIECE_BYTES : at + 64])
            expected += (header, context.finalize(), _PADDING[PIECE_BYTES])
            seq += 1
            at += 80  # the text, MAC and padding of a full piece, and a block of rubbish
        if last is not None:
            length = _LAST.get(last, 0)  # a claim that can be none is held against that of an empty piece
            header = b"%06d%b" % (seq, _LAST_HEADERS[length])
            piece = plain[at : at + length]
            text.append(piece)
            start = starts[-1]
            found += (data[start : start + HEADER_BYTES], plain[at + length : at + 48])
            expected += (header, self._mac.tag(piece + header), _PADDING[length])
            seq += 1
        demand_equal(b"".join(found), b"".join(expected))
        self._next = seq
        return b"".join(text)
