"""Lessons on the classic link: somebody else's name, a signature handed on, and the way down.

A certificate is verified the moment it arrives. What the sender signs is the nonce alone: not who asks, not for whom.
"""

from __future__ import annotations

import asyncio
import os
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

from conclave.classic.frames import put_frame
from conclave.classic.handshake import ACK, HELLO, OK
from conclave.classic.keys import NONCE_BYTES, SECRET_BYTES, derive_keys
from conclave.classic.records import Writer
from conclave.crypto.classic import RsaPrivate, RsaPublic
from conclave.errors import VerificationError
from conclave.lab.classic_peer import ClassicPeer, classic_verifier
from conclave.lab.classic_stream import shown
from conclave.lab.classic_wire import frame_spans
from conclave.lab.fields import paint
from conclave.lab.judging import SETTLE_SECONDS, told
from conclave.lab.lesson import Lesson
from conclave.lab.middle import LOOPBACK, Unit, Way, answering, happens, until
from conclave.lab.scene import Scene
from conclave.lab.story import Attempt, Field, LinkKind
from conclave.lab.stripping import frame_fields, read_frame
from conclave.lab.tls_identity import GUISES, SECRET, certificate_field
from conclave.pki.certificate import read_certificate
from conclave.pki.credentials import Credentials
from conclave.pki.profile import Profile

ANYBODY = frozenset({"certificate"})
FORGED = "pay mallory 10"


async def impostor(scene: Scene) -> None:
    """Whoever answers, and whoever calls, with a certificate that is not what it should be."""
    realm, classic = scene.realm, Profile.CLASSIC
    for guise in GUISES:
        with scene.story.attempt(f"answering for burak with {guise.title.format('burak')}") as attempt:
            await _answer(scene, attempt, guise.brings(realm, "burak", classic), guise.stopped)
    with scene.story.attempt("answering for burak with mallory's own certificate, which is good") as attempt:
        own = realm.credentials("mallory", classic)
        await _answer(scene, attempt, own, "the certificate must name the person who was called", good=True)
    for guise in GUISES:
        with scene.story.attempt(f"calling burak with {guise.title.format('ayse')}") as attempt:
            brought = guise.brings(realm, "ayse", classic)
            mallory = ClassicPeer("mallory", brought, realm)
            burak = ClassicPeer("burak", realm.credentials("burak", classic), realm)
            trust = realm.trust_without(brought)
            port = await burak.listen(classic_verifier(realm, scene.without, trust=trust))
            attempt.did("calls burak, and shows this", certificate_field(brought))
            await mallory.dial(port, "burak", classic_verifier(realm, ANYBODY))
            await until(lambda burak=burak: burak.ended or bool(burak.met))  # type: ignore[misc]
            attempt.saw("burak", burak.end)
            attempt.ends(succeeded=bool(burak.asked), stopped=guise.stopped)
            await mallory.away()
            await burak.away()
    await _copy(scene)


async def _answer(scene: Scene, attempt: Attempt, brought: Credentials, stopped: str, *, good: bool = False) -> None:
    """Mallory listens where ayse expects burak."""
    realm = scene.realm
    mallory = ClassicPeer("mallory", brought, realm)
    ayse = ClassicPeer("ayse", realm.credentials("ayse", Profile.CLASSIC), realm)
    port = await mallory.listen(classic_verifier(realm, ANYBODY))
    attempt.did("answers ayse's call, and shows this", certificate_field(brought))
    trust = realm.trust if good else realm.trust_without(brought)
    if await ayse.dial(port, "burak", classic_verifier(realm, scene.without, "burak", trust)):
        ayse.say(SECRET)
        await mallory.heard(1)
    attempt.saw("ayse", ayse.end)
    attempt.saw("mallory", f"read {told(mallory.texts)}")
    attempt.ends(succeeded=bool(ayse.met), stopped=stopped)
    await ayse.away()
    await mallory.away()


