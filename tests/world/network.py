"""A seeded network in memory: nodes with the real core, a small pump over a store, and links that misbehave.

Time is simulated; everything random comes from the seed. Frames go through the real codec, words through real MLS.
While there is *chaos*, frames are lost, doubled and reordered, links break, the network falls into cells, the
authority goes, and nodes crash before a commit, between the commit and the deeds, or among the deeds; a crash keeps
the store and nothing else.
"""

from __future__ import annotations

import heapq
import random  # noqa: TID251 - a world is made of seeded chance
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from conclave.chat import events as ev
from conclave.chat.deeds import (
    Deed,
    Deposit,
    DepositEntries,
    DepositPosts,
    FindPackage,
    MailDone,
    Publish,
    Recollect,
    Replay,
    Resend,
    Send,
    SendOriginals,
    Tell,
    Unwind,
    Wake,
    Want,
)
from conclave.chat.desk import Settings, restore
from conclave.chat.effects import Record
from conclave.chat.reading import originals, recollected, unwound
from conclave.chat.state import Desk, Judges, Own
from conclave.errors import StorageError
from conclave.node.turn import FACTS, decide, news
from conclave.store.memory import MemoryStore
from conclave.store.ports import LineName
from conclave.wire.codec import Reader
from conclave.wire.delivery import Post, PostKind
from conclave.wire.frames import Frame, decode_frame, encode_frame
from conclave.wire.order import decode_ordered
from tests.chat.desks import apart
from tests.chat.people import JUDGES, own
from tests.world import witness

SETTINGS = Settings(request_messages=3, window_posts=4, push_window=3, stock=4, flying=4, update_spread=20.0)
"""Small windows, so that the limits are met in a small world."""


FULL = "the disk is full"


class Crashed(Exception):
    """The process is gone in the middle of its turn."""


@dataclass(eq=False)
class Link:
    """A link between two nodes, until it breaks."""

    ends: tuple[str, str]
    open: bool = True


@dataclass(frozen=True)
class Faults:
    """What may go wrong, as probabilities; and two ways to build the pump and the core wrongly on purpose."""

    loss: float = 0.0
    double: float = 0.0
    jitter: float = 0.0
    crash: float = 0.0
    full_disk: float = 0.0
    send_before_commit: bool = False


