"""Lessons in which the classic suite falls: a key that opens the past, an IV that returns, keys of 64 bits.

Each is run for real on stakes that fit a lesson, with what an attacker can have and no more.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from contextlib import suppress

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from conclave.classic.frames import LENGTH_BYTES
from conclave.classic.keys import NONCE_BYTES, derive_keys
from conclave.classic.records import HEADER_BYTES, Reader
from conclave.crypto.classic import BLOCK_BYTES, Cbc, RsaPrivate, hkdf
from conclave.errors import VerificationError
from conclave.lab.classic_peer import ClassicWire
from conclave.lab.classic_stream import called, shown
from conclave.lab.judging import told
from conclave.lab.lesson import Lesson
from conclave.lab.middle import Unit, Way
from conclave.lab.scene import Scene
from conclave.lab.story import LinkKind
from conclave.lab.tls_identity import SECRET

_SEARCHED_BITS = 16
"""How many bits of each key are left to find in a lesson; the rest is given, so that it ends within a second."""


def _frame(wire: ClassicWire, way: Way, number: int) -> Unit:
    return wire.middle.passed(way)[number - 1]


async def later(scene: Scene) -> None:
    """Record today, steal the RSA keys in five years."""
    async with scene.classic() as wire:
        wire.ayse.say("hello burak", SECRET)
        await wire.burak.heard(2)
        nonce, master = _frame(wire, Way.BACK, 2), _frame(wire, Way.THERE, 4)
        words = b"".join(unit.data for unit in wire.middle.passed(Way.THERE)[4:])
        hers, his = (RsaPrivate(peer.credentials.key.der()) for peer in (wire.ayse, wire.burak))

    def read(salt: bytes, secret: bytes) -> list[str]:
        with suppress(VerificationError):
            return [text.decode() for text in Reader(derive_keys(secret, salt).sender).read(words)]
        return []

    def opened(key: RsaPrivate, unit: Unit) -> bytes:
        return key.decrypt(unit.data[LENGTH_BYTES:])

    with scene.story.attempt("recorded today, opened later with burak's private key alone") as attempt:
        attempt.did(f"has recorded the handshake, {len(words)} bytes of fragments, and this", shown(master))
        secret = opened(his, master)
        attempt.did(
            "steals burak's RSA key, and opens the master secret with it; the nonce is sealed to ayse", shown(nonce)
        )
        got = read(nonce.data[-NONCE_BYTES:], secret)
        attempt.saw("mallory", f"read {told(got)}")
        attempt.ends(
            succeeded=bool(got),
            stopped="all keys are salted with the nonce, which burak sealed to ayse's key: without that, 128 bits "
            "are missing",
        )
    with scene.story.attempt("with both private keys", must_fail=False) as attempt:
        attempt.did("steals ayse's RSA key as well, and opens the nonce")
        got = read(opened(hers, nonce), secret)
        attempt.saw("mallory", f"read {told(got)}")
        attempt.ends(
            succeeded=got == ["hello burak", SECRET],
            let="the keys that prove who people are also carry the secrets: whoever gets them opens every session "
            "that "
            "was ever recorded. There is no forward secrecy",
        )


async def predictable_iv(scene: Scene) -> None:
    """A PIN found by having its guesses sent."""
    pin, form = "0815", "PIN {} is your"
    with scene.story.attempt("a PIN, among guesses that ayse sends on", must_fail=False) as attempt:
        async with scene.classic() as wire:
            wire.ayse.say("ping")
            wire.ayse.say(form.format(pin) + "s: use it today")
            await wire.burak.heard(2)
            secret = wire.middle.passed(Way.THERE)[-2]
            attempt.did(
                "sees a message go by that follows a “ping”; he knows its form and not its number", shown(secret)
            )
            guesses = [f"{number:04}" for number in range(10_000)]
            count = len(wire.middle.passed(Way.THERE))
            for half in (guesses[:5000], guesses[5000:]):
                wire.ayse.say("ping", "".join(form.format(guess) for guess in half))
            await wire.burak.heard(6)
            attempt.did(
                "has ayse pass on two texts of his, each after another “ping”: every PIN there is, in that form"
            )
            found = [unit for unit in wire.middle.passed(Way.THERE)[count:] if _first(unit) == _first(secret)]
            sent = [unit for unit in wire.middle.passed(Way.THERE)[count:] if unit.data[7:HEADER_BYTES] == b"000016"]
            for unit in found[:1]:
                attempt.did(f"compares first blocks: of {len(sent):,} fragments one is the same", shown(unit))
            answer = guesses[sent.index(found[0])] if found else "none"
            attempt.saw("mallory", f"the PIN is {answer}")
            attempt.ends(
                succeeded=answer == pin,
                let="the IV comes from the first four bytes of the message before: after a “ping” it is always the "
                "same. "
                "And all fragments of a message share it, so one text holds thousands of guesses",
            )
    with scene.story.attempt("the same answer on two days", must_fail=False) as attempt:
        async with scene.classic() as wire:
            attack, calm = "we are attacked, close the doors", "we see no attack, stay where you are"
            answers: list[Unit] = []
            for day, answer in (("Monday", attack), ("Tuesday", attack), ("Wednesday", calm)):
                wire.ayse.say("what is the state?")
                await wire.burak.heard(2 * len(answers) + 1)
                before = len(wire.middle.passed(Way.THERE))
                wire.ayse.say(answer)
                await wire.burak.heard(2 * len(answers) + 2)
                answers.append(wire.middle.passed(Way.THERE)[before])
                attempt.did(f"sees {called(answers[-1])} on {day}", shown(answers[-1])[3:5])
            same = [_first(unit) == _first(answers[0]) for unit in answers]
            words = ["the same as on Monday" if one else "another" for one in same[1:]]
            attempt.saw(
                "mallory", f"Tuesday's answer is {words[0]}, Wednesday's is {words[1]}; he need not know the words"
            )
            attempt.aside(
                "texts under 16 bytes do not show it: their first block holds some of the MAC, and that counts"
            )
            attempt.ends(
                succeeded=same == [True, True, False],
                let="the same key, the same IV and the same 16 bytes give the same block",
            )


def _first(unit: Unit) -> bytes:
    """The block that holds a fragment's text."""
    return unit.data[HEADER_BYTES : HEADER_BYTES + BLOCK_BYTES]