async def _copy(scene: Scene) -> None:
    """Mallory shows a copy of burak's certificate, which is no secret, and has not its key."""
    realm = scene.realm
    ayse = ClassicPeer("ayse", realm.credentials("ayse", Profile.CLASSIC), realm)
    burak = realm.credentials("burak", Profile.CLASSIC)
    own = RsaPrivate(realm.credentials("mallory", Profile.CLASSIC).key.der())
    sealed: list[bytes] = []

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        await read_frame(reader)
        writer.write(put_frame(OK))
        hers = RsaPublic(read_certificate(await read_frame(reader)).public)
        writer.write(put_frame(hers.encrypt(os.urandom(NONCE_BYTES))) + put_frame(burak.certificate.pem))
        await read_frame(reader)
        writer.write(put_frame(ACK))
        sealed.append(await read_frame(reader))
        writer.write(put_frame(OK))
        await reader.read()  # until she hangs up

    with scene.story.attempt("answering for burak with a copy of burak's certificate, without its key") as attempt:
        async with answering(answer) as port:
            await ayse.dial(port, "burak")
            ayse.say(SECRET)
            attempt.did(
                "shows the copy, chooses the nonce himself, and takes the master secret", frame_fields(sealed[0])
            )
            opened = False
            with suppress(VerificationError):
                own.decrypt(sealed[0])
                opened = True
            attempt.saw("ayse", f"{ayse.end}, and burak is shown as {'proven' if ayse.proven else 'not proven yet'}")
            attempt.saw(
                "mallory", "opened the master secret" if opened else "cannot open the master secret, nor any word"
            )
            attempt.ends(
                succeeded=opened or ayse.proven,
                stopped="the master secret is sealed to burak's key: without it nobody reads, or writes a record "
                "that "
                "would prove him. Until then ayse is shown that he is not proven",
            )
            await ayse.away()


async def _relayed(scene: Scene, attempt: Attempt, burak: ClassicPeer) -> tuple[StreamWriter, bytes]:
    """Ayse calls mallory, who calls burak as ayse: his connection to burak, and the master secret that he chose."""
    realm = scene.realm
    own = realm.credentials("mallory", Profile.CLASSIC)
    ayse = ClassicPeer("ayse", realm.credentials("ayse", Profile.CLASSIC), realm)
    reader, writer = await asyncio.open_connection(LOOPBACK, await burak.listen())
    secret = os.urandom(SECRET_BYTES)

    async def answer(hers: StreamReader, to_her: StreamWriter) -> None:
        await read_frame(hers)
        to_her.write(put_frame(OK))
        certificate = await read_frame(hers)
        writer.write(put_frame(HELLO))
        await read_frame(reader)
        writer.write(put_frame(certificate))
        nonce, his = await read_frame(reader), await read_frame(reader)
        attempt.did(
            "calls burak, shows ayse's certificate, and gets a nonce that only she can open", frame_fields(nonce)
        )
        to_her.write(put_frame(nonce) + put_frame(own.certificate.pem))
        signature = await read_frame(hers)
        attempt.did(
            "passes it to ayse, who has called him, as his own; and her signature to burak", frame_fields(signature)
        )
        writer.write(put_frame(signature))
        if await read_frame(reader) == ACK:
            theirs = RsaPublic(read_certificate(his).public)
            writer.write(put_frame(theirs.encrypt(secret)))
        to_her.close()

    async with answering(answer) as port:
        await ayse.dial(port, "mallory")
    await happens(lambda: bool(burak.met) or burak.ended, SETTLE_SECONDS)
    await ayse.away()
    return writer, secret


async def relay(scene: Scene) -> None:
    """The signature that ayse made for mallory, shown to burak; and how far it carries."""
    realm = scene.realm

    def victim() -> ClassicPeer:
        return ClassicPeer("burak", realm.credentials("burak", Profile.CLASSIC), realm, scene.without)

    with scene.story.attempt(
        "burak is asked to chat in ayse's name, while she called mallory", must_fail=False
    ) as attempt:
        burak = victim()
        writer, secret = await _relayed(scene, attempt, burak)
        attempt.saw("burak", f"was asked to chat by {told(burak.asked)}, whose signature holds, and said OK")
        attempt.ends(
            succeeded=burak.asked == ["ayse"],
            let="the signature covers the nonce's 16 bytes and nothing else: not the certificate of the one who "
            "asks, "
            "nor anything that was said before. It is good for whoever passes it on",
        )
    with scene.story.attempt("writing words in ayse's name on that link") as attempt:
        words = Writer(derive_keys(secret, os.urandom(NONCE_BYTES)).sender).seal(FORGED.encode())
        attempt.did("knows the master secret, which he chose, guesses the nonce, and writes", _fragment(words))
        writer.write(words)
        await happens(lambda: burak.ended or bool(burak.texts), SETTLE_SECONDS)
        attempt.saw("burak", f"was shown {told(burak.texts)}; {burak.end}")
        attempt.ends(
            succeeded=bool(burak.texts),
            stopped="keys come from the nonce too, and mallory has never seen it: it was sealed to ayse. Her "
            "signature "
            "does not give it away",
        )
        writer.transport.abort()
        await burak.away()
    title = "the same where the nonce is no secret, as the authors' own program sent it"
    with scene.story.attempt(title, must_fail=False) as attempt:
        burak = victim()
        writer, secret = await _relayed(scene, attempt, burak)
        words = Writer(derive_keys(secret, burak.nonce).sender).seal(FORGED.encode())
        attempt.did("is told the nonce, which that program sent in the clear, and writes", _fragment(words))
        writer.write(words)
        await happens(lambda: burak.ended or bool(burak.texts), SETTLE_SECONDS)
        attempt.saw("burak", f"was shown {told(burak.texts)}, by ayse; {burak.end}")
        attempt.ends(
            succeeded=burak.texts == [FORGED],
            let="with the nonce all of ayse's keys are mallory's: one encryption of 16 bytes is all that stands "
            "between",
        )
        writer.transport.abort()
        await burak.away()