class Node:
    """One user: desk, store, queue. ``turn`` is the pump."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        self.store = MemoryStore()
        self.own = world.identity(name)
        self.desk = Desk(name, SETTINGS, self.own, JUDGES)
        self.queue: list[ev.Event] = []
        self.wants: set[str] = set()
        self.up = True
        self.notices: list[object] = []
        self.lives = 0
        self.fetched: set[tuple[int, int]] = set()
        self.alarm = 0.0
        self.skew = 0.0
        """Seconds by which its clock is ahead."""

    def judges(self) -> Judges:
        """Whom it believes, by the lists that it holds."""
        return JUDGES

    def put(self, event: ev.Event) -> None:
        if not self.up:
            return
        self.queue.append(event)
        if len(self.queue) == 1:
            self.world.later(self.world.random.uniform(0.0, 0.02), self._when_alive(self.turn))

    def _when_alive(self, action: Callable[[], None]) -> Callable[[], None]:
        life = self.lives

        def run() -> None:
            if self.up and self.lives == life:
                action()

        return run

    def turn(self) -> None:
        batch, self.queue = self.queue, []
        try:
            self._turn(batch)
        except Crashed:
            self.crash()

    def _turn(self, batch: list[ev.Event]) -> None:
        world = self.world
        turn, answers = decide(self.desk, batch, world.now + self.skew, world.random.randbytes)
        for event, refusal in zip(batch, answers, strict=True):
            if refusal is not None:
                assert isinstance(event, ev.Command), f"{event} raised {refusal!r}"
                world.refused[getattr(refusal, "reason", type(refusal).__name__)] += 1
        deeds = list(apart(turn.deeds))
        stale: set[LineName] = set()
        steps = [
            lambda: stale.update(self._commit(turn.records)),
            lambda: self._do(list(news(deeds, stale))),
        ]
        if world.faults.send_before_commit:
            steps.reverse()
        try:
            world.perhaps_crash()
            steps[0]()
            world.kept(self, turn.desk)
            world.perhaps_crash()
            self.desk = turn.desk
            world.turned(self)
            steps[1]()
        except StorageError as error:
            if str(error) != FULL:
                raise AssertionError(f"{self.name}: {error}") from error
            for event in batch:
                if isinstance(event, FACTS):
                    self.put(event)
                elif isinstance(event, ev.Mailed):
                    self.fetched.discard((self.lives, event.mail))
            return

    def _commit(self, records: list[Record]) -> frozenset[LineName]:
        if records and self.world.chance(self.world.faults.full_disk):
            raise StorageError(FULL)
        return self.store.commit(records)

    def _do(self, deeds: list[Deed]) -> None:
        for deed in deeds:
            if len(deeds) > 1:
                self.world.perhaps_crash(0.1)
            match deed:
                case Send(peer, frame):
                    self.world.send(self.name, peer, frame)
                case Resend(peer, stream, base, first, count):
                    for number, kind, body in self.store.posts(peer, first, count):
                        self.world.send(self.name, peer, Post(stream, number, base, PostKind(kind), body))
                case Replay(peer, group, first, count):
                    for entry in self.store.entries(group, first, count):
                        self.world.send(self.name, peer, decode_ordered(entry))
                case Unwind():
                    self.put(unwound(self.store, deed))
                case Recollect():
                    self.put(recollected(self.store, deed))
                case SendOriginals(peer):
                    for frame in originals(self.store, deed):
                        self.world.send(self.name, peer, frame)
                case FindPackage(peer):
                    self.world.later(0.05, self._when_alive(partial(self._package, peer)))
                case Publish(packages, last, _):
                    if self.world.authority_up(self.name):
                        self.world.stock.setdefault(self.name, []).extend(packages)
                        self.world.last[self.name] = last
                case Deposit(peer, upto, frames, group):
                    self._mail(peer, upto, frames, group)
                case DepositPosts(peer, stream, base, first, count):
                    posts = self.store.posts(peer, first, count)
                    frames = tuple(encode_frame(Post(stream, n, base, PostKind(k), body)) for n, k, body in posts)
                    self._mail(peer, posts[-1][0] if posts else first, frames, b"")
                case DepositEntries(peer, group, first, count):
                    entries = self.store.entries(group, first, count)
                    frames = tuple(encode_frame(decode_ordered(one)) for one in entries)
                    self._mail(peer, first + len(frames) - 1, frames, group, first)
                case MailDone(mail):
                    box = self.world.mail.get(self.name, {})
                    box.pop(mail, None)
                case Want(peer, wanted):
                    (self.wants.add if wanted else self.wants.discard)(peer)
                    self.world.later(self.world.random.uniform(0.0, 2.0), self.world.dial)
                case Wake(at):
                    self.alarm = at
                    self.world.later(
                        max(0.0, at - self.skew - self.world.now), self._when_alive(partial(self._ring, at))
                    )
                case Tell(notice):
                    self.notices.append(notice)
                    self.world.told(self, notice)

    def _ring(self, at: float) -> None:
        """As a pump has it: the latest alarm that was asked for is the only one."""
        if self.alarm == at:
            self.put(ev.Tick())

    def _package(self, peer: str) -> None:
        stock = self.world.stock.get(peer, [])
        if not self.world.authority_up(self.name):
            self.put(ev.PackageMissing(peer, "away"))
        elif stock:
            self.put(ev.PackageFound(peer, stock.pop(0)))
        elif peer in self.world.last:
            self.put(ev.PackageFound(peer, self.world.last[peer]))
        else:
            self.put(ev.PackageMissing(peer, "none"))

    def _mail(self, peer: str, upto: int, frames: tuple[bytes, ...], group: bytes, entry: int = 0) -> None:
        if not self.world.authority_up(self.name):
            self.put(ev.DepositFailed(peer, upto, "away", group, entry))
            return
        if {self.name, peer} & (self.world.expelled | self.world.suspended):
            self.put(ev.DepositFailed(peer, upto, "refused", group, entry))
            return
        if frames:
            self.world.deposit(self.name, peer, frames)
        self.put(ev.Deposited(peer, upto, group, entry))

    def collect(self) -> None:
        """What is in our mailbox, once more until it is done with."""
        if self.up and self.world.authority_up(self.name):
            for mail, (sender, frames) in list(self.world.mail.get(self.name, {}).items()):
                if (self.lives, mail) in self.fetched:
                    continue
                self.fetched.add((self.lives, mail))
                self.put(ev.Mailed(sender, tuple(decode(one) for one in frames), mail))

    def crash(self) -> None:
        self.world.crashes += 1
        self.up = False
        self.lives += 1
        self.queue = []
        self.wants = set()
        self.world.break_links(self.name)
        self.world.later(self.world.random.uniform(0.1, 15.0), self.start)

    def restored(self) -> Desk:
        store = self.store
        return restore(self.name, store.states(), store.posts, SETTINGS, self.own, self.judges(), store.certificates)

    def start(self) -> None:
        if not self.up:
            self.up = True
            self.desk = self.restored()
            self.put(ev.JudgesChanged(self.desk.judges))
            self.put(ev.Tick())
            for handle in sorted(self.world.expelled - {self.name}):
                self.put(ev.Expelled(handle, "revoked"))
            self.put(ev.StockTold(len(self.world.stock.get(self.name, ()))))


def decode(data: bytes) -> Frame:
    reader = Reader(data)
    return decode_frame(reader.uint8(), reader.opaque())


class World:
    """All nodes, the links between them, and the clock."""

    node = Node

    def __init__(self, seed: int, names: tuple[str, ...], faults: Faults, suite: int) -> None:
        self.suite = suite
        self.random = random.Random(seed)
        self.now = 1_000_000.0
        self.faults = faults
        self.cells: dict[str, int] = {}
        self.authority = True
        self.stock: dict[str, list[bytes]] = {}
        self.last: dict[str, bytes] = {}
        self.mail: dict[str, dict[int, tuple[str, tuple[bytes, ...]]]] = {}
        self.mails = 0
        self.expelled: set[str] = set()
        self.suspended: set[str] = set()
        self.keys = witness.Keys()
        self.nodes = {name: self.node(name, self) for name in names}
        self.links: dict[frozenset[str], Link] = {}
        self.crashes = 0
        self.posts_sent: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[str] = Counter()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def identity(self, name: str) -> Own:
        return own(name, suite=self.suite)

    def cell(self, name: str) -> int:
        return self.cells.get(name, 0)

    def authority_up(self, name: str) -> bool:
        return self.authority and self.cell(name) == 0

    def deposit(self, sender: str, peer: str, frames: tuple[bytes, ...]) -> None:
        for data in frames:
            self.keys.sent(decode(data))
        self.leave(sender, peer, frames)

    def leave(self, sender: str, peer: str, frames: tuple[bytes, ...]) -> None:
        """Put an envelope into somebody's mailbox."""
        self.mails += 1
        self.mail.setdefault(peer, {})[self.mails] = (sender, frames)
        if peer in self.nodes:
            self.later(0.1, self.nodes[peer].collect)

    def chance(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def perhaps_crash(self, share: float = 1.0) -> None:
        if self.chance(self.faults.crash * share):
            raise Crashed

    def later(self, delay: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (self.now + delay, self._count, action))

    def run(self, until: float = float("inf")) -> bool:
        """Until nothing is left to happen, or the clock is there. True: it is quiet."""
        while self._agenda and self._agenda[0][0] <= until:
            self.now, _, action = heapq.heappop(self._agenda)
            action()
        if until != float("inf"):
            self.now = until
        return not self._agenda

    def told(self, node: Node, notice: object) -> None:
        """A front of ``node`` got a notice; scripts may react."""

    def turned(self, node: Node) -> None:
        """``node`` has committed a turn; scripts may look."""

    def kept(self, node: Node, desk: Desk) -> None:
        """``node`` is at ``desk``, on disk, and nothing of it has left yet; scripts may look."""

    def dial(self) -> None:
        """Open every link that somebody wants and nothing prevents."""
        for name, node in self.nodes.items():
            for peer in sorted(node.wants):
                ends = frozenset((name, peer))
                if ends in self.links or not (node.up and self.nodes[peer].up):
                    continue
                if not self.reaches(name, peer) or ends & (self.expelled | self.suspended):
                    continue
                link = self.links[ends] = Link((name, peer))
                for one, other in (link.ends, link.ends[::-1]):
                    self.nodes[one].put(ev.Linked(other, self.random.randint(1, 8), version=2))

    def break_links(self, name: str) -> None:
        for ends, link in list(self.links.items()):
            if name in ends:
                del self.links[ends]
                link.open = False
                for one, other in (link.ends, link.ends[::-1]):
                    self.nodes[one].put(ev.Unlinked(other))
        self.later(self.random.uniform(0.5, 5.0), self.dial)

    def reaches(self, one: str, other: str) -> bool:
        """Whether the network carries anything between two."""
        return self.cell(one) == self.cell(other)

    def reach_changed(self) -> None:
        """Links that it carries no more are gone; others are dialled after a while."""
        for ends, link in list(self.links.items()):
            one, other = link.ends
            if not self.reaches(one, other):
                del self.links[ends]
                link.open = False
                self.nodes[one].put(ev.Unlinked(other))
                self.nodes[other].put(ev.Unlinked(one))
        self.later(self.random.uniform(0.1, 3.0), self.dial)

    def partition(self, cells: dict[str, int]) -> None:
        """The network falls apart, or comes together."""
        self.cells = cells
        self.reach_changed()
        for node in self.nodes.values():
            self.later(self.random.uniform(0.1, 3.0), node.collect)

    def send(self, name: str, peer: str, frame: Frame) -> None:
        link = self.links.get(frozenset((name, peer)))
        if link is None:
            return
        if isinstance(frame, Post):
            self.posts_sent[name, peer] += 1
        self.keys.sent(frame)
        data = encode_frame(frame)
        for _ in range(2 if self.chance(self.faults.double) else 1):
            if not self.chance(self.faults.loss):
                delay = 0.01 + self.random.uniform(0.0, self.faults.jitter)
                self.later(delay, lambda: self._arrive(link, name, peer, data))

    def _arrive(self, link: Link, name: str, peer: str, data: bytes) -> None:
        if link.open:
            self.nodes[peer].put(ev.Arrived(name, decode(data)))

    def heal(self) -> None:
        """No more faults, everybody up."""
        self.faults = Faults(send_before_commit=self.faults.send_before_commit)
        self.authority = True
        for node in self.nodes.values():
            node.start()
        self.partition({})
        self.dial()