def _key(material: bytes, salt: bytes) -> bytes:
    """HKDF-SHA-256 to 32 bytes without info, as fast as an attacker has it (RFC 5869)."""
    return hmac.digest(hmac.digest(salt, material, hashlib.sha256), b"\x01", hashlib.sha256)


def _search(candidates: Callable[[bytes], bytes], fits: Callable[[bytes], bool]) -> tuple[bytes, int]:
    """The 8 bytes of key material that fit, and how many were tried; nothing where none does."""
    for number in range(1 << _SEARCHED_BITS):
        material = candidates(number.to_bytes(_SEARCHED_BITS // 8))
        if fits(material):
            return material, number + 1
    return b"", 1 << _SEARCHED_BITS


def _pads(fragment: bytes, salt: bytes) -> Callable[[bytes], bool]:
    """Whether key material gives the AES key: the last block then ends in the padding that the header tells."""
    pad = BLOCK_BYTES - int(fragment[7:HEADER_BYTES])
    before, last = fragment[-2 * BLOCK_BYTES : -BLOCK_BYTES], fragment[-BLOCK_BYTES:]
    ends = bytes(byte ^ pad for byte in before[-pad:])

    def fits(material: bytes) -> bool:
        decryptor = Cipher(algorithms.AES256(_key(material, salt)), modes.ECB()).decryptor()  # noqa: S305 - one block
        return decryptor.update(last).endswith(ends)

    return fits


def _seals(fragment: bytes, plain: bytes, salt: bytes) -> Callable[[bytes], bool]:
    """Whether key material gives the HMAC key: the MAC is the one in ``plain``."""
    header = fragment[:HEADER_BYTES]
    length = int(header[7:])
    piece, mac = plain[:length], plain[length : length + 32]
    return lambda material: hmac.digest(_key(material, salt), piece + header, hashlib.sha256) == mac


async def strength(scene: Scene) -> None:
    """How many bits stand between an attacker and the words: with the nonce, and without."""
    async with scene.classic() as wire:
        wire.ayse.say("hello burak", "code 1234")
        await wire.burak.heard(2)
        wire.burak.say("hello ayse", "thank you")
        await wire.ayse.heard(2)
        secret, nonce = wire.ayse.secret, wire.burak.nonce
        hers, his = wire.middle.passed(Way.THERE)[-1], wire.middle.passed(Way.BACK)[-1]

    with scene.story.attempt("four keys of 256 bits, by whoever knows the nonce", must_fail=False) as attempt:
        attempt.aside(
            f"of each key's 8 bytes all but {_SEARCHED_BITS} bits are given, for a lesson has no 585 years; he "
            "knows that "
            "both began with “hello”"
        )
        attempt.did(
            "searches the 8 bytes that ayse's AES key comes from, MSK[8:16], on her second message", shown(hers)
        )
        first, tried = _search(lambda end: secret[8:14] + end, _pads(hers.data, nonce))
        text = b""
        if first:
            text = Cbc(_key(first, nonce)).open(
                hkdf(b"ivKeySenderhell", nonce, BLOCK_BYTES), [hers.data[HEADER_BYTES:]]
            )
        attempt.saw(
            "mallory", f"after {tried:,} guesses, told right from wrong by the padding: “{_piece(hers, text)}”"
        )
        attempt.did("burak's AES key, MSK[12:20], shares 4 bytes with it: 32 bits are left", shown(his))
        second, tried = _search(lambda end: first[4:] + secret[16:18] + end, _pads(his.data, nonce))
        answer = b""
        if second:
            iv = hkdf(b"ivKeyReceiverhell", nonce, BLOCK_BYTES)
            answer = Cbc(_key(second, nonce)).open(iv, [his.data[HEADER_BYTES:]])
        attempt.saw("mallory", f"after {tried:,} guesses: “{_piece(his, answer)}”")
        third, tried = _search(lambda end: secret[4:6] + end + first[:4], _seals(his.data, answer, nonce))
        fourth, more = _search(lambda end: secret[:2] + end + third[:4], _seals(hers.data, text, nonce))
        attempt.did("the HMAC keys, MSK[4:12] and MSK[0:8], share 4 bytes with what he has, and with each other")
        attempt.saw("mallory", f"after {tried:,} and {more:,} guesses: both; he reads and writes as either of them")
        attempt.aside(
            "step by step: 2^64 for the first key, 2^32 for each other, where the label says four times 2^256"
        )
        attempt.aside(
            "at a billion guesses a second: 2^64 takes 585 years, on a thousand machines 7 months; 2^32, 4 seconds"
        )
        attempt.ends(
            succeeded=first + fourth == secret[8:16] + secret[:8]
            and second[4:] == secret[16:20]
            and third == secret[4:12],
            let="HKDF makes 32 bytes of 8, and cannot add what is not there; and neighbours share half",
        )
    with scene.story.attempt("the same search by somebody who has only listened") as attempt:
        found, tried = _search(lambda end: secret[8:14] + end, _pads(hers.data, bytes(NONCE_BYTES)))
        attempt.did("searches with the same bits given, and without the nonce", shown(hers)[-1:])
        attempt.saw("mallory", f"after {tried:,} guesses: {'the key' if found else 'nothing'}")
        attempt.aside(
            "the nonce adds 128 bits, but it came sealed with RSA: a key of 2,048 bits is worth 112, one of 3,072 "
            "is worth "
            "128 (NIST SP 800-57). It was no secret at all in the authors' own program"
        )
        attempt.ends(
            succeeded=bool(found),
            stopped="the salt is secret, by a choice of the handshake that the key schedule did not ask for",
        )


def _piece(unit: Unit, plain: bytes) -> str:
    """The text in an opened fragment."""
    return plain[: int(unit.data[7:HEADER_BYTES])].decode(errors="replace")


LESSONS = (
    Lesson(
        "later", "Recorded today, opened in five years", LinkKind.CLASSIC,
        "Storage is cheap: whoever listens can wait for a key. Here the long-lived RSA keys carry nonce and master "
        "secret, so that the wait is worth it.",
        later,
        falls=True,
    ),
    Lesson(
        "iv", "Equal words look equal", LinkKind.CLASSIC,
        "CBC wants an IV that nobody can foresee, and a new one for everything that is encrypted. Here it is "
        "foreseeable, "
        "it comes back, and thousands of fragments share it.",
        predictable_iv,
        falls=True,
    ),
    Lesson(
        "strength", "How many bits stand in the way", LinkKind.CLASSIC,
        "AES-256 and HMAC-SHA-256 are on the box. What counts is the narrowest place on the way to their keys.",
        strength,
        falls=True,
    ),
)  # fmt: skip
