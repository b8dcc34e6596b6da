"""Links over real sockets, on asyncio's loop and on uvloop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

from conclave.errors import ConclaveError, LocalError, NetworkError, RemoteError, Truncated, VerificationError
from conclave.link.events import Closed
from conclave.link.limits import LinkLimits
from conclave.link.machine import VERSION
from conclave.net.dialling import dial
from conclave.net.listener import Listener, listen
from conclave.net.streams import LinkStream
from conclave.wire.delivery import Post, PostKind
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.link import CloseReason
from tests.link.identities import Verifier, context, leaf, usual
from tests.link.pair import have

HERE = "127.0.0.1"
TOWNS: list[Town] = []
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    factory = asyncio.new_event_loop if request.param == "asyncio" else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        broken: list[dict[str, Any]] = []
        runner.get_loop().set_exception_handler(lambda _, what: broken.append(what))

        async def whole(body: Coroutine[Any, Any, None]) -> None:
            try:
                await body
            finally:
                while TOWNS:
                    TOWNS.pop().end()
                await asyncio.sleep(0.02)

        yield lambda body: runner.run(whole(body))
        assert broken == []


class Owner:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.streams: list[LinkStream] = []
        self.frames: list[Frame] = []
        self.batches: list[int] = []
        self.drained = 0
        self.closed: list[Closed] = []
        self.refused: list[Closed] = []
        self.changed = asyncio.Event()
        self.answer: Frame | None = None

    def on_link(self, stream: LinkStream) -> None:
        self.streams.append(stream)
        if self.answer is not None:
            stream.send(self.answer)
        self.changed.set()

    def on_frames(self, stream: LinkStream, frames: tuple[Frame, ...]) -> None:
        self.frames += frames
        self.batches.append(len(frames))
        self.changed.set()

    def on_drained(self, stream: LinkStream) -> None:
        self.drained += 1
        self.changed.set()

    def on_closed(self, stream: LinkStream, closed: Closed) -> None:
        self.closed.append(closed)
        self.changed.set()

    def on_refused(self, address: str, closed: Closed) -> None:
        assert address.startswith(HERE)
        self.refused.append(closed)
        self.changed.set()

    async def until(self, done: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not done():
                self.changed.clear()
                await self.changed.wait()


class Town:
    """burak listens; others dial."""

    def __init__(self, listener: Listener, owner: Owner) -> None:
        self.listener = listener
        self.burak = owner
        self.dialled: list[LinkStream] = []
        TOWNS.append(self)

    def end(self) -> None:
        self.listener.close()
        for stream in self.dialled + self.burak.streams:
            stream.abort()

    @classmethod
    async def build(
        cls, *, server: ssl.SSLContext | None = None, verify: Verifier | None = None, limits: LinkLimits | None = None
    ) -> Town:
        owner = Owner()
        made = server or usual("burak", server=True)
        listener = await listen(HERE, 0, lambda: made, verify or Verifier(), limits or LinkLimits(), owner)
        return cls(listener, owner)

    async def dial(
        self,
        owner: Owner,
        *,
        who: ssl.SSLContext | None = None,
        expect: str = "burak",
        limits: LinkLimits | None = None,
    ) -> LinkStream:
        made = who or usual("ayse", server=False)
        stream = await dial(*self.listener.address, made, Verifier(expect), limits or LinkLimits(), owner)
        self.dialled.append(stream)
        return stream

    async def raw(self) -> socket.socket:
        """A plain connection that says nothing by itself."""
        loop = asyncio.get_running_loop()
        made = socket.socket()
        made.setblocking(False)
        await loop.sock_connect(made, self.listener.address)
        return made


def test_two_peers_talk_and_part(run: Run) -> None:
    async def body() -> None:
        town = await Town.build(limits=LinkLimits(window=9))
        ayse, burak = Owner(), town.burak
        stream = await town.dial(ayse)
        assert (stream.peer.handle, stream.handle, stream.initiator, stream.window) == ("burak", "burak", True, 9)
        assert stream.version == VERSION
        assert stream.address == f"{HERE}:{town.listener.address[1]}"
        for n in range(30):
            stream.send(have(n))
        await burak.until(lambda: len(burak.frames) == 30)
        assert burak.batches == [30]  # sent in one turn of the loop: one write, one reading
        there = burak.streams[0]
        assert (there.handle, there.initiator) == ("ayse", False)
        there.send_encoded(encode_frame(have(1)) + encode_frame(have(2)))
        await ayse.until(lambda: len(ayse.frames) == 2)
        assert town.listener.half_open == 0
        stream.close(CloseReason.DONE, "bye")
        stream.send(have(3))  # dropped: no longer open
        await ayse.until(lambda: ayse.closed)
        await burak.until(lambda: burak.closed)
        assert ayse.closed == [Closed(CloseReason.DONE, "bye", clean=True, by_us=True)]
        assert burak.closed == [Closed(CloseReason.DONE, "bye", clean=True, by_us=False)]
        assert ayse.streams == []
        assert len(burak.frames) == 30

    run(body())


def test_what_arrives_with_the_hello_waits_until_the_dialler_has_its_link(run: Run) -> None:
    async def body() -> None:
        town = await Town.build()
        town.burak.answer = have(7)
        ayse = Owner()
        await town.dial(ayse)
        assert ayse.frames == []
        await ayse.until(lambda: ayse.frames == [have(7)])

    run(body())


def test_a_link_that_its_dialler_pauses_at_once_stays_paused(run: Run) -> None:
    async def body() -> None:
        town = await Town.build()
        ayse = Owner()
        stream = await town.dial(ayse)
        stream.pause()
        await town.burak.until(lambda: town.burak.streams)
        town.burak.streams[0].send(have(1))
        await asyncio.sleep(0.05)
        assert ayse.frames == []
        stream.resume()
        await ayse.until(lambda: ayse.frames == [have(1)])

    run(body())


REFUSALS: list[tuple[str, dict[str, Any], dict[str, Any], CloseReason]] = [
    (
        "wrong authority",
        {},
        {"who": lambda: context(leaf("m", issuer="Ward 8"), server=False)},
        CloseReason.UNKNOWN_AUTHORITY,
    ),
    ("expired", {}, {"who": lambda: context(leaf("m", starts=-20), server=False)}, CloseReason.EXPIRED),
    (
        "listener expired",
        {"server": lambda: context(leaf("burak", starts=-20), server=True)},
        {},
        CloseReason.EXPIRED,
    ),
    ("revoked", {"verify": lambda: Verifier(revoked=frozenset({"ayse"}))}, {}, CloseReason.REVOKED),
    ("other handle", {}, {"expect": lambda: "cem"}, CloseReason.UNEXPECTED_HANDLE),
]


@pytest.mark.parametrize(
    ("server", "client", "reason"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_refused(run: Run, server: dict[str, Any], client: dict[str, Any], reason: CloseReason) -> None:
    async def body() -> None:
        town = await Town.build(**{key: make() for key, make in server.items()})
        other = Owner()
        bystander = await town.dial(other)
        with pytest.raises(VerificationError) as caught:
            await town.dial(Owner(), **{key: make() for key, make in client.items()})
        assert caught.value.reason == reason.word
        await town.burak.until(lambda: town.burak.refused)
        assert town.burak.refused[0].reason is reason
        assert len(town.burak.streams) == 1
        bystander.send(have(1))
        await town.burak.until(lambda: town.burak.frames == [have(1)])  # nobody else noticed

    async def alone() -> None:
        town = await Town.build(**{key: make() for key, make in server.items()})
        with pytest.raises(VerificationError) as caught:
            await town.dial(Owner(), **{key: make() for key, make in client.items()})
        assert caught.value.reason == reason.word
        await town.burak.until(lambda: town.burak.refused)
        assert town.burak.refused[0].reason is reason
        assert town.burak.streams == []

    run(alone() if server else body())


def test_nobody_there(run: Run) -> None:
    async def body() -> None:
        town = await Town.build()
        town.listener.close()
        await asyncio.sleep(0)
        with pytest.raises(NetworkError, match="cannot be reached") as caught:
            await town.dial(Owner())
        assert caught.value.remedy

    run(body())


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".b", "xn--\u00e4"])
def test_a_name_that_no_resolver_takes(run: Run, host: str) -> None:
    """Such a name can come from another member's announcement."""

    async def body() -> None:
        with pytest.raises(NetworkError, match="cannot be reached"):
            await dial(host, 1, usual("ayse", server=False), Verifier(), LinkLimits(), Owner())

    run(body())


