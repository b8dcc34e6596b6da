"""Lessons on the default link whose like the classic suite does not survive: the same attacks, and why they fail.

Recorded traffic and a stolen key; an oracle from errors; what equal words look like; how many bits stand in the way.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclave.crypto.kdf import SHA512
from conclave.errors import RemoteError, VerificationError
from conclave.lab import tls13
from conclave.lab.careless import client_context
from conclave.lab.fields import flip, paint
from conclave.lab.judging import SETTLE_SECONDS
from conclave.lab.lesson import Lesson
from conclave.lab.middle import LOOPBACK, Way, happens, more
from conclave.lab.scene import Scene
from conclave.lab.story import LinkKind
from conclave.lab.tls_stream import shown
from conclave.lab.tls_wire import HEADER_BYTES, SEALED, RecordCutter, find_span
from conclave.pki.credentials import Credentials
from conclave.values import dataclass

SECRET = "the code is 1234"  # noqa: S105 - what mallory would like to read
X25519 = 0x001D
_SHARE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Recording:
    """What somebody who only listens has of one session."""

    there: list[bytes]
    back: list[bytes]

    @property
    def hellos(self) -> bytes:
        """The two messages in the clear, as the transcript has them."""
        return self.there[0][HEADER_BYTES:] + self.back[0][HEADER_BYTES:]

    @property
    def first_sealed(self) -> bytes:
        """The first record under a key: burak's EncryptedExtensions."""
        return next(record for record in self.back if record[0] == SEALED)


def server_secret(recording: Recording, shared: bytes) -> tls13.Sealer:
    """What opens ``first_sealed`` if ``shared`` is the key exchange's result (RFC 8446 section 7.1)."""
    kdf, aead = tls13.suite_of(recording.back[0])
    zero = bytes(kdf.size)
    derived = tls13.expand_label(kdf, kdf.extract(zero, zero), "derived", kdf.hash(b""), kdf.size)
    secret = kdf.extract(derived, shared)
    return tls13.Sealer(
        kdf, aead, tls13.expand_label(kdf, secret, "s hs traffic", kdf.hash(recording.hellos), kdf.size)
    )


def opens(sealer: tls13.Sealer, record: bytes, number: int = 0) -> bool:
    """Whether a key opens a record; an attacker looks no further."""
    with suppress(VerificationError):
        sealer.open(record, number)
        return True
    return False


def as_exchange_key(credentials: Credentials) -> X25519PrivateKey:
    """A stolen Ed25519 key as the X25519 key with the same scalar (RFC 7748 section 5, RFC 8032 section 5.1.5)."""
    return X25519PrivateKey.from_private_bytes(SHA512.hash(credentials.key.der()[-32:])[:32])


async def later(scene: Scene) -> None:
    """Record today, steal the keys in five years."""
    realm = scene.realm
    with scene.story.attempt("recorded today, opened later with both stolen private keys") as attempt:
        with tls13.key_log() as path:
            async with scene.tls(dial=False) as wire:
                context = client_context(wire.ayse.credentials, realm)
                context.keylog_filename = str(path)
                await wire.ayse.dial(wire.middle.port, "burak", context=context)
                wire.ayse.say(SECRET)
                await wire.burak.heard(1)
                recording = Recording(
                    *([unit.data for unit in wire.middle.passed(way)] for way in (Way.THERE, Way.BACK))
                )
            memory = tls13.logged(path)
        hello = recording.back[0]
        attempt.did(
            f"records the session, {len(recording.there) + len(recording.back)} records; the key share of that day",
            paint(hello, [find_span(hello, "key_share")]),
        )
        tried, opened = 0, False
        for name in ("ayse", "burak"):
            stolen = as_exchange_key(realm.credentials(name))
            for record in (recording.there[0], hello):
                share = record[: find_span(record, "key_share").stop][-_SHARE_BYTES:]
                shared = stolen.exchange(X25519PublicKey.from_public_bytes(share))
                tried += 1
                opened |= opens(server_secret(recording, shared), recording.first_sealed)
        attempt.did(
            "steals the private keys of ayse and of burak. They are made to sign (Ed25519); he tries them all the "
            f"same as keys of the exchange, with both key shares: {tried} times"
        )
        attempt.saw("mallory", "read the session" if opened else "opened nothing")
        known = await _control(scene)
        suite = tls13.suite_of(hello)
        words = tls13.Sealer(*suite, memory["CLIENT_TRAFFIC_SECRET_0"])
        found = SECRET.encode() in words.open(recording.there[-1], 1)[1]  # 0 was the link's hello
        if not (known and found):
            raise RemoteError("the attacker's arithmetic is wrong: it does not open even what it should")
        attempt.aside(
            "to show that his arithmetic is right: with a key share of his own it opens burak's answer, and with the "
            "secret that was in ayse's memory that day, her words"
        )
        attempt.ends(
            succeeded=opened,
            stopped="certificates' keys only sign; the exchange is of keys used once and forgotten: forward secrecy",
        )


