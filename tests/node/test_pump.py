"""The pump: commits that fail, many commands in few commits, links that are told to wait."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest

from conclave.chat import desk as desks
from conclave.chat import events as ev
from conclave.chat.deeds import Deed, Resend, Send
from conclave.chat.desk import Desk
from conclave.chat.effects import Record
from conclave.chat.groups import DEPUTIES
from conclave.chat.notices import LineAdded
from conclave.chat.work import Work
from conclave.crypto.suite import CLASSICAL
from conclave.errors import LocalError, StorageError
from conclave.mls.group import OwnKeyPackage, write_key_package
from conclave.node import pump as pumps
from conclave.node.pump import Pump
from conclave.node.sendings import latest
from conclave.store.memory import MemoryStore
from conclave.store.ports import LineName, PeerStore
from conclave.values import replace
from conclave.wire.delivery import Ack, Post, PostKind
from conclave.wire.frames import Frame, decode_frame
from conclave.wire.order import Have
from tests.chat.people import JUDGES, own
from tests.node.homes import Running, befriend, make_home, running


class Disk(MemoryStore):
    """A store that counts its commits, and fails or waits when asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[int] = []
        self.full = False
        self.why = "the disk is full: nothing of this was kept"
        self.gate = threading.Event()
        self.gate.set()

    def commit(self, records: Sequence[Record]) -> frozenset[LineName]:
        self.gate.wait(10)
        if self.full:
            raise StorageError(self.why, remedy="free some space and try again")
        stale = super().commit(records)
        self.commits.append(len(records))
        return stale


class Wire:
    """Links that write down what they are asked."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.wanted: dict[str, bool] = {}
        self.held: list[bool] = []
        self.slow_peers: set[str] = set()

    def send(self, peer: str, frame: bytes) -> None:
        self.sent.append((peer, frame))

    def want(self, peer: str, wanted: bool) -> None:
        self.wanted[peer] = wanted

    def hold(self, held: bool) -> None:
        self.held.append(held)

    def slow(self, peer: str) -> bool:
        return peer in self.slow_peers

    def posts(self, peer: str) -> list[int]:
        frames = [decode_frame(data[0], data[_body_at(data) :]) for to, data in self.sent if to == peer]
        return [frame.number - BEFORE for frame in frames if isinstance(frame, Post)]


def _body_at(frame: bytes) -> int:
    return 1 + (1, 2, 4)[frame[1] >> 6]


BEFORE = 2
"""Posts that ayse's stream had before a test begins: the group of two, and a word."""


def acquainted(now: float) -> Desk:
    """ayse's desk with a group of two with burak, and nothing that waits."""
    desk = Desk("ayse", own=own("ayse"), judges=JUDGES)
    burak = own("burak")
    package = OwnKeyPackage.create(
        CLASSICAL, burak.credential, burak.signature_key, (int(now) - 3600, int(now) + 86_400), os.urandom,
        extensions=(DEPUTIES,),
    )  # fmt: skip
    stream = b""
    first: tuple[ev.Event, ...] = (
        ev.Say("@burak", os.urandom(16), "before the test"),
        ev.PackageFound("burak", write_key_package(package.package)),
        ev.Linked("burak", 64),
    )
    for event in first:
        desk, effects = desks.step(desk, event, now, os.urandom)
        for one in effects:
            match one:
                case Send(_, Post(stream=name)) | Resend(_, name, _, _, _):
                    stream = name
    then: tuple[ev.Event, ...] = (ev.Arrived("burak", Ack(stream, BEFORE)), ev.Unlinked("burak"))
    for event in then:
        desk, _ = desks.step(desk, event, now, os.urandom)
    burak_now = desk.peers.get("burak")
    assert burak_now is not None
    assert burak_now.out.base == burak_now.out.next == BEFORE + 1
    return desk