def _fragment(data: bytes) -> tuple[Field, ...]:
    return shown(Unit(Way.THERE, 5, data))


async def downgrade(scene: Scene) -> None:
    """To what the authors' own program did: bare bodies, the nonce in the clear; and from TLS."""
    clear = os.urandom(12)
    rewrites = (
        ("the nonce in the clear, 12 bytes, as the authors' program sent it", 2, put_frame(clear),
         "the nonce must open under the sender's own key: there is one way to send it"),
        ("an answer without its length, as the authors' program sent it", 1, b"OK",
         "every message is a frame: without six digits it is none"),
    )  # fmt: skip
    for title, number, instead, stopped in rewrites:
        with scene.story.attempt(title) as attempt:
            async with scene.classic(dial=False) as wire:
                wire.middle.rule = lambda unit, n=number, new=instead: (  # type: ignore[misc]
                    new if (unit.way, unit.number) == (Way.BACK, n) else unit.data,
                )
                await wire.ayse.dial(wire.middle.port, "burak")
                old = next(unit for unit in wire.middle.passed(Way.BACK) if unit.number == number)
                spans = frame_spans(instead) if instead[:1] == b"0" else [("bare", 0, len(instead))]
                attempt.did("takes out burak's answer", shown(old))
                attempt.did("and sends this", tuple(Field(name, instead[a:b], changed=True) for name, a, b in spans))
                attempt.saw("ayse", wire.ayse.end)
                attempt.ends(succeeded=bool(wire.ayse.met), stopped=stopped)

    with scene.story.attempt("the first byte of a classic call made that of TLS") as attempt:
        async with scene.classic(dial=False) as wire:
            wire.middle.rule = lambda unit: (
                b"\x16" + unit.data[1:] if (unit.way, unit.number) == (Way.THERE, 1) else unit.data,
            )
            opened = await wire.ayse.dial(wire.middle.port, "burak")
            hello = wire.middle.passed(Way.THERE)[0].data
            forged = b"\x16" + hello[1:]
            attempt.did(
                "writes 16 over the first digit, for burak's port speaks both",
                paint(forged, frame_spans(forged), [0]),
            )
            attempt.saw("ayse", wire.ayse.end)
            attempt.ends(
                succeeded=opened or bool(wire.burak.asked),
                stopped="the port hands the connection to TLS, for which it is none: whoever rewrites the first "
                "byte only "
                "changes who refuses",
            )


LESSONS = (
    Lesson(
        "impostor", "Somebody else answers, or calls", LinkKind.CLASSIC,
        "The report's section 3.2, with certificates that mallory can get; and with one that everybody has: a copy "
        "of "
        "burak's own. A certificate proves nothing until its key is used.",
        impostor,
    ),
    Lesson(
        "relay", "A signature made for one is shown to another", LinkKind.CLASSIC,
        "Whoever signs a challenge must say what for. Here the challenge alone is signed, and a colleague whom ayse "
        "calls in good faith passes burak's on to her.",
        relay,
        falls=True,
    ),
    Lesson(
        "downgrade", "Talked down to something weaker", LinkKind.CLASSIC,
        "There is nothing to choose in the classic suite, and so nothing to be talked down to: not even the habits "
        "of "
        "the program that it comes from.",
        downgrade,
    ),
)  # fmt: skip
