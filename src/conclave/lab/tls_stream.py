"""Lessons on the default link: old bytes, bytes in another order, missing bytes.

TLS 1.3 counts records on both sides without sending the count: it is part of the nonce (RFC 8446 section 5.3). A
record opens as the n-th of its direction and session, or not at all; and no link survives one that does not open.
"""

from __future__ import annotations

from collections.abc import Iterable

from conclave.lab.fields import paint
from conclave.lab.judging import SETTLE_SECONDS, fooled, judge, told
from conclave.lab.lesson import Lesson
from conclave.lab.middle import Unit, Way, happens, play
from conclave.lab.scene import Scene
from conclave.lab.story import Field, LinkKind
from conclave.lab.tls_peer import TlsWire
from conclave.lab.tls_wire import record_spans

COUNTED = (
    "the record's number is part of its nonce (RFC 8446 section 5.3): it opens only in its own place; the first "
    "record that does not open ends the link"
)
LONG = "the minutes of the meeting, " * 1500
"""42,000 characters: three records of TLS."""


def shown(unit: Unit) -> tuple[Field, ...]:
    """A record's bytes, by field."""
    return paint(unit.data, record_spans(unit.data))


async def hold_each(wire: TlsWire, said: Iterable[str]) -> list[Unit]:
    """Texts that ayse says, each held in a record of its own."""
    wire.middle.holding.add(Way.THERE)
    units = []
    for text in said:
        wire.ayse.say(text)
        units.append(await wire.middle.take(Way.THERE))
    return units


async def replay(scene: Scene) -> None:
    """A record, a message of several records, a whole session."""
    with scene.story.attempt("one record twice") as attempt:
        async with scene.tls() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say("pay cem 10")
            unit = await wire.middle.take(Way.THERE)
            wire.middle.send(Way.THERE, unit.data)
            await wire.burak.heard(1)
            attempt.did(
                f"lets record {unit.number} pass, waits until burak has read it, and sends it again", shown(unit)
            )
            wire.middle.send(Way.THERE, unit.data)
            await judge(attempt, wire.burak, ["pay cem 10"], COUNTED)

    with scene.story.attempt("a message of several records twice") as attempt:
        async with scene.tls() as wire:
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(LONG)
            units = await wire.middle.take_bytes(Way.THERE, len(LONG))
            wire.middle.send(Way.THERE, *(unit.data for unit in units))
            await wire.burak.heard(1)
            attempt.did(
                f"records a message of {len(LONG):,} characters, {len(units)} records, and sends all of it again"
            )
            wire.middle.send(Way.THERE, *(unit.data for unit in units))
            await judge(attempt, wire.burak, [LONG], COUNTED)

    with scene.story.attempt("a whole session again, to burak's own port") as attempt:
        async with scene.tls() as wire:
            wire.ayse.say("pay cem 10")
            await wire.burak.heard(1)
            wire.ayse.goodbye()
            await wire.burak.over()
            old = [unit.data for unit in wire.middle.passed(Way.THERE)]
            attempt.did(
                f"plays all {len(old)} records that ayse sent, {sum(map(len, old)):,} bytes, on a new connection"
            )
            before = len(wire.burak.met)
            answer = await play(wire.burak.port, old)
            attempt.saw("burak", f"answered with {len(answer):,} bytes of a new handshake; {wire.burak.end}")
            attempt.ends(
                succeeded=len(wire.burak.met) > before or len(wire.burak.texts) != 1,
                stopped="burak's key share and random are fresh for every connection: the old answers fit no new key",
            )


async def reorder(scene: Scene) -> None:
    """Two messages change places."""
    said = ["do not pay", "wait for my call"]
    with scene.story.attempt("the second message before the first") as attempt:
        async with scene.tls() as wire:
            units = await hold_each(wire, said)
            attempt.did(
                f"holds records {units[0].number} and {units[1].number}, and sends the later one first",
                shown(units[1]),
            )
            wire.middle.send(Way.THERE, units[1].data, units[0].data)
            await judge(attempt, wire.burak, said, COUNTED)


