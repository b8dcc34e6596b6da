"""Lessons on the default link: changed bytes, bytes put together anew, bytes sent back.

In the clear are only the two hellos and every record's header. The hellos are part of the transcript that both sides
sign and from which all keys come (RFC 8446 section 4.4); the header is authenticated with each record.
"""

from __future__ import annotations

from conclave.lab.fields import cut_spans, paint
from conclave.lab.flipping import SAID, flip_everything
from conclave.lab.judging import fooled, judge, told
from conclave.lab.lesson import Lesson
from conclave.lab.middle import Unit, Way
from conclave.lab.scene import Scene
from conclave.lab.story import LinkKind
from conclave.lab.tls_stream import hold_each, shown
from conclave.lab.tls_wire import HEADER_BYTES, TAG_BYTES, record_name, record_spans


async def flip_bits(scene: Scene) -> None:
    """A bit of every field of every record of a whole session, each on a link of its own."""
    await flip_everything(
        scene.story, scene.tls, lambda unit: record_spans(unit.data), record_title,
        "the hellos are in the transcript that both sign and draw keys from; records have a tag over header and "
        "content. What can be changed unseen (a version field kept for old boxes) nobody reads",
    )  # fmt: skip


def record_title(unit: Unit) -> str:
    """What a record is, for a list of them."""
    return f"record {unit.number}, {record_name(unit.data)}"


async def splice(scene: Scene) -> None:
    """Genuine pieces in a new whole: across two messages, and across two sessions."""
    said = ["pay cem 10", "pay dora 99"]
    with scene.story.attempt("the head of one record on the body of another") as attempt:
        async with scene.tls() as wire:
            units = await hold_each(wire, said)
            half = HEADER_BYTES + (len(units[0].data) - HEADER_BYTES - TAG_BYTES) // 2
            mixed = units[0].data[:half] + units[1].data[half : len(units[0].data)]
            names = cut_spans(
                ("header of the first", HEADER_BYTES), ("sealed by the first", half - HEADER_BYTES),
                ("taken from the second", len(mixed) - half),
            )  # fmt: skip
            attempt.did(
                f"joins the beginning of record {units[0].number} to the end of record {units[1].number}",
                paint(mixed, names, range(half, len(mixed))),
            )
            wire.middle.send(Way.THERE, mixed)
            await judge(attempt, wire.burak, said, "the tag covers the whole record, and belongs to its number")

    with scene.story.attempt("a record of yesterday's session in the same place of today's") as attempt:
        async with scene.tls() as wire:
            wire.ayse.say(said[0])
            await wire.burak.heard(1)
            old = wire.middle.passed(Way.THERE)[-1]
        async with scene.tls() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(said[1])
            new = await wire.middle.take(Way.THERE)
            attempt.did(
                f"record {new.number} of today is held; record {old.number} of yesterday takes its place", shown(old)
            )
            wire.middle.send(Way.THERE, old.data)
            await judge(attempt, wire.burak, said[1:], "every session has keys of its own, from key shares used once")


async def reflect(scene: Scene) -> None:
    """What somebody sends comes back to him as if the other had said it."""
    with scene.story.attempt("ayse's own message back to ayse") as attempt:
        async with scene.tls() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(SAID)
            unit = await wire.middle.take(Way.THERE)
            attempt.did(f"sends record {unit.number} back to where it came from", shown(unit))
            wire.middle.send(Way.BACK, unit.data)
            await judge(attempt, wire.ayse, [], "each direction has a key of its own (RFC 8446 section 7.3)")

    with scene.story.attempt("a mirror: every byte of ayse's handshake back to her") as attempt:
        async with scene.tls(dial=False) as wire:
            wire.middle.holding.update(Way)
            wire.middle.mirror = True
            opened = await wire.ayse.dial(wire.middle.port, "burak")
            hello = wire.middle.passed(Way.THERE)[0]
            attempt.did("answers her ClientHello with itself", shown(hello)[:4])
            attempt.saw("ayse", f"was shown {told(wire.ayse.texts)}; {wire.ayse.end}")
            attempt.ends(
                succeeded=opened or fooled(wire.ayse, []),
                stopped="a client takes a ServerHello and nothing else, and the server's signature names its role",
            )


LESSONS = (
    Lesson(
        "flip", "Single bits are turned over", LinkKind.TLS,
        "With many ciphers a flipped bit of ciphertext flips a bit of text, and the attacker need not be able to "
        "read what he changes. Every field of every record of a session is tried, each on a link of its own.",
        flip_bits,
    ),
    Lesson(
        "splice", "Genuine pieces in a new whole", LinkKind.TLS,
        "Every piece is genuine and the whole is a lie: halves of two messages, or yesterday's message today.",
        splice,
    ),
    Lesson(
        "reflect", "One's own words come back", LinkKind.TLS,
        "If both directions had one key, what ayse says could be shown to her as burak's answer.",
        reflect,
    ),
)  # fmt: skip
