"""A program that is not ours, in straight lines from the report's page, talks to a running node in both roles.

It shares no code with the suite: ``tests.classic.straight`` and what stands here is all that it has.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from conclave.node.classic import commands as ask
from conclave.pki.profile import Profile
from tests.classic import straight
from tests.node.classics import accept, classic_of, classic_texts, people, rsa_key
from tests.node.homes import realm

LENGTHS = (0, 1, 15, 16, 17, 32, 38, 1000, 100_000)
TEXTS = [("0123456789abcdef" * 6250)[:length].encode() for length in LENGTHS]


@dataclass
class Half:
    """One direction of a chat."""

    mac_key: bytes
    aes_key: bytes
    iv: bytes
    label: bytes
    nonce: bytes
    seq: int = 1

    def done(self, message: bytes, count: int) -> None:
        self.seq += count
        self.iv = straight.next_iv(self.label, message, self.nonce)


class Outsider:
    """Has a certificate of the realm and its key, and nothing else of ours."""

    def __init__(self, handle: str) -> None:
        held = realm().enrol(handle, Profile.CLASSIC, now=time.time(), key=rsa_key(handle))
        key = load_pem_private_key(held.key.pem(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self.key = key
        self.certificate = held.certificate.pem

    async def call(self, address: str) -> None:
        """As the sender."""
        host, port = address.rsplit(":", 1)
        self.reader, self.writer = await asyncio.open_connection(host, int(port))
        self.put(b"HELLO")
        assert await self.get() == b"OK"
        self.put(self.certificate)
        nonce = self.key.decrypt(await self.get(), straight.OAEP)
        theirs = public_key(await self.get())
        self.put(self.key.sign(nonce, straight.PSS, hashes.SHA256()))
        assert await self.get() == b"ACK"
        secret = os.urandom(32)
        self.put(theirs.encrypt(secret, straight.OAEP))
        assert await self.get() == b"OK"
        self.out, self.into = halves(secret, nonce)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As the receiver."""
        self.reader, self.writer = reader, writer
        assert await self.get() == b"HELLO"
        self.put(b"OK")
        theirs, nonce = public_key(await self.get()), os.urandom(16)
        self.put(theirs.encrypt(nonce, straight.OAEP))
        self.put(self.certificate)
        theirs.verify(await self.get(), nonce, straight.PSS, hashes.SHA256())
        self.put(b"ACK")
        secret = self.key.decrypt(await self.get(), straight.OAEP)
        self.put(b"OK")
        self.into, self.out = halves(secret, nonce)

    def put(self, body: bytes) -> None:
        self.writer.write(str(len(body)).zfill(6).encode() + body)

    async def get(self) -> bytes:
        return await self.reader.readexactly(int(await self.reader.readexactly(6)))

    def say(self, message: bytes) -> None:
        half = self.out
        fragments = straight.seal(message, half.seq, half.mac_key, half.aes_key, half.iv)
        self.writer.write(b"".join(fragments))
        half.done(message, len(fragments))

    async def hear(self) -> bytes:
        half, fragments = self.into, list[bytes]()
        while not fragments or fragments[-1][6:7] == b"0":
            header = await self.reader.readexactly(13)
            fragments.append(header + await self.reader.readexactly(64 if int(header[7:]) == 16 else 48))
        message = straight.open_message(fragments, half.seq, half.mac_key, half.aes_key, half.iv)
        half.done(message, len(fragments))
        return message

    def close(self) -> None:
        self.writer.close()


def public_key(pem: bytes) -> rsa.RSAPublicKey:
    key = x509.load_pem_x509_certificate(pem).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def halves(secret: bytes, nonce: bytes) -> tuple[Half, Half]:
    """What the sender writes with, and what the receiver does."""
    six = straight.six_keys(secret, nonce)
    return (
        Half(six.mac_sender, six.aes_sender, six.iv_sender, b"ivKeySender", nonce),
        Half(six.mac_receiver, six.aes_receiver, six.iv_receiver, b"ivKeyReceiver", nonce),
    )


async def test_a_program_of_others_calls(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse") as (ayse,):
        other = Outsider("burak")
        calling = asyncio.ensure_future(other.call(ayse.address))
        await accept(ayse, "burak")
        await calling
        for text in TEXTS:
            other.say(text)
        await ayse.until(lambda: [t.encode() for t in classic_texts(ayse, "@burak", "burak")] == TEXTS)
        for text in TEXTS:
            assert (await ayse.serve(ask.ClassicSay("@burak", text.decode())))["status"] == "sent"
            assert await other.hear() == text
        other.close()


async def test_a_program_of_others_is_called_and_is_in_a_lobby(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse", "cem") as (ayse, cem):
        other, met = Outsider("burak"), asyncio.Event()

        async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await other.answer(reader, writer)
            met.set()

        server = await asyncio.start_server(called, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]
        saying = ayse.serve(ask.ClassicSay("@burak", "first", at=f"{host}:{port}", wait=True))
        assert (await saying)["status"] == "sent"
        assert await other.hear() == b"first"
        for text in TEXTS:
            other.say(text)
            await ayse.serve(ask.ClassicSay("@burak", text.decode()))
            assert await other.hear() == text
        await ayse.until(lambda: [t.encode() for t in classic_texts(ayse, "@burak", "burak")] == TEXTS)
        other.close()
        await ayse.until(lambda: not classic_of(ayse).streams)

        met.clear()
        await ayse.serve(ask.ClassicGather("ops", ("burak", "cem")))
        await met.wait()
        assert (await other.hear()).startswith(b"* this is the lobby ops, led by ayse")
        await accept(cem, "ayse")
        assert await other.hear() == b"* cem entered"
        for text in TEXTS:
            other.say(text)
        await cem.until(lambda: [t.encode() for t in classic_texts(cem, "@ayse")][-len(TEXTS) :] == TEXTS)
        await cem.serve(ask.ClassicSay("@ayse", TEXTS[-1].decode()))
        assert [await other.hear(), await other.hear()] == [b"* cem says:", TEXTS[-1]]
        server.close()
        other.close()