class Room:
    def __init__(self, store: PeerStore) -> None:
        self.wire = Wire()
        self.now = 1_800_000_000.0
        self.told: list[object] = []
        self.mail: list[object] = []
        self.pump = Pump(
            acquainted(self.now), store, self.wire, self.told.append, lambda: self.now, os.urandom, self.mail.append
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self.pump.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def say(self, text: str) -> None:
        await self.pump.ask(ev.Say("@burak", os.urandom(16), text))

    async def quiet(self) -> None:
        async with asyncio.timeout(10):
            while self.pump._waiting.is_set():  # noqa: ASYNC110 - the pump's own flag, which it clears
                await asyncio.sleep(0.002)
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pumps, "RETRY_SECONDS", 0.02)


async def test_a_failed_commit_is_told_and_leaves_everything_as_it_was() -> None:
    disk = Disk()
    async with Room(disk) as room:
        await room.say("kept")
        before = room.pump.desk
        disk.full = True
        with pytest.raises(StorageError, match="disk is full") as full:
            await room.say("lost, and told so")
        assert full.value.remedy
        assert room.pump.desk is before
        disk.full = False
        await room.say("kept again")
    assert [s.line.text for s in disk.lines("@burak", limit=9)] == ["kept", "kept again"]
    assert disk.outbox() == {"burak": (1 + BEFORE, 2 + BEFORE, 2)}


async def test_a_disk_that_stays_full_is_told_of_once_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    async with Room(disk) as room:
        for _ in range(2):
            disk.full = True
            for _ in range(3):
                with pytest.raises(StorageError):
                    await room.say("lost")
            disk.full = False
            await room.say("kept")
    told = [record.message for record in caplog.records]
    assert len(told) == 4
    assert all("disk is full" in text for text in told[::2])
    assert told[1] == told[3] == "what happens is kept again"


