"""A lesson on the default link: mallory, whom ayse has called, uses her signature to pass for her with burak.

He ends both connections himself, and has the secrets of both: so he can open what ayse signed for him, and put it, by
hand, into his own handshake with burak. Everything that he does is what RFC 8446 lets a client do.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from conclave.errors import RemoteError, VerificationError
from conclave.lab import tls13
from conclave.lab.careless import client_context, server_context
from conclave.lab.fields import cut_spans, paint
from conclave.lab.lesson import Lesson
from conclave.lab.middle import LOOPBACK, Way, answering, happens, more
from conclave.lab.scene import Scene
from conclave.lab.story import LinkKind
from conclave.lab.tls_peer import TlsPeer
from conclave.lab.tls_wire import HANDSHAKE, HEADER_BYTES, SEALED, RecordCutter
from conclave.values import dataclass
from conclave.wire.frames import encode_frame
from conclave.wire.limits import FRAME_BYTES
from conclave.wire.link import Hello

CERTIFICATE, VERIFY = 11, 15
CHANGE = bytes.fromhex("140303000101")
"""The change_cipher_spec that middleboxes like to see (RFC 8446 appendix D.4)."""


@dataclass(frozen=True, slots=True)
class Flight:
    """Handshake messages of one side, each with its header of 4 bytes, by their type."""

    messages: dict[int, bytes]

    @property
    def data(self) -> bytes:
        """All of them in order."""
        return b"".join(self.messages.values())


def read_flight(stream: bytes, sealer: tls13.Sealer) -> Flight:
    """Open the sealed records of a side's handshake. What does not open any more is of a later key."""
    plain = b""
    sealed = (record for record in RecordCutter(Way.THERE).cut(stream) if record[0] == SEALED)
    for number, record in enumerate(sealed):
        with suppress(VerificationError):
            kind, data = sealer.open(record, number)
            plain += data if kind == HANDSHAKE else b""
    messages = {}
    while plain:
        size = 4 + int.from_bytes(plain[1:4])
        messages[plain[0]], plain = plain[:size], plain[size:]
    return Flight(messages)


async def lure(scene: Scene) -> Flight:
    """Ayse calls mallory, as she would any colleague; what she sent and signed in that handshake."""
    realm = scene.realm
    heard, said = bytearray(), bytearray()
    with tls13.key_log() as path:
        context = server_context(realm.credentials("mallory"), realm)
        context.keylog_filename = str(path)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(incoming, outgoing, server_side=True)
            while True:
                with suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
                    break
                said.extend(outgoing.read())
                writer.write(bytes(said))
                heard.extend(data := await more(reader))
                incoming.write(data)
            writer.close()

        ayse = TlsPeer("ayse", realm.credentials("ayse"), realm)
        async with answering(serve) as port:
            await ayse.dial(port, "mallory")
        secret = tls13.logged(path)["CLIENT_HANDSHAKE_TRAFFIC_SECRET"]
    await ayse.away()
    return read_flight(bytes(heard), tls13.Sealer(*tls13.suite_of(bytes(said)), secret))


async def pass_for(scene: Scene, burak: TlsPeer, stolen: Flight | None) -> None:
    """Mallory calls burak with a flight made by hand: of ``stolen`` messages, or of what his own key signed."""
    realm = scene.realm
    reader, writer = await asyncio.open_connection(LOOPBACK, burak.port)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    heard = b""
    with tls13.key_log() as path:
        context = client_context(realm.credentials("mallory"), realm)
        context.keylog_filename = str(path)
        tls = context.wrap_bio(incoming, outgoing)
        hello = b""
        while True:
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                break
            if not hello:
                writer.write(hello := outgoing.read())
            heard += (data := await more(reader))
            incoming.write(data)
        secrets = tls13.logged(path)
    suite = tls13.suite_of(heard)
    server, client, words = (
        tls13.Sealer(*suite, secrets[name])
        for name in ("SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0")
    )
    server_hello = next(iter(RecordCutter(Way.BACK).cut(heard)))
    shows = stolen or read_flight(outgoing.read(), client)
    parts = [shows.messages[CERTIFICATE], shows.messages[VERIFY]]
    transcript = (
        hello[HEADER_BYTES:] + server_hello[HEADER_BYTES:] + read_flight(heard, server).data + b"".join(parts)
    )
    proof = client.finished(client.kdf.hash(transcript))
    parts.append(bytes([20]) + len(proof).to_bytes(3) + proof)
    flight = [CHANGE, *(client.seal(part, HANDSHAKE, number) for number, part in enumerate(parts))]
    flight.append(words.seal(encode_frame(Hello(1, 1, FRAME_BYTES, 16, "mallory")), SEALED, 0))
    writer.write(b"".join(flight))
    await happens(lambda: bool(burak.met or burak.refused), 2.0)
    writer.transport.abort()


async def relay(scene: Scene) -> None:
    """The signature that ayse made for mallory, shown to burak."""
    realm = scene.realm
    with scene.story.attempt("ayse's signature from her call to mallory, in mallory's call to burak") as attempt:
        flight = await lure(scene)
        verify = flight.messages[VERIFY]
        spans = cut_spans(
            ("msg_type", 1), ("length", 3), ("algorithm", 2), ("size", 2), ("signature", len(verify) - 8)
        )
        attempt.did("lets ayse call him, opens his own connection's handshake, and keeps", paint(verify, spans))
        attempt.did(
            "calls burak with his own key share, ayse's certificate, her signature, and a Finished that he made"
        )
        burak = TlsPeer("burak", realm.credentials("burak"), realm)
        await burak.listen()
        await pass_for(scene, burak, flight)
        attempt.saw("burak", burak.end)
        control = TlsPeer("burak", realm.credentials("burak"), realm)
        await control.listen()
        await pass_for(scene, control, None)
        attempt.aside(
            "the same flight made by hand with mallory's own signature is taken, as "
            f"{control.met[0] if control.met else 'nobody: ' + control.refused}"
        )
        works = control.met == ["mallory"]
        if not works:
            raise RemoteError("the hand-made flight is not even taken with an honest signature")
        attempt.ends(
            succeeded=bool(burak.met),
            stopped="the signature covers the whole transcript, with both key shares and burak's certificate in it: "
            "made for mallory, it proves nothing to burak (RFC 8446 section 4.4.3)",
        )
        await burak.away()
        await control.away()


LESSONS = (
    Lesson(
        "relay", "A signature made for one is shown to another", LinkKind.TLS,
        "Whoever signs a challenge must say what for. A colleague whom ayse calls in good faith hands burak's "
        "challenge on to her, and her answer back to burak.",
        relay,
    ),
)  # fmt: skip
