"""Lessons on the classic link: old fragments, another order, missing ones, and the end of the numbers.

The number is in the header in the clear, and under the MAC; the reader takes exactly the next one. (The report's own
reader never compared it: ``--without sequence``.) What the suite lacks is a word for the end.
"""

from __future__ import annotations

from conclave.classic.records import LAST_BYTES, SEQUENCE_LAST, fragments
from conclave.lab.classic_wire import fragment_spans, unit_name, unit_spans
from conclave.lab.fields import paint
from conclave.lab.judging import SETTLE_SECONDS, fooled, judge, told
from conclave.lab.lesson import Lesson
from conclave.lab.middle import Unit, Way, happens, play
from conclave.lab.scene import Scene
from conclave.lab.story import Field, LinkKind

NUMBERED = "the reader takes exactly the next number, and the number is under the MAC: anything else ends the link"
NO_WORD = (
    "between two messages the suite has no word for goodbye: a connection that ends there looks like somebody who "
    "hung up"
)
REPORTS = "Transfer 38 lira to the account of cem."[:38]
"""38 bytes, as in the report's section 2.6: three fragments."""


def shown(unit: Unit) -> tuple[Field, ...]:
    """A unit's bytes, by field."""
    return paint(unit.data, unit_spans(unit.way, unit.number, unit.data))


def called(unit: Unit) -> str:
    """What a unit is."""
    return unit_name(unit.way, unit.number)


async def replay(scene: Scene) -> None:
    """A fragment, a message, a whole session."""
    with scene.story.attempt("one fragment twice, within its message") as attempt:
        async with scene.classic() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(REPORTS)
            units = [await wire.middle.take(Way.THERE) for _ in range(fragments(len(REPORTS)))]
            attempt.did(f"lets {called(units[0])} pass twice, then the rest", shown(units[0]))
            wire.middle.send(Way.THERE, units[0].data, *(unit.data for unit in units))
            await judge(attempt, wire.burak, [REPORTS], NUMBERED)

    with scene.story.attempt("a message twice") as attempt:
        async with scene.classic() as wire:
            wire.ayse.say("pay cem 10")
            await wire.burak.heard(1)
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say("pay cem 10")
            unit = await wire.middle.take(Way.THERE)
            wire.middle.send(Way.THERE, unit.data)
            await wire.burak.heard(2)
            attempt.did(f"waits until burak has read two payments, and sends {called(unit)} again", shown(unit))
            attempt.aside(
                "the IV fits: it comes from the first four bytes of the message before, and those are the same"
            )
            wire.middle.send(Way.THERE, unit.data)
            await judge(attempt, wire.burak, ["pay cem 10"] * 2, NUMBERED)

    with scene.story.attempt("a whole session again, to burak's own port") as attempt:
        async with scene.classic() as wire:
            wire.ayse.say("pay cem 10")
            await wire.burak.heard(1)
            old = [unit.data for unit in wire.middle.passed(Way.THERE)]
            attempt.did(
                f"plays all {len(old)} units that ayse sent, {sum(map(len, old)):,} bytes, on a new connection"
            )
            answer = await play(wire.burak.port, old)
            attempt.saw("burak", f"answered with {len(answer):,} bytes, the last of them “{_last_word(answer)}”")
            attempt.ends(
                succeeded=len(wire.burak.asked) > 1 or len(wire.burak.texts) != 1,
                stopped="the signature is over burak's nonce, and that is a new one for every connection",
            )


def _last_word(answer: bytes) -> str:
    return answer[-6:].decode("ascii", errors="replace").lstrip("0123456789")


async def reorder(scene: Scene) -> None:
    """Fragments of a message, and messages, change places."""
    with scene.story.attempt("two fragments of one message change places") as attempt:
        async with scene.classic() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(REPORTS)
            one, two, three = [await wire.middle.take(Way.THERE) for _ in range(3)]
            attempt.did(f"sends {called(two)} before {called(one)}", shown(two))
            wire.middle.send(Way.THERE, two.data, one.data, three.data)
            await judge(attempt, wire.burak, [REPORTS], NUMBERED)

    said = ["do not pay", "wait for my call"[:15]]
    with scene.story.attempt("two messages change places") as attempt:
        async with scene.classic() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(*said)
            first, second = [await wire.middle.take(Way.THERE) for _ in range(2)]
            attempt.did(f"sends {called(second)} before {called(first)}", shown(second))
            wire.middle.send(Way.THERE, second.data, first.data)
            await judge(attempt, wire.burak, said, NUMBERED)


async def drop(scene: Scene) -> None:
    """A fragment, a message, and the end."""
    with scene.story.attempt("the middle fragment of three is swallowed") as attempt:
        async with scene.classic() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(REPORTS)
            one, two, three = [await wire.middle.take(Way.THERE) for _ in range(3)]
            attempt.did(f"swallows {called(two)}", shown(two))
            wire.middle.send(Way.THERE, one.data, three.data)
            await judge(attempt, wire.burak, [REPORTS], NUMBERED)

    said = ["pay cem 10", "no, stop", "thank you"]
    with scene.story.attempt("the second of three messages is swallowed") as attempt:
        async with scene.classic() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(*said)
            units = [await wire.middle.take(Way.THERE) for _ in said]
            attempt.did(f"swallows {called(units[1])}", shown(units[1]))
            wire.middle.send(Way.THERE, units[0].data, units[2].data)
            await judge(attempt, wire.burak, said, NUMBERED)

    with scene.story.attempt("the last message is swallowed, and the connection ended", must_fail=False) as attempt:
        async with scene.classic() as wire:
            wire.ayse.say(said[0])
            await wire.burak.heard(1)
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(said[1])
            unit = await wire.middle.take(Way.THERE)
            attempt.did(f"swallows {called(unit)} and hangs up on both", shown(unit))
            wire.middle.hang_up()
            await judge(attempt, wire.burak, said[:2], "", NO_WORD)


