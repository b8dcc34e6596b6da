"""Lessons on the default link: somebody else's name, and a weaker protocol than both would speak.

Whom a certificate names is judged by ``pki.verify``; that its owner is there and means *this* connection, by the
signature over the transcript (RFC 8446 section 4.4.3). Left out: relaying that signature (``lab.tls_relay``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from conclave.lab.careless import verifier
from conclave.lab.fields import Span, paint
from conclave.lab.judging import told
from conclave.lab.lesson import Lesson
from conclave.lab.middle import Unit, Way, answering, happens, play, until
from conclave.lab.realm import Realm
from conclave.lab.scene import Scene
from conclave.lab.story import Attempt, Field, LinkKind
from conclave.lab.stripping import strip
from conclave.lab.tls_peer import TlsPeer
from conclave.lab.tls_wire import find_span, record_spans
from conclave.pki.credentials import Credentials
from conclave.pki.profile import Profile
from conclave.values import dataclass

SECRET = "the code is 1234"  # noqa: S105 - what mallory would like to read


@dataclass(frozen=True, slots=True)
class Guise:
    """What an impostor can bring, and what stops it."""

    title: str
    brings: Callable[[Realm, str, Profile], Credentials]
    stopped: str


GUISES = (
    Guise(
        "a self-signed certificate in {}'s name",
        Realm.self_signed,
        "nobody but itself signed it: a path must end at the root that was pinned at enrolment",
    ),
    Guise(
        "a certificate in {}'s name from another authority, which calls itself by the same name",
        lambda realm, handle, profile: realm.rogue.credentials(handle, profile),
        "names are no proof: the signature is not by a key below the pinned root",
    ),
    Guise(
        "{}'s own certificate with its key, stolen, and revoked since",
        Realm.enrol,
        "the revocation list, which every peer holds and checks offline",
    ),
)


def certificate_field(credentials: Credentials) -> tuple[Field, ...]:
    """A certificate's bytes."""
    der = credentials.certificate.der
    return paint(der, [Span("certificate", 0, len(der))], range(len(der)))


async def impostor(scene: Scene) -> None:
    """Whoever answers, and whoever calls, with a certificate that is not what it should be."""
    realm = scene.realm
    for guise in GUISES:
        with scene.story.attempt(f"answering for burak with {guise.title.format('burak')}") as attempt:
            brought = guise.brings(realm, "burak", Profile.TLS)
            await _answer(scene, attempt, brought, guise.stopped)
    with scene.story.attempt("answering for burak with mallory's own certificate, which is good") as attempt:
        await _answer(
            scene, attempt, realm.credentials("mallory"), "the certificate must name the person who was called"
        )
    for guise in GUISES:
        with scene.story.attempt(f"calling burak with {guise.title.format('ayse')}") as attempt:
            brought = guise.brings(realm, "ayse", Profile.TLS)
            mallory = TlsPeer("mallory", brought, realm, without=frozenset({"certificate"}))
            trust = realm.trust_without(brought)
            burak = TlsPeer("burak", realm.credentials("burak"), realm)
            port = await burak.listen(verifier(realm, scene.without, trust=trust))
            attempt.did("calls burak, and shows this", certificate_field(brought))
            await mallory.dial(port, "burak")
            await until(lambda burak=burak: bool(burak.refused or burak.met))  # type: ignore[misc]
            attempt.saw("burak", burak.end)
            attempt.ends(succeeded=bool(burak.met), stopped=guise.stopped)
            await mallory.away()
            await burak.away()


async def _answer(scene: Scene, attempt: Attempt, brought: Credentials, stopped: str) -> None:
    """Mallory listens where ayse expects burak."""
    realm = scene.realm
    mallory = TlsPeer("mallory", brought, realm, without=frozenset({"certificate"}))
    ayse = TlsPeer("ayse", realm.credentials("ayse"), realm, without=scene.without)
    port = await mallory.listen()
    attempt.did("answers ayse's call, and shows this", certificate_field(brought))
    expects = verifier(realm, scene.without, "burak", trust=realm.trust_without(brought))
    if brought is realm.credentials("mallory"):
        expects = verifier(realm, scene.without, "burak")
    if await ayse.dial(port, "burak", verify=expects):
        ayse.say(SECRET)
        await mallory.heard(1)
    attempt.saw("ayse", ayse.end)
    attempt.saw("mallory", f"read {told(mallory.texts)}")
    attempt.ends(succeeded=bool(ayse.met), stopped=stopped)
    await ayse.away()
    await mallory.away()