async def test_a_disk_that_begins_to_fail_otherwise_is_told_of_too(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    async with Room(disk) as room:
        disk.full = True
        for why in ("the disk is full", "the disk is full", "the disk cannot be written"):
            disk.why = why
            with pytest.raises(StorageError):
                await room.say("lost")
    assert [one.message.split(": ")[1] for one in caplog.records] == [
        "the disk is full",
        "the disk cannot be written",
    ]


async def test_links_that_come_while_the_disk_is_full_are_not_forgotten() -> None:
    disk = Disk()
    async with Room(disk) as room:
        await room.say("waits")
        room.wire.sent.clear()
        disk.full = True
        room.pump.put(ev.Linked("burak", 64))
        said = asyncio.gather(*(room.say(f"no {n}") for n in range(5)), return_exceptions=True)
        assert all(isinstance(error, StorageError) for error in await said)
        disk.full = False
        await room.say("flows")
        await room.quiet()
        assert sorted(set(room.wire.posts("burak"))) == [1, 2]
        one = room.pump.desk.peers.get("burak")
        assert one is not None
        assert one.linked


async def test_a_link_that_ends_while_the_disk_is_full_is_not_taken_for_open() -> None:
    disk = Disk()
    async with Room(disk) as room:
        room.pump.put(ev.Linked("burak", 64))
        await room.say("hello")
        disk.full = True
        room.pump.put(ev.Unlinked("burak"))
        with pytest.raises(StorageError):
            await room.say("no")
        disk.full = False
        await room.quiet()
        one = room.pump.desk.peers.get("burak")
        assert one is not None
        assert not one.linked


async def test_time_that_passed_while_the_disk_was_full_is_not_lost() -> None:
    """The alarm that resends rings once: were it dropped with its turn, nothing would be sent again."""
    disk = Disk()
    async with Room(disk) as room:
        room.pump.put(ev.Linked("burak", 64))
        await room.say("hello")
        room.wire.sent.clear()
        disk.full = True
        room.now += 60
        room.pump.put(ev.Tick())
        with pytest.raises(StorageError):
            await room.say("no")
        disk.full = False
        await room.quiet()
        assert room.wire.posts("burak") == [1]


async def test_many_commands_share_few_commits() -> None:
    disk = Disk()
    async with Room(disk) as room:
        await asyncio.gather(*(room.say(f"{n}") for n in range(1000)))
    assert len(disk.lines("@burak", limit=2000)) == 1000
    assert len(disk.commits) <= 4


async def test_nothing_is_sent_before_it_is_on_disk() -> None:
    disk = Disk()
    async with Room(disk) as room:
        room.pump.put(ev.Linked("burak", 64))
        await room.quiet()
        disk.gate.clear()
        said = asyncio.ensure_future(room.say("hello"))
        await asyncio.sleep(0.05)
        assert not room.wire.posts("burak")
        assert not room.told
        disk.gate.set()
        await said
        assert room.wire.posts("burak") == [1]


@pytest.mark.parametrize(
    ("count", "frame"),
    [
        (pumps.QUEUE_EVENTS + 2, Have(b"g" * 16, 1)),
        (pumps.QUEUE_BYTES // 100_000 + 2, Post(b"s" * 8, 9, 1, PostKind.MESSAGE, bytes(100_000))),
    ],
)
async def test_links_wait_while_the_queue_is_long_and_go_on_when_it_is_not(count: int, frame: Frame) -> None:
    disk = Disk()
    async with Room(disk) as room:
        disk.gate.clear()
        said = asyncio.ensure_future(room.say("hello"))
        await asyncio.sleep(0.02)
        for _ in range(count):
            room.pump.put(ev.Arrived("burak", frame))
        assert room.wire.held == [True]
        disk.gate.set()
        await said
        await room.quiet()
        assert room.wire.held == [True, False]


async def test_a_slow_link_gets_what_waits_as_it_drains_and_in_order() -> None:
    disk = Disk()
    async with Room(disk) as room:
        for n in range(40):
            await room.say(f"{n}")
        room.wire.slow_peers.add("burak")
        room.pump.put(ev.Linked("burak", 256))
        await room.quiet()
        assert room.wire.posts("burak") == []
        for n in range(40, 60):  # said while the link is slow: behind what waits
            await room.say(f"{n}")
        assert room.wire.posts("burak") == []
        room.wire.slow_peers.clear()
        room.pump.drained("burak")
        assert room.wire.posts("burak") == list(range(1, 61))


async def test_what_waits_for_a_slow_link_is_forgotten_with_it() -> None:
    disk = Disk()
    async with Room(disk) as room:
        for n in range(40):
            await room.say(f"{n}")
        room.wire.slow_peers.add("burak")
        room.pump.put(ev.Linked("burak", 256))
        await room.quiet()
        room.pump.put(ev.Unlinked("burak"))
        room.wire.slow_peers.clear()
        room.pump.drained("burak")
        assert room.wire.posts("burak") == []
        room.pump.put(ev.Linked("burak", 256))
        await room.quiet()
        assert room.wire.posts("burak") == list(range(1, 41))


async def test_a_read_that_fails_after_the_commit_does_not_end_the_pump() -> None:
    class Broken(Disk):
        def posts(self, peer: str, first: int, count: int) -> list[tuple[int, int, bytes]]:
            if self.full:
                raise StorageError("the disk refused")
            return super().posts(peer, first, count)

    disk = Broken()
    async with Room(disk) as room:
        await room.say("hello")
        disk.full = True
        room.pump.put(ev.Linked("burak", 64))
        await room.quiet()
        disk.full = False
        room.now += 60
        room.pump.put(ev.Tick())
        await room.quiet()
        assert room.wire.posts("burak") == [1]


async def test_a_fault_of_the_core_costs_one_event_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def happened(work: Work, event: ev.Event) -> None:
        if isinstance(event, ev.Arrived):
            raise ZeroDivisionError
        real(work, event)

    real = desks._happened
    async with Room(Disk()) as room:
        monkeypatch.setattr(desks, "_happened", happened)
        room.pump.put(ev.Arrived("burak", Ack(b"s" * 8, 1)))
        await room.say("goes on")
    assert "Arrived could not be decided" in caplog.text


async def test_faults_of_store_and_links_cost_their_own_turn_and_deed_only(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    async with Room(disk) as room:
        commit, faults = disk.commit, [ZeroDivisionError("of the store")]

        def faulty(records: Sequence[Record]) -> frozenset[LineName]:
            if faults:
                raise faults.pop()
            return commit(records)

        disk.commit = faulty  # type: ignore[method-assign]
        with pytest.raises(StorageError, match="of the store"):
            await room.say("lost, and told so")
        send, sent = room.wire.send, [ZeroDivisionError("of the link")]

        def broken(peer: str, frame: bytes) -> None:
            if sent:
                raise sent.pop()
            send(peer, frame)

        room.wire.send = broken  # type: ignore[method-assign]
        room.pump.put(ev.Linked("burak", 8))
        await room.say("kept")
        await room.quiet()
        assert not sent
        assert "was not done" in caplog.text
        assert [stored.line.text for stored in disk.lines("@burak", limit=9)] == ["kept"]


async def test_who_asks_of_a_pump_that_ends_is_answered() -> None:
    disk = Disk()
    room = Room(disk)
    async with room:
        disk.gate.clear()
        begun = asyncio.ensure_future(room.say("begun"))
        await asyncio.sleep(0.02)
        waiting = asyncio.ensure_future(room.say("waiting"))
        await asyncio.sleep(0.02)
        asyncio.get_running_loop().call_later(0.05, disk.gate.set)
    await begun
    for late in (waiting, room.say("late")):
        with pytest.raises(LocalError, match="ending"):
            await late
    assert [s.line.text for s in disk.lines("@burak", limit=9)] == ["begun"]


def hurry(one: Running) -> None:
    """Resend after a moment instead of ten seconds."""
    desk = one.node.pump.desk
    one.node.pump.desk = replace(desk, settings=replace(desk.settings, resend_after=0.3))


async def test_a_node_with_a_full_disk_takes_nothing_in_and_loses_nothing(tmp_path: Path) -> None:
    """End to end: what the other says while our disk is full arrives when there is room, without a new link."""
    for handle in ("ayse", "burak"):
        make_home(tmp_path / handle, handle)
    disk = Disk()
    async with running(tmp_path / "ayse") as ayse, running(tmp_path / "burak", store=disk) as burak:
        hurry(ayse)
        await befriend(ayse, burak)
        disk.full = True
        for n in range(20):
            await ayse.say("@burak", f"{n}")
        await asyncio.sleep(0.1)
        assert burak.texts("@ayse") == ["may I?"]
        assert ayse.waiting() == 20
        disk.full = False
        await ayse.until(lambda: not ayse.waiting())
        assert burak.texts("@ayse") == ["may I?", *(f"{n}" for n in range(20))]
        assert not ayse.told("link-closed")


def test_of_acknowledgements_in_one_turn_the_last_is_sent() -> None:
    deeds: list[Deed] = [
        Send("burak", Have(bytes(16), 1)),
        Send("burak", Ack(bytes(8), 1, ())),
        Send("cem", Have(bytes(16), 1)),
        Send("burak", Post(bytes(8), 1, 1, PostKind.MESSAGE, b"words")),
        Send("burak", Have(bytes(15) + b"x", 1)),
        Send("burak", Ack(bytes(8), 2, ())),
        Send("burak", Have(bytes(16), 2)),
    ]
    assert latest(deeds) == deeds[2:]


async def test_an_alarm_that_rings_before_its_time_is_followed_by_the_next() -> None:
    """As uvloop's do, by less than a millisecond: a lobby then waited for its next leader for ever."""
    async with Room(Disk()) as one:
        one.pump._wake(one.now + 60)
        rung = one.pump._alarm
        assert rung is not None
        rung._run()
        one.pump._wake(one.now + 61)
        assert one.pump._alarm not in (None, rung)
        rung.cancel()


async def test_a_line_that_is_there_already_is_not_told_again() -> None:
    async with Room(Disk()) as room:
        for conversation in ("@burak", "@cem"):
            for _ in range(2):
                await room.pump.ask(ev.Say(conversation, b"i" * 16, "once"))
        told = [one.conversation for one in room.told if isinstance(one, LineAdded)]
        assert told == ["@burak", "@cem"]