async def _control(scene: Scene) -> bool:
    """Whether ``server_secret`` opens burak's answer to a key share whose private half is known."""
    own = X25519PrivateKey.generate()
    outgoing = ssl.MemoryBIO()
    tls = client_context(scene.realm.credentials("mallory"), scene.realm).wrap_bio(ssl.MemoryBIO(), outgoing)
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    share = find_span(hello, "key_share")
    public = own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    hello = _only_x25519(hello)[: share.stop - _SHARE_BYTES] + public + hello[share.stop :]
    async with scene.tls(dial=False) as wire:
        reader, writer = await asyncio.open_connection(LOOPBACK, wire.burak.port)
        writer.write(hello)
        heard: list[bytes] = []
        cutter = RecordCutter(Way.BACK)
        while not any(record[0] == SEALED for record in heard):
            heard += cutter.cut(await more(reader))
        writer.transport.abort()
    recording = Recording([hello], heard)
    theirs = heard[0][: find_span(heard[0], "key_share").stop][-_SHARE_BYTES:]
    shared = own.exchange(X25519PublicKey.from_public_bytes(theirs))
    return opens(server_secret(recording, shared), recording.first_sealed)


def _only_x25519(hello: bytes) -> bytes:
    """A ClientHello whose hybrid group, where it has one, is a number that nobody knows."""
    for name in ("supported_groups", "key_share"):
        span = find_span(hello, name)
        hello = (
            hello[: span.start]
            + hello[span.start : span.stop].replace(b"\x11\xec", b"\x0a\x0a", 1)
            + hello[span.stop :]
        )
    return hello


async def oracle(scene: Scene) -> None:
    """Broken records of many kinds, to tell the answers apart."""
    with scene.story.attempt("do the answers to broken records differ?") as attempt:
        answers: dict[tuple[int, ...], list[str]] = {}
        survived = 0
        for name, place in (
            ("sealed: first byte", 5),
            ("sealed: last byte", -17),
            ("tag: first byte", -16),
            ("tag: last byte", -1),
        ):
            for bit in (0, 3, 7):
                async with scene.tls() as wire:
                    wire.middle.holding.add(Way.THERE)
                    wire.ayse.say(SECRET)
                    unit = await wire.middle.take(Way.THERE)
                    before = len(wire.middle.passed(Way.BACK))
                    wire.middle.send(Way.THERE, flip(unit.data, place % len(unit.data), bit))
                    await happens(lambda: wire.burak.ended, SETTLE_SECONDS)
                    await happens(lambda: Way.BACK in wire.middle.ended, SETTLE_SECONDS)
                    after = tuple(len(one.data) for one in wire.middle.passed(Way.BACK)[before:])
                    answers.setdefault(after, []).append(f"{name}, bit {bit}")
                    survived += not wire.burak.ended
        attempt.did(
            "breaks a record in 12 ways, each on a link of its own, and looks at what comes back", shown(unit)
        )
        for sizes, names in answers.items():
            attempt.saw(
                "mallory", f"{len(names)} times: {' and '.join(map(str, sizes)) or 'no'} bytes, sealed; then the end"
            )
        attempt.ends(
            succeeded=len(answers) > 1 or survived > 0,
            stopped="AES-GCM checks its tag before anything is looked at, there is no padding to ask about; and the "
            "first question ends the link and its keys, so there is no second",
        )


