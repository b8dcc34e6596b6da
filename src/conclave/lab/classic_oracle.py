"""A lesson in which a reader tells too much: the padding oracle of MAC-then-encrypt in CBC (Vaudenay 2002).

The leaky reader is the report's own way to read, made to say aloud what its exceptions say: that the padding was
wrong, or the MAC. The shipped reader is asked the same, and says nothing. Left out: time as an oracle; the shipped
reader's is measured by the tests of ``classic.records``.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter

from conclave.classic.keys import derive_keys
from conclave.classic.records import FULL_BYTES, HEADER_BYTES, PIECE_BYTES
from conclave.crypto.classic import BLOCK_BYTES
from conclave.errors import VerificationError
from conclave.lab.classic_stream import shown
from conclave.lab.classic_wire import fragment_spans
from conclave.lab.fields import flip, paint
from conclave.lab.judging import SETTLE_SECONDS
from conclave.lab.lesson import Lesson
from conclave.lab.middle import LOOPBACK, Unit, Way, answering, happens
from conclave.lab.report_reader import BadPadding, ReportReader
from conclave.lab.scene import Scene
from conclave.lab.story import LinkKind

KNOWN = "Dear colleagues,"
"""What mallory can guess that the message begins with: 16 bytes."""
SAID = KNOWN + "the vault: 73119" + ". Keep it."
PADDING, MAC = b"P", b"M"
_ROUND = 256


class Oracle:
    """A connection to the leaky reader: a fragment for an answer of one byte."""

    def __init__(self, reader: StreamReader, writer: StreamWriter, header: bytes) -> None:
        self._reader, self._writer, self._header = reader, writer, header
        self.asked = 0

    async def padded(self, befores: list[bytes], block: bytes) -> list[bool]:
        """For each block to stand before ``block``: whether what then comes out ends in good padding."""
        filler = bytes(FULL_BYTES - HEADER_BYTES - 2 * BLOCK_BYTES)
        self._writer.write(b"".join(self._header + filler + before + block for before in befores))
        self.asked += len(befores)
        return [answer == MAC[0] for answer in await self._reader.readexactly(len(befores))]

    async def decrypted(self, block: bytes) -> bytes:
        """What the block cipher makes of ``block``, found from its end by the padding that it can be given."""
        found = b""
        for size in range(1, BLOCK_BYTES + 1):
            rest = bytes(byte ^ size for byte in found)
            guesses = [bytes(BLOCK_BYTES - size) + bytes([guess]) + rest for guess in range(_ROUND)]
            good = [before for before, yes in zip(guesses, await self.padded(guesses, block), strict=True) if yes]
            if size == 1 and len(good) > 1:  # one of them made a longer padding by chance: change the byte before
                changed = [flip(before, BLOCK_BYTES - 2, 4) for before in good]
                good = [before for before, yes in zip(good, await self.padded(changed, block), strict=True) if yes]
            found = bytes([good[0][BLOCK_BYTES - size] ^ size]) + found
        return found


def _block(unit: Unit) -> bytes:
    return unit.data[HEADER_BYTES : HEADER_BYTES + BLOCK_BYTES]


async def oracle(scene: Scene) -> None:
    """The same questions to a leaky reader and to the shipped one."""
    async with scene.classic() as wire:
        wire.ayse.say(SAID)
        await wire.burak.heard(1)
        units = wire.middle.passed(Way.THERE)[4:]
        keys = derive_keys(wire.ayse.secret, wire.burak.nonce)

    async def leak(reader: StreamReader, writer: StreamWriter) -> None:
        victim = ReportReader(keys.sender, ())
        while True:
            fragment = await reader.readexactly(FULL_BYTES)
            try:
                victim.open(fragment)
            except BadPadding:
                writer.write(PADDING)
            except VerificationError:
                writer.write(MAC)

    with scene.story.attempt("a reader that says what was wrong", must_fail=False) as attempt:
        async with answering(leak) as port:
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            attempt.did("has recorded a message; its first piece he can guess, its second he wants", shown(units[1]))
            asked = Oracle(reader, writer, b"%06d0000016" % 1)
            first, second = [await asked.decrypted(_block(unit)) for unit in units[:2]]
            writer.transport.abort()
        text = bytes(a ^ b ^ c for a, b, c in zip(first, second, KNOWN.encode(), strict=True))
        forged = b"%06d0000016" % 1 + bytes(BLOCK_BYTES * 2) + bytes(BLOCK_BYTES - 1) + b"\x01" + _block(units[1])
        spans = fragment_spans(forged)
        attempt.did(
            f"asks {asked.asked:,} times: a block of his own before the stolen one, and “padding” or “MAC” for an "
            "answer",
            paint(forged, spans, range(HEADER_BYTES, len(forged) - BLOCK_BYTES)),
        )
        attempt.saw(
            "mallory", f"has both blocks without the IV, which they share; so the second piece is “{text.decode()}”"
        )
        attempt.ends(
            succeeded=text.decode() == SAID[PIECE_BYTES : 2 * PIECE_BYTES],
            let="the padding is checked before the MAC and the two errors can be told apart: each answer is a bit "
            "of text",
        )

    with scene.story.attempt("the shipped reader, asked the same") as attempt:
        answers: dict[tuple[bytes, str], int] = {}
        places = {"padding": FULL_BYTES - 17, "MAC": 40, "text": 13, "number": 5, "type": 6, "length": 12}
        for place in places.values():
            async with scene.classic() as wire:
                wire.middle.holding.add(Way.THERE)
                wire.ayse.say(SAID)
                unit = await wire.middle.take(Way.THERE)
                before = sum(len(one.data) for one in wire.middle.passed(Way.BACK))
                wire.middle.send(Way.THERE, flip(unit.data, place), unit.data)
                await happens(lambda: Way.BACK in wire.middle.ended, SETTLE_SECONDS)
                answer = b"".join(one.data for one in wire.middle.passed(Way.BACK))[before:]
                answers[answer, wire.burak.end] = answers.get((answer, wire.burak.end), 0) + 1
        attempt.did(f"breaks {', '.join(places)} in turn, each on a link of its own", shown(units[0]))
        for (answer, end), count in answers.items():
            attempt.saw("mallory", f"{count} times: {len(answer)} bytes for an answer; burak's side: {end}")
        attempt.ends(
            succeeded=len(answers) > 1 or any(answer for answer, _ in answers),
            stopped="it knows from the header what padding must be there, compares everything at once, has one "
            "error for "
            "all, answers nothing, and ends: there is no second question under the same keys",
        )


LESSONS = (
    Lesson(
        "oracle", "Asking the reader about the padding", LinkKind.CLASSIC,
        "If a reader's answer tells what was wrong with a broken message, the attacker asks until he has read it, "
        "without any key (Vaudenay 2002). MAC-then-encrypt in CBC invites it.",
        oracle,
        falls=True,
    ),
)  # fmt: skip
