"""An authenticated peer that is hostile: whatever frames it sends, it harms its own link at most."""

from __future__ import annotations

import asyncio
import os
import random  # noqa: TID251 - a seed chooses what the hostile peer sends
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conclave.chat import events as ev
from conclave.chat.groups import DEPUTIES
from conclave.chat.lobby_state import Stage
from conclave.chat.words.content import Content, Text, encode_content
from conclave.crypto.suite import HYBRID
from conclave.mls.group import Credential, OwnKeyPackage, write_key_package
from conclave.node.door import commands as ask
from conclave.node.identity import Identity
from conclave.node.paths import vault_path
from conclave.pki.credentials import Credentials
from conclave.pki.profile import Profile
from conclave.store import vault as vaults
from conclave.wire.codec import encode_varint
from conclave.wire.delivery import Ack, Post, PostKind
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.limits import FRAME_BYTES
from conclave.wire.link import Hello, Ping
from conclave.wire.order import (
    AskInfo,
    EntryKind,
    Fetch,
    Have,
    Head,
    Info,
    Ordered,
    Originals,
    Recall,
    Refusal,
    Refused,
    Run,
    Submit,
)
from conclave.wire.packages import AskPackage, Package
from conclave.wire.posts import (
    Answer,
    Begin,
    Choice,
    Handshake,
    Invite,
    Leave,
    Message,
    Parcel,
    Welcome,
    pack_parcel,
)
from tests.attacks.hostile import Mallory
from tests.node.homes import PASSPHRASE, Running, befriend, make_home, running

OPS = b"ops-of-the-test!"
TOP = (1 << 64) - 1
WILD = [0, 1, 2, 3, 255, 256, (1 << 31) - 1, 1 << 31, (1 << 62), (1 << 63) - 1, 1 << 63, TOP - 1, TOP]
STREAM = b"mallorys"


def order(one: Running) -> list[tuple[int, str, str]]:
    """The lobby's lines by their numbers, which are the same for everybody."""
    return sorted((stored.line.seq, stored.line.sender, stored.line.text) for stored in one.lines("#ops"))


@dataclass
class Scene:
    """ayse leads #ops with burak; mallory is linked to ayse."""

    ayse: Running
    burak: Running
    credentials: Credentials
    im: Credentials
    mallory: Mallory = field(default_factory=Mallory)
    said: int = 0

    async def link(self) -> Mallory:
        self.mallory.end()
        self.mallory = Mallory()
        await self.mallory.link(self.ayse.address, self.credentials)
        await self.mallory.until(lambda: "mallory" in self.ayse.node.peers.linked())
        return self.mallory

    async def goes_on(self) -> None:
        """The others' pair and lobby, both ways, over the link that was there before."""
        self.said += 1
        mark = f"round {self.said}"
        await asyncio.gather(
            self.ayse.say("@burak", mark),
            self.burak.say("@ayse", mark),
            self.ayse.say("#ops", f"{mark} of ayse"),
            self.burak.say("#ops", f"{mark} of burak"),
        )
        await self.ayse.until(
            lambda: f"{mark} of burak" in self.burak.texts("#ops") and f"{mark} of ayse" in self.burak.texts("#ops")
        )
        await self.ayse.until(lambda: mark in self.burak.texts("@ayse", "ayse") and mark in self.ayse.texts("@burak"))
        await self.ayse.until(lambda: order(self.ayse) == order(self.burak))
        assert not [n for n in self.ayse.told("link-closed") if n["peer"] == "burak"]

    def post(self, parcel: Parcel, number: int, *, stream: bytes = STREAM, base: int = 1) -> Post:
        kind, body = pack_parcel(parcel)
        return Post(stream, number, base, kind, body)


