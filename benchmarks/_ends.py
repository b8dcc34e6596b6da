"""Two ends for the benchmarks of links: ours, and a bare hand-driven TLS pair with the same contexts as the floor."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from conclave.chat.state import Judges, Own
from conclave.crypto.suite import HYBRID_CODE
from conclave.link.events import Closed
from conclave.link.limits import LinkLimits
from conclave.mls import group as mls
from conclave.net.contexts import link_client_context, link_server_context
from conclave.net.dialling import dial
from conclave.net.listener import Listener, listen
from conclave.net.streams import LinkStream
from conclave.node.authentication import verifier
from conclave.pki.certificate import read_certificate
from conclave.pki.credentials import Credentials
from conclave.pki.issue import issue, make_issuing, make_root
from conclave.pki.keys import generate_device_key, read_key
from conclave.pki.names import Identity, parse_device, parse_handle, realm_from_name
from conclave.pki.policy import judge
from conclave.pki.profile import KeyKind, Profile
from conclave.pki.request import build_request, read_request
from conclave.pki.trust import Trust, pin_root
from conclave.pki.verify import VerifiedPeer, verify_peer
from conclave.wire.frames import Frame

HERE = "127.0.0.1"
MANY = LinkLimits(half_open=4096, half_open_per_address=4096, handshake_seconds=60.0, silence_seconds=60.0)
"""For many links on a machine that has other work: who is slow is not gone."""


class Realm:
    """One authority's trust and two peers; ``dumps`` and ``loads`` carry it to another process of the same run."""

    def __init__(self, trust: Trust, burak: Credentials, ayse: Credentials, *conversing: Credentials) -> None:
        self.trust = trust
        self.peers = (burak, ayse)
        self.enrol: Callable[[str, Profile], Credentials] | None = None  # in the process that made the realm
        self.conversing = conversing  # their certificates for conversations, in the same order
        self.server = link_server_context(burak, trust)
        self.client = link_client_context(ayse, trust)

    @classmethod
    def make(cls) -> Realm:
        now = time.time()
        root = make_root("Ward 7", realm_from_name("Ward 7"), now)
        issuing = make_issuing(root, "Ward 7", now)
        trust = pin_root([root.certificate, issuing.certificate], root.certificate.fingerprint)

        def enrol(handle: str, profile: Profile) -> Credentials:
            key = generate_device_key(profile)
            request = read_request(build_request(key, parse_handle(handle)), profile)
            identity = Identity(parse_handle(handle), parse_device("laptop"), trust.realm)
            return Credentials(key, issue(judge(request, identity, now), issuing), issuing.chain)

        profiles = (Profile.TLS, Profile.IM)
        made = cls(trust, *(enrol(handle, profile) for profile in profiles for handle in ("burak", "ayse")))
        made.enrol = enrol
        return made

    def dumps(self) -> str:
        parts = [certificate.der for certificate in self.trust.certificates]
        for peer in (*self.peers, *self.conversing):
            parts += [peer.key.pem(), peer.certificate.der]
        return json.dumps([part.hex() for part in parts])

    @classmethod
    def loads(cls, text: str) -> Realm:
        root, issuing, *rest = (bytes.fromhex(part) for part in json.loads(text))
        chain = [read_certificate(root), read_certificate(issuing)]
        peers = [
            Credentials(read_key(rest[at], KeyKind.ED25519), read_certificate(rest[at + 1]), (chain[1],))
            for at in range(0, len(rest), 2)
        ]
        return cls(pin_root(chain, chain[0].fingerprint), *peers)

    def verify(self, der: bytes, now: float) -> VerifiedPeer:
        return verify_peer(der, self.trust, now, Profile.TLS)

    def own(self, handle: str) -> Own:
        """Who ``handle`` is in conversations, with the suite that nodes use."""
        held = self.conversing[("burak", "ayse").index(handle)]
        leaf = mls.Credential.x509((held.certificate.der,))
        return Own(leaf, held.key.raw(), HYBRID_CODE, held.certificate.not_after)

    def judges(self) -> Judges:
        """Whom nodes believe."""
        return Judges(verifier(self.trust), verifier(self.trust))


class Owner:
    """Counts frames; perhaps answers each batch with its last frame."""

    def __init__(self, *, echo: bool = False) -> None:
        self.streams: list[LinkStream] = []
        self.count = 0
        self.echo = echo
        self.closed = 0
        self.arrived: asyncio.Future[None] | None = None

    def on_link(self, stream: LinkStream) -> None:
        self.streams.append(stream)

    def on_frames(self, stream: LinkStream, frames: tuple[Frame, ...]) -> None:
        self.count += len(frames)
        if self.echo:
            stream.send(frames[-1])
        elif self.arrived is not None and not self.arrived.done():
            self.arrived.set_result(None)

    def on_drained(self, stream: LinkStream) -> None:
        pass

    def on_closed(self, stream: LinkStream, closed: Closed) -> None:
        del stream, closed
        self.closed += 1

    def on_refused(self, address: str, closed: Closed) -> None:
        raise RuntimeError(f"{address}: {closed.text}")


async def listening(realm: Realm, owner: Owner) -> Listener:
    return await listen(HERE, 0, lambda: realm.server, realm.verify, MANY, owner)


async def dialled(realm: Realm, owner: Owner, address: tuple[str, int]) -> LinkStream:
    return await dial(*address, realm.client, realm.verify, MANY, owner)


class Bare:
    """One end of a TLS connection driven by hand: a socket, an SSLObject, nothing else."""

    def __init__(self, context: ssl.SSLContext, sock: socket.socket, *, server_side: bool) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server_side)

    def shake(self) -> bool:
        try:
            self.tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            done = False
        if data := self.outgoing.read():
            self.sock.sendall(data)
        return done

    def hear(self) -> None:
        self.incoming.write(self.sock.recv(262_144))

    def write(self, data: bytes) -> None:
        self.tls.write(data)
        self.sock.sendall(self.outgoing.read())

    def read(self) -> int:
        """Take what has come; how many bytes of plaintext it was."""
        self.hear()
        size = 0
        while self.incoming.pending:
            try:
                size += len(self.tls.read(16_384))
            except ssl.SSLWantReadError:
                break
        return size


def bare_pair(realm: Realm, door: socket.socket) -> tuple[Bare, Bare]:
    """A handshake over a loopback connection, both ends in this thread."""
    out = socket.create_connection(door.getsockname())
    into, _ = door.accept()
    client, server = Bare(realm.client, out, server_side=False), Bare(realm.server, into, server_side=True)
    client.shake()
    server.hear()
    server.shake()
    client.hear()
    while not client.shake():
        client.hear()
    server.hear()
    while not server.shake():
        server.hear()
    return client, server


def allow_sockets() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192) if hard > 0 else 8192, hard))


def rss() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@contextmanager
def far_end(kind: str, address: tuple[str, int], count: int, realm: Realm | None) -> Iterator[subprocess.Popen[str]]:
    """``count`` connections from another process; ``stdout`` says ``ready`` once they stand."""
    command = [sys.executable, "-m", "benchmarks._far_end", kind, address[0], str(address[1]), str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdin is not None and realm is not None:
            process.stdin.write(realm.dumps() + "\n")
            process.stdin.flush()
        yield process
    finally:
        process.communicate(timeout=30)