def _rewrite(way: Way, change: Callable[[bytes], bytes]) -> Callable[[Unit], Iterable[bytes]]:
    """A rule that changes the first unit of one direction."""
    return lambda unit: (change(unit.data) if (unit.way, unit.number) == (way, 1) else unit.data,)


def _older(record: bytes) -> bytes:
    """A hello that offers or takes TLS 1.2 in the place of 1.3."""
    span = find_span(record, "supported_versions")
    return record[: span.stop - 1] + b"\x03" + record[span.stop :]


def _one_suite(record: bytes) -> bytes:
    """A ClientHello whose suites are all the one of its list that is cheapest to break: AES-128."""
    span = find_span(record, "cipher_suite")
    count = (span.stop - span.start - 2) // 2
    return record[: span.start + 2] + b"\x13\x01" * count + record[span.stop :]


async def downgrade(scene: Scene) -> None:
    """Away from TLS 1.3: to an older version, to a weaker suite, to the classic link."""
    rewrites = (
        ("ayse's ClientHello offers TLS 1.2 only", Way.THERE, _older, "below TLS 1.3 nothing is spoken here"),
        ("burak's ServerHello chooses TLS 1.2", Way.BACK, _older, "below TLS 1.3 nothing is spoken here"),
        (
            "ayse's ClientHello offers the one suite that mallory likes", Way.THERE, _one_suite,
            "both hellos are in the transcript: keys and Finished of the two sides do not agree any more",
        ),
    )  # fmt: skip
    for title, way, change, stopped in rewrites:
        with scene.story.attempt(title) as attempt:
            async with scene.tls(dial=False) as wire:
                wire.middle.rule = _rewrite(way, change)
                await wire.ayse.dial(wire.middle.port, "burak")
                before = wire.middle.passed(way)[0].data
                after = change(before)
                touched = [place for place, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
                fields = paint(after, record_spans(before), touched)
                attempt.did(
                    "rewrites a field of the first record", [*fields[:4], *(one for one in fields if one.changed)]
                )
                wire.middle.hang_up()
                await happens(lambda: wire.burak.ended, 0.5)
                attempt.saw("ayse", wire.ayse.end)
                attempt.saw("burak", wire.burak.end)
                attempt.ends(succeeded=bool(wire.ayse.met or wire.burak.met), stopped=stopped)

    with scene.story.attempt("burak is made to look like a classic peer, three times over") as attempt:
        async with scene.tls(dial=False) as wire:
            first = [await _as_classic(wire.ayse) for _ in range(3)]
            answer = b"000002OK"
            spans = [Span("length", 0, 6), Span("body", 6, 8)]
            attempt.did(
                "swallows her ClientHello and answers as a classic peer would", paint(answer, spans, range(8))
            )
            attempt.aside(f"ayse's first bytes: {', '.join(data[:3].hex(' ') for data in first)} (16 03 01 is TLS)")
            attempt.saw("ayse", wire.ayse.end)
            attempt.ends(
                succeeded=bool(wire.ayse.met) or any(data[:1] != b"\x16" for data in first),
                stopped="a link's kind is chosen by name, never by what the other side answers: there is no way down",
            )

    with scene.story.attempt("ayse is made to look like a classic peer") as attempt:
        async with scene.tls(dial=False) as wire:
            hello = b"000005HELLO"
            spans = [Span("length", 0, 6), Span("body", 6, 11)]
            attempt.did("calls burak with the classic suite's first message", paint(hello, spans, range(11)))
            heard = await play(wire.burak.port, [hello], wait=3.0)
            attempt.saw("burak", f"answered with {heard.hex(' ') or 'nothing'}; {wire.burak.end}")
            attempt.ends(
                succeeded=b"OK" in heard or bool(wire.burak.met),
                stopped="who has not switched the classic link on takes its first bytes for broken TLS",
            )
    await strip(scene)


async def _as_classic(ayse: TlsPeer) -> bytes:
    """Ayse dials, and is answered in classic; her first bytes."""
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(65536))
        writer.write(b"000002OK")
        await reader.read(65536)
        writer.close()

    async with answering(answer) as port:
        await ayse.dial(port, "burak")
    return seen[0]


LESSONS = (
    Lesson(
        "impostor", "Somebody else answers, or calls", LinkKind.TLS,
        "The report's section 3.2. Encryption is worth nothing towards the wrong person: with a certificate that "
        "passes, mallory would read everything and pass it on. Four that he can get, at both ends.",
        impostor,
    ),
    Lesson(
        "downgrade", "Talked down to something weaker", LinkKind.TLS,
        "If two sides would also speak something older, whoever sits between them chooses it for them: he strips the "
        "first bytes. The classic link stands beside the default one, so this must not be a way to it.",
        downgrade,
    ),
)  # fmt: skip