@pytest.fixture
async def scene(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Scene]:
    for handle in ("ayse", "burak"):
        make_home(tmp_path / handle, handle)
    credentials = make_home(tmp_path / "mallory", "mallory")
    im = Identity(vaults.unlock(vault_path(tmp_path / "mallory"), PASSPHRASE)).credentials(Profile.IM)
    async with running(tmp_path / "ayse") as ayse, running(tmp_path / "burak") as burak:
        await befriend(ayse, burak)
        await ayse.ask(ev.OpenLobby("ops", OPS, ("burak",)))
        await burak.until(lambda: burak.requested())
        await burak.ask(ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
        await ayse.until(lambda: not ayse.waiting() and not burak.waiting())
        await burak.until(lambda: burak.node.pump.desk.lobbies.get(OPS).stage is Stage.MEMBER)  # type: ignore[union-attr]
        scene = Scene(ayse, burak, credentials, im)
        await scene.link()
        yield scene
        scene.mallory.end()
        await asyncio.sleep(0)
    wrong = [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]
    assert not wrong


def plain(text: str, identity: bytes) -> bytes:
    return encode_content(Content(identity, 1, 1.0, Text(text)))


def words(text: str, identity: bytes = b"") -> Message:
    """Words in the clear, in a group that nobody knows."""
    identity = identity or os.urandom(16)
    return Message(identity, OPS, plain(text, identity))


def package(scene: Scene) -> bytes:
    """A key package of mallory's that holds."""
    own = scene.im
    now = int(time.time())
    leaf = Credential.x509((own.certificate.der,))
    made = OwnKeyPackage.create(
        HYBRID, leaf, own.key.raw(), (now - 3600, now + 86_400), os.urandom, extensions=(DEPUTIES,)
    )
    return write_key_package(made.package)


async def heard(scene: Scene) -> None:
    """Everything that mallory sent so far was decided on."""
    await scene.ayse.until(lambda: not scene.ayse.node.pump._waiting.is_set())
    await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "data",
    [
        b"\x10\xbf\xff\xff\xff" + bytes(1000),  # a gigabyte is announced
        b"\x10\x40\x01" + bytes(50),  # a length not in its shortest form
        b"\x10\xc0" + bytes(50),
        b"\x07\x00",  # a kind that nobody knows
        b"\x99\x00",
        b"\x10\x05hello",  # a post that ends in its head
        b"\x23\x19" + bytes(25),  # "I have", with a byte too much
        encode_frame(Hello(1, 1, 1 << 17, 64, "again")),
        b"\x10" + encode_varint(FRAME_BYTES + 1) + bytes(1000),
    ],
)
async def test_what_is_no_frame_ends_its_own_link(scene: Scene, data: bytes) -> None:
    scene.mallory.raw(data)
    await scene.mallory.until(lambda: scene.mallory.closed)
    assert "mallory" not in scene.ayse.node.peers.linked()
    await scene.goes_on()


async def test_half_a_frame_costs_half_a_frame(scene: Scene) -> None:
    scene.mallory.raw(b"\x10" + encode_varint(100_000) + bytes(50_000))
    await scene.goes_on()
    assert "mallory" in scene.ayse.node.peers.linked()
    scene.mallory.end()
    await scene.ayse.until(lambda: "mallory" not in scene.ayse.node.peers.linked())
    await scene.goes_on()


async def test_posts_with_wild_numbers(scene: Scene) -> None:
    for number in WILD:
        for base in WILD:
            scene.mallory.send(scene.post(words("x"), number, base=base, stream=os.urandom(8)))
    await heard(scene)
    await scene.goes_on()
    held = scene.ayse.node.pump.desk.peers.get("mallory")
    assert held is not None
    assert len(held.inbound.streams) <= 4
    await scene.link()  # and what it left on disk can be read again
    await scene.goes_on()


async def test_an_acknowledgement_of_what_was_never_sent(scene: Scene) -> None:
    await scene.ayse.say("@mallory", "do you hear me?")
    await scene.mallory.until(lambda: scene.mallory.of(AskPackage))
    scene.mallory.send(Package(package(scene)))
    await scene.mallory.until(lambda: len(scene.mallory.of(Post)) == 2)  # the group, and the words
    stream = scene.mallory.of(Post)[0].stream
    for number in WILD[3:]:
        scene.mallory.send(Ack(stream, number), Ack(os.urandom(8), number), Ack(stream, number, (1, number)))
    scene.mallory.send(Ack(stream, 0))
    await heard(scene)
    assert scene.ayse.waiting() == 2
    scene.mallory.send(Ack(stream, 2))
    await scene.ayse.until(lambda: not scene.ayse.waiting())
    await scene.goes_on()


async def test_nobody_speaks_for_another_and_nobody_orders_but_the_leader(scene: Scene) -> None:
    before = scene.ayse.texts("#ops")
    runs = (Run(9, 0, "mallory", 1, 1000),)
    entry = Ordered(OPS, 9, 1000, bytes(32), "burak", 7, 0, EntryKind.MESSAGE, b"x")
    scene.mallory.send(entry, Head(OPS, 1000, bytes(32), runs), Have(OPS, TOP), Fetch(OPS, 1, 65_535))
    submit = Submit(OPS, 1, 1, 1, EntryKind.MESSAGE, plain("from outside", bytes(16)))
    scene.mallory.send(submit, AskInfo(OPS), Recall(OPS, 0, TOP), Info(OPS, 5, bytes(32), runs, b"x"))
    scene.mallory.send(Refused(OPS, 1, 1, Refusal.STALE), Originals(OPS, 0, 2, ((1, b"x"),), whole=True))
    scene.mallory.send(scene.post(Leave(OPS), 1), scene.post(Handshake(OPS, b"x"), 2))
    scene.mallory.send(scene.post(Welcome(OPS, "ops", 5, bytes(32), runs, b"x"), 3))
    scene.mallory.send(scene.post(Answer(OPS, Choice.ACCEPT, package(scene)), 4))
    scene.mallory.send(scene.post(Invite(OPS, "ops", ("mallory", "ayse")), 5), scene.post(Begin(b"x"), 6))
    await heard(scene)
    assert scene.ayse.texts("#ops") == before
    for kind in (Ordered, Info, Originals):
        assert not scene.mallory.of(kind), "an outsider is shown nothing of the order"
    who = await scene.ayse.serve(ask.LobbyWho("#ops"))
    assert [member["handle"] for member in who["members"]] == ["ayse", "burak"]
    await scene.goes_on()