def test_somebody_who_does_not_answer(run: Run) -> None:
    async def body() -> None:
        with socket.create_server((HERE, 0)) as mute:
            port = mute.getsockname()[1]
            limits = LinkLimits(handshake_seconds=0.1)
            with pytest.raises(NetworkError, match=r"did not answer within 0\.1 seconds"):
                await dial(HERE, port, usual("ayse", server=False), Verifier(), limits, Owner())

    run(body())


@pytest.mark.parametrize(
    ("says", "error"),
    [(b"220 mail.ward-7.internal ESMTP\r\n", RemoteError), (b"", Truncated)],
    ids=["mail", "hangs up"],
)
def test_somebody_who_speaks_something_else(run: Run, says: bytes, error: type[ConclaveError]) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        await writer.drain()
        writer.close()

    async def body() -> None:
        server = await asyncio.start_server(greet, HERE, 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(error):
            await dial(HERE, port, usual("ayse", server=False), Verifier(), LinkLimits(), Owner())
        server.close()

    run(body())


def test_a_dial_that_is_given_up_leaves_nothing_behind(run: Run) -> None:
    async def body() -> None:
        with socket.create_server((HERE, 0)) as mute:
            port = mute.getsockname()[1]
            dialling = asyncio.ensure_future(
                dial(HERE, port, usual("ayse", server=False), Verifier(), LinkLimits(), Owner())
            )
            await asyncio.sleep(0.05)
            dialling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dialling
            there, _ = mute.accept()
            with there:
                there.settimeout(5)
                try:
                    while there.recv(4096):
                        pass
                except ConnectionResetError:
                    pass  # as good as an end: the connection was cut, not left to rot

    run(body())


def test_an_address_that_is_taken(run: Run) -> None:
    async def body() -> None:
        town = await Town.build()
        with pytest.raises(LocalError, match="cannot listen") as caught:
            await listen(
                *town.listener.address, lambda: usual("burak", server=True), Verifier(), LinkLimits(), Owner()
            )
        assert "port 0" in caught.value.remedy

    run(body())


def test_a_handshake_that_dribbles_is_cut_and_others_are_not_kept_waiting(run: Run) -> None:
    async def body() -> None:
        town = await Town.build(limits=LinkLimits(handshake_seconds=0.3, close_seconds=0.1))
        loop = asyncio.get_running_loop()
        slow = await town.raw()
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + bytes(100)
        with slow:
            for byte in hello:
                try:
                    await loop.sock_sendall(slow, bytes((byte,)))
                except ConnectionError:
                    break
                if len(town.burak.streams) == 0:
                    await town.dial(Owner())  # meanwhile
                await asyncio.sleep(0.01)
            await town.burak.until(lambda: town.burak.refused)
        assert town.burak.refused[0].reason is CloseReason.TIMEOUT
        assert len(town.burak.streams) == 1
        await asyncio.sleep(0.15)
        assert town.listener.half_open == 0

    run(body())


def test_half_open_connections_of_one_address_are_bounded(run: Run) -> None:
    async def body() -> None:
        town = await Town.build(limits=LinkLimits(half_open_per_address=3))
        loop = asyncio.get_running_loop()
        ayse = Owner()
        before = await town.dial(ayse)
        held = [await town.raw() for _ in range(6)]
        ends = []
        for made in held[3:]:
            try:
                ends.append(await asyncio.wait_for(loop.sock_recv(made, 1), 5))
            except ConnectionError:
                ends.append(b"")
        assert ends == [b"", b"", b""]
        assert town.listener.half_open == 3
        with pytest.raises(NetworkError):
            await town.dial(Owner())
        before.send(have(1))
        await town.burak.until(lambda: town.burak.frames == [have(1)])  # open links do not count, and live on
        for made in held:
            made.close()
        await town.burak.until(lambda: len(town.burak.refused) == 3)
        await asyncio.sleep(0.02)
        await town.dial(Owner())

    run(body())


@pytest.mark.parametrize("junk", [b"\x00" * 4096, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70_000])
def test_garbage_on_the_socket(run: Run, junk: bytes) -> None:
    async def body() -> None:
        town = await Town.build()
        ayse = Owner()
        stream = await town.dial(ayse)
        with await town.raw() as made:
            await asyncio.get_running_loop().sock_sendall(made, junk)
            await town.burak.until(lambda: town.burak.refused)
        assert town.burak.refused[0].reason is CloseReason.PROTOCOL
        stream.send(have(1))
        await town.burak.until(lambda: town.burak.frames == [have(1)])

    run(body())


def test_a_cut_is_told_from_a_close(run: Run) -> None:
    async def body() -> None:
        town = await Town.build()
        ayse = Owner()
        stream = await town.dial(ayse)
        await town.burak.until(lambda: town.burak.streams)
        stream.abort()
        await town.burak.until(lambda: town.burak.closed)
        await ayse.until(lambda: ayse.closed)
        for owner in (ayse, town.burak):
            assert [(end.reason, end.clean) for end in owner.closed] == [(CloseReason.TRUNCATED, False)]

    run(body())


def test_silence_is_noticed(run: Run) -> None:
    async def body() -> None:
        town = await Town.build()
        ayse = Owner()
        await town.dial(ayse, limits=LinkLimits(heartbeat_seconds=0.05, silence_seconds=0.15, close_seconds=0.05))
        await asyncio.sleep(0.3)
        assert ayse.closed == []  # burak answers
        town.burak.streams[0].pause()
        await ayse.until(lambda: ayse.closed)
        assert ayse.closed[0].reason is CloseReason.TIMEOUT
        town.burak.streams[0].resume()
        await town.burak.until(lambda: town.burak.closed)
        assert town.burak.closed[0].reason is CloseReason.TIMEOUT

    run(body())


def test_a_slow_reader_slows_its_sender_and_nobody_else(run: Run) -> None:
    async def body() -> None:
        limits = LinkLimits(outgoing_bytes=64 * 1024)
        town = await Town.build()
        ayse, cem = Owner(), Owner()
        stream = await town.dial(ayse, limits=limits)
        other = await town.dial(cem, who=usual("cem", server=False))
        await town.burak.until(lambda: len(town.burak.streams) == 2)
        there = next(one for one in town.burak.streams if one.handle == "ayse")
        there.pause()
        post = Post(bytes(8), 1, 1, PostKind.MESSAGE, bytes(60_000))
        sent = 0
        while stream.unsent < 200_000:
            stream.send(post)
            sent += 1
            assert sent < 1000
            await asyncio.sleep(0)
        assert ayse.drained in range(sent)
        drained = ayse.drained
        slow = [stream.slow]
        other.send(have(1))
        await town.burak.until(lambda: have(1) in town.burak.frames)
        there.resume()
        await ayse.until(lambda: ayse.drained > drained)
        slow.append(stream.slow)
        assert slow == [True, False]
        await town.burak.until(lambda: town.burak.frames.count(post) == sent)  # nothing was lost
        assert stream.unsent == 0

    run(body())


def test_much_in_one_turn_counts_as_slow_until_it_has_left(run: Run) -> None:
    async def body() -> None:
        town = await Town.build()
        ayse = Owner()
        stream = await town.dial(ayse, limits=LinkLimits(outgoing_bytes=1000))
        for _ in range(100):
            stream.send(have(1))
        slow = [stream.slow]
        await ayse.until(lambda: ayse.drained == 1)
        slow.append(stream.slow)
        assert slow == [True, False]

    run(body())


def test_a_peer_that_reads_no_more_is_given_up(run: Run) -> None:
    async def body() -> None:
        town = await Town.build()
        ayse = Owner()
        limits = LinkLimits(outgoing_bytes=64 * 1024, outgoing_limit_bytes=512 * 1024, close_seconds=0.05)
        stream = await town.dial(ayse, limits=limits)
        await town.burak.until(lambda: town.burak.streams)
        town.burak.streams[0].pause()
        post = encode_frame(Post(bytes(8), 1, 1, PostKind.MESSAGE, bytes(60_000)))
        for _ in range(1000):
            stream.send_encoded(post)
            await asyncio.sleep(0)
            if ayse.closed:
                break
        await ayse.until(lambda: ayse.closed)
        assert ayse.closed[0].reason is CloseReason.OVERLOADED
        await asyncio.sleep(0.1)
        assert stream.unsent == 0  # the socket was cut when nobody took the rest

    run(body())


def test_an_owner_that_fails_loses_that_link_only() -> None:
    class Clumsy(Owner):
        def on_frames(self, stream: LinkStream, frames: tuple[Frame, ...]) -> None:
            if stream.handle == "ayse":
                raise RuntimeError("fell over")
            super().on_frames(stream, frames)

    async def body() -> None:
        broken: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: broken.append(what))
        clumsy = Clumsy()
        listener = await listen(HERE, 0, lambda: usual("burak", server=True), Verifier(), LinkLimits(), clumsy)
        town = Town(listener, clumsy)
        ayse, cem = Owner(), Owner()
        bad, good = await town.dial(ayse), await town.dial(cem, who=usual("cem", server=False))
        bad.send(have(1))
        await ayse.until(lambda: ayse.closed)
        good.send(have(2))
        await clumsy.until(lambda: clumsy.frames == [have(2)])
        assert len(broken) == 1
        town.end()
        TOWNS.clear()
        await asyncio.sleep(0.02)

    asyncio.run(body())


def test_a_link_that_is_not_open_has_no_peer() -> None:
    async def body() -> None:
        stream = LinkStream(usual("ayse", server=False), Verifier(), LinkLimits(), Owner())
        assert not stream.open
        assert stream.unsent == 0
        with pytest.raises(LocalError):
            _ = stream.peer

    asyncio.run(body())
