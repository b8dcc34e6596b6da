"""Links between peers of a realm, with the certificates, contexts and verification that peers really use."""

from __future__ import annotations

import time
from functools import cache

import pytest

from conclave.errors import VerificationError
from conclave.link.events import Peer
from conclave.link.limits import LinkLimits
from conclave.link.tls import ALPN
from conclave.net.contexts import LINK_PROTOCOL, link_client_context, link_server_context
from conclave.net.dialling import dial
from conclave.net.listener import listen
from conclave.net.streams import LinkStream
from conclave.pki.names import Handle
from conclave.pki.profile import Profile
from conclave.pki.verify import VerifiedPeer, verify_peer
from conclave.wire.link import CloseReason
from tests.net.test_streams import HERE, Owner
from tests.pki.ward import Ward, make_ward


@cache
def realm(name: str = "Ward 7") -> Ward:
    return make_ward(name, time.time())


async def meet(dialler: Ward, expected: str) -> tuple[LinkStream, Owner]:
    """``ayse`` of ``dialler`` dials burak, who listens in Ward 7."""
    now = time.time()
    burak = realm().enrol("burak", now=now)
    ayse = dialler.enrol("ayse", now=now)
    owner = Owner()
    made = link_server_context(burak, realm().trust)

    def listens(der: bytes, now: float) -> Peer:
        return verify_peer(der, realm().trust, now, Profile.TLS)

    def dials(der: bytes, now: float) -> Peer:
        return verify_peer(der, dialler.trust, now, Profile.TLS, Handle(expected))

    listener = await listen(HERE, 0, lambda: made, listens, LinkLimits(), owner)
    try:
        context = link_client_context(ayse, dialler.trust)
        stream = await dial(*listener.address, context, dials, LinkLimits(), Owner())
        await owner.until(lambda: owner.streams)
        return stream, owner
    finally:
        listener.close()


def test_both_sides_speak_of_the_same_protocol() -> None:
    assert ALPN == LINK_PROTOCOL


async def test_two_peers_of_one_realm() -> None:
    stream, owner = await meet(realm(), "burak")
    there = owner.streams[0]
    assert (stream.handle, there.handle) == ("burak", "ayse")
    assert isinstance(stream.peer, VerifiedPeer)
    assert stream.peer.not_after > time.time()
    stream.close()
    await owner.until(lambda: owner.closed)
    assert owner.closed[0].clean


async def test_somebody_else_than_expected() -> None:
    with pytest.raises(VerificationError, match="directory") as caught:  # the remedy is part of the text
        await meet(realm(), "cem")
    assert caught.value.reason == CloseReason.UNEXPECTED_HANDLE.word


async def test_a_peer_of_another_realm() -> None:
    with pytest.raises(VerificationError) as caught:
        await meet(realm("Ward 8"), "burak")
    assert caught.value.reason == CloseReason.UNKNOWN_AUTHORITY.word
