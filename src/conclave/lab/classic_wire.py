"""What an onlooker can tell of the classic suite's bytes: the nine messages of the handshake, then fragments.

The frames and the fragments' headers are in the clear, and of fixed size: nothing needs to be guessed.
"""

from __future__ import annotations

from collections.abc import Iterable

from conclave.classic.frames import LENGTH_BYTES
from conclave.classic.records import FULL_BYTES, HEADER_BYTES, LAST_BYTES
from conclave.crypto.classic import BLOCK_BYTES
from conclave.lab.fields import Span, cut_spans
from conclave.lab.middle import Way

MESSAGES = {
    Way.THERE: ("HELLO", "certificate", "signature", "master secret"),
    Way.BACK: ("OK", "nonce", "certificate", "ACK", "answer"),
}
"""The handshake's frames in each direction, in their order; fragments follow."""


class FragmentCutter:
    """Cuts one direction of a classic connection into frames, then fragments."""

    def __init__(self, way: Way) -> None:
        self._frames = len(MESSAGES[way])
        self._waiting = b""

    def cut(self, data: bytes) -> Iterable[bytes]:
        """Every unit that ``data`` completes."""
        self._waiting += data
        while len(self._waiting) >= HEADER_BYTES or (self._frames and len(self._waiting) >= LENGTH_BYTES):
            if self._frames and self._waiting[:LENGTH_BYTES].isdigit():
                size = LENGTH_BYTES + int(self._waiting[:LENGTH_BYTES])
            elif self._frames:  # not the classic suite: passed on as it came
                size = len(self._waiting)
            else:
                size = FULL_BYTES if self._waiting[7:HEADER_BYTES] == b"000016" else LAST_BYTES
            if len(self._waiting) < size:
                return
            self._frames = max(0, self._frames - 1)
            unit, self._waiting = self._waiting[:size], self._waiting[size:]
            yield unit


def frame_spans(frame: bytes) -> list[Span]:
    """The fields of a handshake's frame."""
    return cut_spans(("length", LENGTH_BYTES), ("body", len(frame) - LENGTH_BYTES))


def fragment_spans(fragment: bytes) -> list[Span]:
    """The fields of a fragment; a block of the cipher each."""
    blocks = (len(fragment) - HEADER_BYTES) // BLOCK_BYTES
    sizes = [(f"block {number}", BLOCK_BYTES) for number in range(1, blocks + 1)]
    return cut_spans(("seq", 6), ("type", 1), ("length", 6), *sizes)


def unit_name(way: Way, number: int) -> str:
    """What the unit of that number is."""
    names = MESSAGES[way]
    return names[number - 1] if number <= len(names) else f"fragment {number - len(names)}"


def unit_spans(way: Way, number: int, data: bytes) -> list[Span]:
    """The fields of the unit of that number."""
    return frame_spans(data) if number <= len(MESSAGES[way]) else fragment_spans(data)
