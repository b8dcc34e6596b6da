"""An attack across both links: burak's port speaks TLS and classic, and mallory turns a TLS call into a classic one.

He strips what ayse sends, writes the classic suite's first bytes in its place, and shows burak a copy of her classic
certificate, which is no secret.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter

from conclave.classic.frames import LENGTH_BYTES, put_frame
from conclave.classic.handshake import HELLO
from conclave.lab.classic_peer import ClassicPeer, own
from conclave.lab.classic_wire import frame_spans
from conclave.lab.fields import paint
from conclave.lab.middle import LOOPBACK, answering, more
from conclave.lab.scene import Scene
from conclave.lab.story import Field
from conclave.lab.tls_peer import TlsPeer
from conclave.lab.tls_wire import record_spans
from conclave.pki.profile import Profile


async def read_frame(reader: StreamReader) -> bytes:
    """The next frame's body."""
    return await reader.readexactly(int(await reader.readexactly(LENGTH_BYTES)))


def frame_fields(body: bytes, *, changed: bool = False) -> tuple[Field, ...]:
    """A frame's bytes, for a body of it."""
    frame = put_frame(body)
    return paint(frame, frame_spans(frame), range(len(frame)) if changed else ())


async def strip(scene: Scene) -> None:
    """The attempt, as part of a lesson."""
    realm = scene.realm
    ayse, modern = (
        TlsPeer(name, realm.credentials(name), realm, without=scene.without) for name in ("ayse", "burak")
    )
    legacy = ClassicPeer("burak", realm.credentials("burak", Profile.CLASSIC), realm, scene.without)
    copy = realm.credentials("ayse", Profile.CLASSIC).certificate.pem
    hand = own(realm.credentials("mallory", Profile.CLASSIC)).key
    with scene.story.attempt(
        "burak speaks both links on one port: a TLS call is turned into a classic one"
    ) as attempt:
        port = await legacy.listen(beside=modern)
        last = b""

        async def between(hers: StreamReader, to_her: StreamWriter) -> None:
            nonlocal last
            hello = await more(hers)
            attempt.did("strips this from the wire", paint(hello, record_spans(hello))[:4])
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            attempt.did("and sends burak this", frame_fields(HELLO, changed=True))
            writer.write(put_frame(HELLO))
            said = await read_frame(reader)
            to_her.write(put_frame(said))
            writer.write(put_frame(copy))
            nonce, _ = await read_frame(reader), await read_frame(reader)
            attempt.did("shows a copy of ayse's certificate, gets a nonce for her alone, and signs with his own key")
            writer.write(put_frame(hand.sign(nonce)))
            last = await read_frame(reader)
            writer.transport.abort()

        async with answering(between) as middle:
            opened = await ayse.dial(middle, "burak")
        attempt.saw("ayse", ayse.end)
        attempt.saw("burak", f"said {last.decode('ascii', errors='replace')}, and was asked nothing")
        attempt.ends(
            succeeded=opened or bool(legacy.asked or modern.met),
            stopped="whoever dialled TLS takes a TLS answer or none, so ayse never speaks classic; and what "
            "mallory speaks "
            "in her place needs her signature",
        )
        for peer in (ayse, modern, legacy):
            await peer.away()