async def truncate(scene: Scene) -> None:
    """The report's message of 38 bytes is cut at each of its fragments (its section 3.3)."""
    count = fragments(len(REPORTS))
    for cut in range(1, count):
        with scene.story.attempt(f"cut after fragment {cut} of {count}") as attempt:
            async with scene.classic() as wire:
                wire.middle.holding.add(Way.THERE)
                wire.ayse.say(REPORTS)
                units = [await wire.middle.take(Way.THERE) for _ in range(count)]
                attempt.did(f"lets {cut} of {count} pass, and hangs up", shown(units[cut - 1]))
                wire.middle.send(Way.THERE, *(unit.data for unit in units[:cut]))
                wire.middle.hang_up()
                await judge(
                    attempt, wire.burak, [REPORTS],
                    "only a fragment of type 1 ends a message: without it nothing of the message is shown",
                )  # fmt: skip

    with scene.story.attempt("cut after fragment 1, its type changed to the last one's") as attempt:
        async with scene.classic() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(REPORTS)
            one = await wire.middle.take(Way.THERE)
            forged = one.data[:6] + b"1" + one.data[7:]
            attempt.did("writes type 1 into the first fragment", paint(forged, fragment_spans(forged), [6]))
            wire.middle.send(Way.THERE, forged)
            wire.middle.hang_up()
            await judge(
                attempt, wire.burak, [REPORTS], "the type is under the MAC, and a last piece has under 16 bytes"
            )

    with scene.story.attempt("cut in the middle of the last fragment") as attempt:
        async with scene.classic() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(REPORTS)
            data = b"".join([(await wire.middle.take(Way.THERE)).data for _ in range(count)])
            attempt.did(f"lets {len(data) - LAST_BYTES // 2} of {len(data)} bytes pass, and hangs up")
            wire.middle.send(Way.THERE, data[: -(LAST_BYTES // 2)])
            wire.middle.hang_up()
            await judge(attempt, wire.burak, [REPORTS], "a fragment that is not whole is not even opened")

    with scene.story.attempt("cut before the message's first fragment", must_fail=False) as attempt:
        async with scene.classic() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(REPORTS)
            unit = await wire.middle.take(Way.THERE)
            attempt.did(f"lets not even {called(unit)} pass, and hangs up", shown(unit))
            wire.middle.hang_up()
            await judge(attempt, wire.burak, [REPORTS], "", NO_WORD)


async def exhaust(scene: Scene) -> None:
    """The last six-digit number."""
    start = SEQUENCE_LAST - 4
    said = [f"message {n}" for n in range(1, 6)]
    with scene.story.attempt("beyond 999999, where six digits have no number any more") as attempt:
        async with scene.classic(first=start) as wire:
            wire.ayse.say(*said[:-1])
            await wire.burak.heard(4)
            old = next(unit for unit in wire.middle.passed(Way.THERE) if unit.data.startswith(b"%06d" % start))
            wire.ayse.say(said[-1])
            await wire.burak.heard(5)
            last = wire.middle.passed(Way.THERE)[-1]
            attempt.did("lets a link run that begins just below the end; its last fragment", shown(last))
            forged = b"000001" + old.data[6:]
            attempt.did(
                "sends an old fragment on with the number that would come next",
                paint(forged, fragment_spans(forged), range(6)),
            )
            wire.middle.send(Way.THERE, forged)
            await happens(lambda: wire.burak.ended and wire.ayse.ended, SETTLE_SECONDS)
            highest = max(
                int(unit.data[:6]) for unit in wire.middle.passed(Way.THERE) if len(unit.data) == LAST_BYTES
            )
            attempt.saw("ayse", wire.ayse.end)
            attempt.saw("burak", f"was shown {told(wire.burak.texts)}; {wire.burak.end}")
            attempt.ends(
                succeeded=fooled(wire.burak, said) or highest > SEQUENCE_LAST or not wire.ayse.ended,
                stopped=f"at {SEQUENCE_LAST} the link ends at both sides: a new handshake, new keys, numbers from "
                "1. No "
                "number is used twice under one key",
            )


LESSONS = (
    Lesson(
        "replay", "Old bytes are sent again", LinkKind.CLASSIC,
        "The report's section 3.1. Its numbers are there for this, but its own reader never compared them: the check "
        "that is not made protects nobody. Try --without sequence.",
        replay,
    ),
    Lesson(
        "reorder", "Fragments and messages change places", LinkKind.CLASSIC,
        "Every fragment is genuine; their order is not. The number that is under the MAC gives each its place.",
        reorder,
    ),
    Lesson(
        "drop", "A fragment, a message, the end disappear", LinkKind.CLASSIC,
        "A gap in the numbers shows, as soon as something comes after it. If nothing does, the suite cannot tell a "
        "goodbye from a cut: it has no message that says so.",
        drop,
        falls=True,
    ),
    Lesson(
        "truncate", "A message is cut at each fragment", LinkKind.CLASSIC,
        "The report's section 3.3, with its own example of 38 bytes: pieces of 16, 16 and 6, types 0, 0, 1. Within a "
        "message every cut shows; before it, none does.",
        truncate,
        falls=True,
    ),
    Lesson(
        "exhaust", "The numbers run out", LinkKind.CLASSIC,
        "Six digits end at 999999. Whoever starts again at 1 under the same keys makes old fragments good again.",
        exhaust,
    ),
)  # fmt: skip