async def equal_words(scene: Scene) -> None:
    """Equal words, guesses among them: whether the wire shows it."""
    secret = "PIN 0815"  # noqa: S105 - what mallory would like to read
    with scene.story.attempt(
        "a thousand guesses sent by ayse's own link, compared with the secret's record"
    ) as attempt:
        async with scene.tls() as wire:
            wire.ayse.say(secret)
            await wire.burak.heard(1)
            sealed = wire.middle.passed(Way.THERE)[-1]
            guesses = [f"PIN {n:04}" for n in range(1000)]
            bodies: list[bytes] = []
            for guess in guesses:
                wire.ayse.say(guess)
                await wire.burak.heard(len(bodies) + 2)
                bodies.append(wire.middle.passed(Way.THERE)[-1].data[HEADER_BYTES:])
            attempt.did("sees the record of a PIN go by, and knows how the text begins", shown(sealed))
            attempt.did("has ayse send every PIN from 0000 to 0999 and compares")
            body = sealed.data[HEADER_BYTES:]
            alike = [
                guess for guess, one in zip(guesses, bodies, strict=True) if one[:16] == body[:16] or one == body
            ]
            attempt.saw(
                "mallory", f"{len(set(bodies)):,} different records, of which {len(alike)} look like the secret's"
            )
            attempt.ends(
                succeeded=bool(alike) or len(set(bodies)) < len(bodies),
                stopped="each record has a nonce of its own (its number): equal words never look equal. What does "
                "show is their length",
            )


async def strength(scene: Scene) -> None:
    """How many bits stand between an attacker and the words."""
    with scene.story.attempt("what one stolen key gives of the others") as attempt:
        with tls13.key_log() as path:
            async with scene.tls(dial=False) as wire:
                context = client_context(wire.ayse.credentials, scene.realm)
                context.keylog_filename = str(path)
                await wire.ayse.dial(wire.middle.port, "burak", context=context)
                wire.ayse.say(SECRET)
                await wire.burak.heard(1)
                there, back = (wire.middle.passed(way) for way in (Way.THERE, Way.BACK))
            secrets = {name: secret for name, secret in tls13.logged(path).items() if "EXPORTER" not in name}
        suite = tls13.suite_of(back[0].data)
        stolen = tls13.Sealer(*suite, secrets["CLIENT_TRAFFIC_SECRET_0"])
        read = opens(stolen, there[-1].data, 1)
        others = sum(opens(stolen, back[-1].data, number) for number in range(8))
        runs = [secret[at : at + 4] for secret in secrets.values() for at in range(len(secret) - 3)]
        shared = len(runs) - len(set(runs))
        size = 8 * len(stolen.secret)
        attempt.did(
            f"is given the secret of ayse's direction, {size} bits, and tries it on burak's", shown(back[-1])[3:]
        )
        attempt.saw("mallory", f"opened {'her words' if read else 'nothing'}, and {others} of burak's records")
        attempt.aside(
            f"the {len(secrets)} secrets of the session, {size} bits each, have {shared} runs of 4 bytes in common"
        )
        attempt.aside(
            "step by step: X25519, 2^128 work; HKDF into secrets of full length; AES-256 keys, one a direction"
        )
        attempt.aside("at a billion guesses a second, 2^128 takes 10,790,000,000,000,000,000,000 years")
        attempt.ends(
            succeeded=others > 0 or shared > 0 or not read,
            stopped="every secret is derived from the whole of the one before, under a label of its own",
        )


LESSONS = (
    Lesson(
        "later", "Recorded today, opened in five years", LinkKind.TLS,
        "Storage is cheap: whoever listens can wait for a key. Forward secrecy means that no key that still exists "
        "later opens what was said before.",
        later,
    ),
    Lesson(
        "oracle", "Asking the reader about the padding", LinkKind.TLS,
        "If a reader's answer tells what was wrong with a broken message, the attacker asks until he has read it, "
        "without any key (Vaudenay 2002).",
        oracle,
    ),
    Lesson(
        "iv", "Equal words look equal", LinkKind.TLS,
        "Encryption must not show that the same thing was said twice: guesses could be compared with secrets.",
        equal_words,
    ),
    Lesson(
        "strength", "How many bits stand in the way", LinkKind.TLS,
        "AES-256 is on the box. What counts is the narrowest place on the way to its key.",
        strength,
    ),
)  # fmt: skip