async def test_a_member_that_fetches_without_end_is_sent_no_more_than_its_link_takes(scene: Scene) -> None:
    """Fetches are cheap to send and dear to answer: what waits for a link that does not read stays bounded."""
    for n in range(60):
        await scene.ayse.say("#ops", f"{n:08}" * 8000)
    await scene.ayse.ask(ev.InviteTo("#ops", ("mallory",)))
    await scene.mallory.until(lambda: scene.mallory.of(Post))
    [invite] = scene.mallory.of(Post)
    scene.mallory.send(Ack(invite.stream, invite.number), scene.post(Answer(OPS, Choice.ACCEPT, package(scene)), 1))
    await scene.mallory.until(lambda: len(scene.mallory.of(Post)) > 1)
    for n in range(60):
        await scene.ayse.say("#ops", f"{n:08}" * 8000)
    assert scene.mallory.stream is not None
    scene.mallory.stream.pause()
    lobby = scene.ayse.node.pump.desk.lobbies.get(OPS)
    assert lobby is not None
    assert lobby.order is not None
    for _ in range(3000):
        scene.mallory.send(Fetch(OPS, lobby.order.seq - 59, 65_535))
    await scene.ayse.until(lambda: "mallory" in scene.ayse.node.pump._flows)  # the first of them has arrived
    await heard(scene)
    link = scene.ayse.node.peers._peers["mallory"].link
    assert link is not None
    assert link.unsent < 4 * 1024 * 1024
    assert len(scene.ayse.node.pump._flows["mallory"]) <= 1024
    await scene.goes_on()


async def test_a_stranger_that_talks_without_end_fills_nothing(scene: Scene) -> None:
    scene.mallory.send(*(scene.post(words(f"{n}"), n) for n in range(1, 3000)))
    await heard(scene)
    await scene.goes_on()
    assert len(scene.ayse.lines("@mallory")) <= 10
    assert scene.ayse.requested() == ["mallory"]


async def test_invitations_without_end_are_bounded(scene: Scene) -> None:
    for n in range(1, 400):
        scene.mallory.send(scene.post(Invite(os.urandom(16), f"room {n}", ("mallory", "ayse")), n))
    await heard(scene)
    assert len(scene.ayse.requested()) <= 100
    await scene.goes_on()


async def test_heartbeats_without_end_are_not_answered_without_end(scene: Scene) -> None:
    scene.mallory.send(*(Ping(n) for n in range(20_000)))
    await heard(scene)
    await scene.goes_on()
    link = scene.ayse.node.peers._peers["mallory"].link
    assert link is None or link.unsent < 100_000


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_links_without_end_leave_one(scene: Scene) -> None:
    before = descriptors()
    others = []
    for _ in range(40):
        one = Mallory()
        await one.link(scene.ayse.address, scene.credentials)
        others.append(one)
    await scene.goes_on()
    assert list(scene.ayse.node.peers.linked()).count("mallory") == 1
    for one in others:
        one.end()
    scene.mallory.end()
    await scene.ayse.until(lambda: descriptors() <= before)
    await scene.goes_on()


def _number(chance: random.Random) -> int:
    return chance.choice(WILD) if chance.random() < 0.4 else chance.randrange(1, 12)


def _group(chance: random.Random) -> bytes:
    return chance.choice([OPS, OPS, b"mallorys-lobby-1", chance.randbytes(16)])


def _text(chance: random.Random) -> str:
    return chance.choice(
        ["ops", "", "\x1b]2;x\x07", "a" * 900, "ayse", "mallory", "\u202eops", "#ops", " ops", "\x00"]
    )


def _handles(chance: random.Random) -> tuple[str, ...]:
    return tuple(
        chance.choice(["ayse", "mallory", "burak", "", "x" * 63, "\u0430yse"]) for _ in range(chance.randrange(5))
    )


