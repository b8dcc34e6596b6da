"""Lessons on the classic link: changed bytes, bytes put together anew, bytes sent back.

Fragments are whole or nothing: number, type, length and text are under the MAC. The handshake has no such thing:
nobody ever compares what was sent with what arrived; what carries it is that each message is of use only unchanged.
"""

from __future__ import annotations

from conclave.classic.records import HEADER_BYTES
from conclave.lab.classic_stream import called, shown
from conclave.lab.classic_wire import fragment_spans, unit_name, unit_spans
from conclave.lab.fields import cut_spans, paint
from conclave.lab.flipping import SAID, flip_everything
from conclave.lab.judging import fooled, judge, told
from conclave.lab.lesson import Lesson
from conclave.lab.middle import Way
from conclave.lab.scene import Scene
from conclave.lab.story import LinkKind


async def flip_bits(scene: Scene) -> None:
    """A bit of every field of the nine messages and of a fragment, each on a link of its own."""
    await flip_everything(
        scene.story, scene.classic,
        lambda unit: unit_spans(unit.way, unit.number, unit.data),
        lambda unit: f"unit {unit.number}, {unit_name(unit.way, unit.number)}",
        "certificates and nonce are signed, secrets are sealed with OAEP, fragments have a MAC. What can be changed "
        "unseen is a line break of a certificate's text, which means nothing; nothing compares the whole",
    )  # fmt: skip


async def splice(scene: Scene) -> None:
    """Genuine pieces in a new whole: within a fragment, across messages, across sessions."""
    said = ["pay cem 10", "pay dora 9"]
    with scene.story.attempt("the header of one message on the ciphertext of another") as attempt:
        async with scene.classic() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(*said)
            first, second = [await wire.middle.take(Way.THERE) for _ in said]
            mixed = first.data[:HEADER_BYTES] + second.data[HEADER_BYTES:]
            attempt.did(
                f"sends the header of {called(first)} with the blocks of {called(second)}",
                paint(mixed, fragment_spans(mixed), range(HEADER_BYTES, len(mixed))),
            )
            wire.middle.send(Way.THERE, mixed)
            await judge(attempt, wire.burak, said, "the MAC is over text and header together: neither fits another")

    with scene.story.attempt("the text's block of one message before the MAC's blocks of another") as attempt:
        async with scene.classic() as wire:
            wire.ayse.say("pay")
            await wire.burak.heard(1)
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(*said)
            first, second = [await wire.middle.take(Way.THERE) for _ in said]
            at = HEADER_BYTES + 16
            mixed = first.data[:HEADER_BYTES] + second.data[HEADER_BYTES:at] + first.data[at:]
            spans = cut_spans(("header", HEADER_BYTES), ("block 1 of the other", 16), ("blocks 2 and 3", 32))
            attempt.did("swaps block 1, which holds the text", paint(mixed, spans, range(HEADER_BYTES, at)))
            wire.middle.send(Way.THERE, mixed)
            await judge(attempt, wire.burak, ["pay", *said], "the MAC does not fit the other text")

    with scene.story.attempt("a fragment of yesterday's session in the same place of today's") as attempt:
        async with scene.classic() as wire:
            wire.ayse.say(said[0])
            await wire.burak.heard(1)
            old = wire.middle.passed(Way.THERE)[-1]
        async with scene.classic() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(said[1])
            await wire.middle.take(Way.THERE)
            attempt.did(f"yesterday's {called(old)} takes the place of today's", shown(old))
            wire.middle.send(Way.THERE, old.data)
            await judge(
                attempt, wire.burak, said[1:], "keys come from a nonce and a master secret that are new each time"
            )


async def reflect(scene: Scene) -> None:
    """What somebody sends comes back to him as if the other had said it."""
    with scene.story.attempt("ayse's own message back to ayse") as attempt:
        async with scene.classic() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(SAID)
            unit = await wire.middle.take(Way.THERE)
            attempt.did(f"sends {called(unit)} back to where it came from", shown(unit))
            wire.middle.send(Way.BACK, unit.data)
            await judge(
                attempt, wire.ayse, [],
                "sender and receiver have keys of their own; they share half of what goes into them, and HKDF "
                "hides it",
            )  # fmt: skip

    with scene.story.attempt("a mirror: every byte of ayse's handshake back to her") as attempt:
        async with scene.classic(dial=False) as wire:
            wire.middle.holding.update(Way)
            wire.middle.mirror = True
            opened = await wire.ayse.dial(wire.middle.port, "burak")
            attempt.did("answers her HELLO with itself", shown(wire.middle.passed(Way.THERE)[0]))
            attempt.saw("ayse", f"was shown {told(wire.ayse.texts)}; {wire.ayse.end}")
            attempt.ends(
                succeeded=opened or fooled(wire.ayse, []),
                stopped="each side says other things: a sender takes OK or BUSY, and no HELLO",
            )


LESSONS = (
    Lesson(
        "flip", "Single bits are turned over", LinkKind.CLASSIC,
        "In CBC a flipped bit of one block flips the same bit of the next one's text: without a MAC, texts could be "
        "changed without being read. Try --without mac.",
        flip_bits,
    ),
    Lesson(
        "splice", "Genuine pieces in a new whole", LinkKind.CLASSIC,
        "CBC blocks can be cut out and put together, and all fragments of a message have one IV, so that even first "
        "blocks can be exchanged. The MAC is all that stands against it.",
        splice,
    ),
    Lesson(
        "reflect", "One's own words come back", LinkKind.CLASSIC,
        "If both directions had one key, what ayse says could be shown to her as burak's answer.",
        reflect,
    ),
)  # fmt: skip