async def drop(scene: Scene) -> None:
    """One message of three disappears."""
    said = ["pay cem 10", "no, stop", "thank you"]
    with scene.story.attempt("the second of three messages is swallowed") as attempt:
        async with scene.tls() as wire:
            units = await hold_each(wire, said)
            attempt.did(f"swallows record {units[1].number}", shown(units[1]))
            wire.middle.send(Way.THERE, units[0].data, units[2].data)
            await judge(attempt, wire.burak, said, COUNTED)

    with scene.story.attempt("the last message and the goodbye are swallowed") as attempt:
        async with scene.tls() as wire:
            wire.ayse.say(said[0])
            await wire.burak.heard(1)
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say(said[1])
            wire.ayse.goodbye()
            unit = await wire.middle.take(Way.THERE)
            attempt.did("lets nothing more pass, and hangs up on both", shown(unit))
            wire.middle.hang_up()
            await judge(
                attempt, wire.burak, said[:2],
                "a link ends in good order only with a close frame, which is sealed: any other end counts as a cut",
            )  # fmt: skip


async def truncate(scene: Scene) -> None:
    """A message of three records is cut at every place where it can be."""
    said = [LONG]
    async with scene.tls() as wire:
        wire.middle.holding.add(Way.THERE)
        wire.ayse.say(LONG)
        sizes = [len(unit.data) for unit in await wire.middle.take_bytes(Way.THERE, len(LONG))]
    places = [(f"before record {n} of {len(sizes)}", sum(sizes[: n - 1])) for n in range(1, len(sizes) + 1)]
    places += [("within the last record", sum(sizes) - 20), ("before the last byte", sum(sizes) - 1)]
    for name, place in places:
        with scene.story.attempt(f"cut {name}") as attempt:
            async with scene.tls() as wire:
                wire.middle.holding.add(Way.THERE)
                wire.ayse.say(LONG)
                data = b"".join(unit.data for unit in await wire.middle.take_bytes(Way.THERE, sum(sizes)))
                attempt.did(f"lets {place:,} of {len(data):,} bytes pass, and hangs up")
                wire.middle.send(Way.THERE, data[:place])
                wire.middle.hang_up()
                await judge(
                    attempt, wire.burak, said,
                    "a frame is shown only when it is whole, and an end without a close frame counts as a cut",
                )  # fmt: skip
    with scene.story.attempt("cut after a whole message, with an end of TLS that mallory makes up") as attempt:
        async with scene.tls() as wire:
            wire.ayse.say("pay cem 10")
            await wire.burak.heard(1)
            wire.middle.holding.add(Way.THERE)
            wire.ayse.say("no, stop")
            await wire.middle.take(Way.THERE)
            alert = bytes.fromhex("15030300020100")
            spans = record_spans(alert)
            attempt.did(
                "sends a close_notify alert in the clear in the place of ayse's next message", paint(alert, spans)
            )
            wire.middle.send(Way.THERE, alert)
            await happens(lambda: wire.burak.ended, SETTLE_SECONDS)
            attempt.saw("burak", f"was shown {told(wire.burak.texts)}; {wire.burak.end}")
            attempt.ends(
                succeeded=fooled(wire.burak, ["pay cem 10", "no, stop"]),
                stopped="once keys are agreed, alerts are sealed too: one in the clear is a breach",
            )


LESSONS = (
    Lesson(
        "replay", "Old bytes are sent again", LinkKind.TLS,
        "Whoever can record can repeat. A cipher alone does not mind: the old bytes are as well sealed as ever. What "
        "helps is that both sides count, and that every session has keys of its own.",
        replay,
    ),
    Lesson(
        "reorder", "Messages change places", LinkKind.TLS,
        "Each message alone is genuine; their order is not. The order must be protected like the words.",
        reorder,
    ),
    Lesson(
        "drop", "A message disappears", LinkKind.TLS,
        "Nobody can be forced to carry a message, so loss cannot be prevented. It must be noticed, and the end of a "
        "conversation must be told apart from a cut.",
        drop,
    ),
    Lesson(
        "truncate", "A message is cut short", LinkKind.TLS,
        "The report's section 3.3: the attacker cuts the connection so that the beginning passes for the whole. "
        "Here at every record of a message, inside records, and with a forged end.",
        truncate,
    ),
)  # fmt: skip