def _payload(chance: random.Random) -> bytes:
    shown = encode_content(Content(b"i" * 16, _number(chance), chance.choice([0.0, 1.0]), Text(_text(chance) or "x")))
    return chance.choice([shown, b"", chance.randbytes(40), shown[:-1], b"\x00\x01\x00\x02" + chance.randbytes(80)])


def _runs(chance: random.Random) -> tuple[Run, ...]:
    """Terms that follow one another, so that they are read."""
    last, runs = chance.randrange(1, 30), list[Run]()
    for term in range(chance.randrange(1, 9), 0, -1):
        first = max(1, last - chance.randrange(5))
        runs.append(Run(term, chance.randrange(3), chance.choice(["mallory", "ayse", "burak"]), first, last))
        last = first - 1
    return tuple(runs)


def _entry_kind(chance: random.Random) -> EntryKind:
    return chance.choice(list(EntryKind))


def _parcel(chance: random.Random) -> Parcel:
    identity = chance.choice([b"i" * 16, chance.randbytes(16)])
    parcels: list[Parcel] = [
        Message(identity, _group(chance), _payload(chance)),
        Begin(_payload(chance)),
        Handshake(_group(chance), _payload(chance)),
        Answer(chance.choice([b"", _group(chance)]), chance.choice(list(Choice)), _payload(chance)),
        Invite(_group(chance), _text(chance), _handles(chance)),
        Welcome(_group(chance), _text(chance), _number(chance), bytes(32), _runs(chance), _payload(chance)),
        Leave(_group(chance)),
    ]
    return chance.choice(parcels)


def frame(chance: random.Random, next_number: int, ours: bytes) -> Frame:
    """A valid frame, of anything and about anything."""
    if chance.random() < 0.6:
        kind, body = pack_parcel(_parcel(chance))
        if chance.random() < 0.1:
            kind, body = chance.choice(list(PostKind)), chance.randbytes(chance.randrange(60))
        in_order = chance.random() < 0.8
        number = next_number if in_order else _number(chance)
        return Post(
            STREAM if in_order else chance.randbytes(8), number, 1 if in_order else _number(chance), kind, body
        )
    group, number, term = _group(chance), _number(chance), _number(chance) & 0xFFFFFFFF
    stream = chance.choice([ours or STREAM, chance.randbytes(8)])
    previous = chance.choice([bytes(32), chance.randbytes(32)])
    sender = chance.choice(["mallory", "ayse", "burak"])
    frames: list[Frame] = [
        Ack(stream, number, tuple(_number(chance) for _ in range(chance.randrange(4)))),
        Ordered(group, term, number, previous, sender, _number(chance), 0, _entry_kind(chance), _payload(chance)),
        Submit(group, _number(chance), number, _number(chance), _entry_kind(chance), _payload(chance)),
        Refused(group, number, _number(chance), chance.choice(list(Refusal))),
        Fetch(group, number, _number(chance) & 0xFFFF),
        Head(group, number, previous, _runs(chance)),
        Info(group, number, previous, _runs(chance), _payload(chance)),
        Originals(
            group, _number(chance), _number(chance), ((number, _payload(chance)),), whole=chance.random() < 0.5
        ),
        AskInfo(group),
        Recall(group, number, _number(chance)),
        AskPackage(),
        Package(_payload(chance)),
        Have(group, number),
    ]
    return chance.choice(frames)


async def storm(scene: Scene, seed: int, count: int) -> None:
    chance = random.Random(seed)
    number = 1
    for n in range(count):
        mallory = scene.mallory if not scene.mallory.closed else await scene.link()
        held = scene.ayse.node.pump.desk.peers.get("mallory")
        one = frame(chance, number, held.out.stream if held is not None else b"")
        mallory.send(one)
        number += isinstance(one, Post) and one.stream == STREAM
        if n % 50 == 49:
            await heard(scene)
            requests = scene.ayse.requested()
            if requests and chance.random() < 0.5:
                lobby = chance.choice((await scene.ayse.serve(ask.Requests()))["requests"])
                if lobby["from"] == "mallory":
                    accept = chance.random() < 0.7
                    await scene.ayse.serve(ask.AnswerTo("mallory", accept=accept, lobby=lobby["lobby"]))
            known = held.inbound.of(STREAM) if held is not None else None
            number = (known.last if known is not None else 0) + 1  # what was left in its outbox is tried again
        if n % 200 == 199:
            await scene.goes_on()
            await scene.link()


@pytest.mark.parametrize("seed", range(3))
async def test_random_valid_frames(scene: Scene, seed: int) -> None:
    await storm(scene, seed, 600)
    await scene.goes_on()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(100, 130))
async def test_many_random_valid_frames(scene: Scene, seed: int) -> None:
    await storm(scene, seed, 3000)
    await scene.goes_on()
