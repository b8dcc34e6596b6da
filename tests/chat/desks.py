"""A few desks around one table: perfect links that a test opens and cuts, stores in memory, a clock set by hand."""

from __future__ import annotations

import random  # noqa: TID251 - a table's chance is seeded
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.deeds import (
    Deed,
    Deposit,
    DepositEntries,
    DepositPosts,
    FindPackage,
    MailDone,
    Publish,
    Push,
    Recollect,
    Replay,
    Resend,
    Send,
    SendOriginals,
    Tell,
    Unwind,
    Want,
)
from conclave.chat.desk import Settings, restore, steps
from conclave.chat.effects import Effect
from conclave.chat.lobby_state import Lobby
from conclave.chat.notices import Trouble
from conclave.chat.reading import originals, recollected, unwound
from conclave.chat.state import Desk, Own
from conclave.chat.words.line import Line, LineKind
from conclave.node.turn import news
from conclave.store.memory import MemoryStore
from conclave.wire.codec import Reader
from conclave.wire.delivery import Post, PostKind
from conclave.wire.frames import Frame, decode_frame, encode_frame
from conclave.wire.order import decode_ordered
from tests.chat.people import JUDGES, own


def read_frame(data: bytes) -> Frame:
    """A frame as it is in an envelope."""
    reader = Reader(data)
    return decode_frame(reader.uint8(), reader.opaque())


def apart(deeds: Iterable[Deed]) -> Iterator[Deed]:
    """The same, with what goes to many as a deed for each."""
    for one in deeds:
        if isinstance(one, Push):
            entry = decode_ordered(one.entry)
            yield from (Send(peer, entry) for peer in one.peers)
        else:
            yield one


class Table:
    """Desks by name. ``drop`` says which frames are lost; ``frames`` are those that arrived.

    ``authority`` says whether there is one: it has the key packages that are ``published``, and the ``mail``;
    ``failing`` says why nothing is left for whom, ``mail_life`` for how long it waits (seconds; 0: for good).
    """

    def __init__(self, *names: str, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.own: dict[str, Own] = {name: own(name) for name in names}
        self.devices: dict[str, str] = {}  # d1 unless it is here
        self.version = 2  # of the links' protocol
        self.desks = {name: Desk(name, self.settings, self.own[name], JUDGES) for name in names}
        self.published: dict[str, list[bytes]] = {}
        self.authority = True
        self.failing: dict[str, str] = {}
        self.mail_life = 0.0
        self.mail: dict[str, dict[int, tuple[str, tuple[bytes, ...]]]] = {}
        self.mails = 0
        self.mailed_by: dict[int, str] = {}  # from which device
        self.stores = {name: MemoryStore() for name in names}
        self.links: set[frozenset[str]] = set()
        self.now = 1_000_000.0
        self.effects: dict[str, list[Effect]] = {name: [] for name in names}
        self.frames: list[tuple[str, str, Frame]] = []
        self.drop: Callable[[str, str, Frame], bool] = lambda _one, _other, _frame: False
        self.reach: Callable[[str, str], bool] = lambda _one, _other: True
        self._wire: deque[tuple[str, str, Frame]] = deque()
        self._random = random.Random(7)

    def random(self, size: int) -> bytes:
        return self._random.randbytes(size)

    def put(self, name: str, event: ev.Event) -> list[Effect]:
        """Step, commit, do; then let everything settle that follows from it."""
        effects = self.step(name, event)
        while self._wire:
            one, other, frame = self._wire.popleft()
            if frozenset((one, other)) in self.links and not self.drop(one, other, frame):
                self.frames.append((one, other, frame))
                self.step(other, ev.Arrived(one, frame))
        return effects

    def step(self, name: str, event: ev.Event) -> list[Effect]:
        """One step alone."""
        desk, records, deeds = steps(self.desks[name], (event,), self.now, self.random)
        deeds = list(news(deeds, self.stores[name].commit(records)))
        self.desks[name] = desk
        effects = [*records, *deeds]
        self.effects[name] += effects
        self.do(name, deeds, committed=bool(records))
        return effects

    def do(self, name: str, deeds: Iterable[Deed], *, committed: bool) -> None:
        """What follows from a step, once what there was to be committed is."""
        store = self.stores[name]
        for deed in apart(deeds):
            match deed:
                case Send(peer, frame):
                    self._wire.append((name, peer, frame))
                case Resend(peer, stream, base, first, count):
                    for number, kind, body in store.posts(peer, first, count):
                        self._wire.append((name, peer, Post(stream, number, base, PostKind(kind), body)))
                case Replay(peer, group, first, count):
                    for entry in store.entries(group, first, count):
                        self._wire.append((name, peer, decode_ordered(entry)))
                case Unwind():
                    self.step(name, unwound(store, deed))
                case Recollect():
                    self.step(name, recollected(store, deed))
                case SendOriginals(peer):
                    self._wire.extend((name, peer, frame) for frame in originals(store, deed))
                case FindPackage(peer):
                    stock = self.published.get(peer, [])
                    if self.authority and stock:
                        self.step(name, ev.PackageFound(peer, stock.pop(0)))
                    else:
                        self.step(name, ev.PackageMissing(peer, "away"))
                case Publish(packages, last, replace):
                    kept = [] if replace else self.published.get(name, [])
                    self.published[name] = [*kept, *packages, last]
                case Deposit(peer, upto, frames, group):
                    self._mail(name, peer, upto, frames, group)
                case DepositPosts(peer, stream, base, first, count):
                    read = store.posts(peer, first, count)
                    posts = tuple(encode_frame(Post(stream, n, base, PostKind(k), body)) for n, k, body in read)
                    self._mail(name, peer, read[-1][0], posts)
                case DepositEntries(peer, group, first, count):
                    entries = store.entries(group, first, count)
                    frames = tuple(encode_frame(decode_ordered(one)) for one in entries)
                    self._mail(name, peer, first + len(frames) - 1, frames, group, first)
                case MailDone(mail):
                    self.mail.get(name, {}).pop(mail, None)

    def _mail(
        self, name: str, peer: str, upto: int, frames: tuple[bytes, ...], group: bytes = b"", entry: int = 0
    ) -> None:
        reason = self.failing.get(peer, "") if self.authority else "away"
        if reason:
            self.step(name, ev.DepositFailed(peer, upto, reason, group, entry))
            return
        self.mails += 1
        self.mail.setdefault(peer, {})[self.mails] = (name, frames)
        self.mailed_by[self.mails] = self.devices.get(name, "d1")
        until = self.now + self.mail_life if self.mail_life else 0.0
        self.step(name, ev.Deposited(peer, upto, group, entry, until))

    def collect(self, name: str) -> int:
        """What is in the mailbox of ``name`` comes in; how many envelopes there were."""
        box = dict(self.mail.get(name, {}))
        for mail, (sender, frames) in box.items():
            several = tuple(read_frame(one) for one in frames)
            self.put(name, ev.Mailed(sender, several, mail, self.mailed_by.get(mail, "")))
        return len(box)

    def stock(self, *names: str) -> None:
        """The authority has key packages of everybody, or of these."""
        for name in names or tuple(self.desks):
            self.put(name, ev.StockTold(len(self.published.get(name, ()))))

    def link(self, one: str, other: str, window: int = 64) -> None:
        self.links.add(frozenset((one, other)))
        self.step(one, ev.Linked(other, window, self.devices.get(other, "d1"), version=self.version))
        self.put(other, ev.Linked(one, window, self.devices.get(one, "d1"), version=self.version))

    def cut(self, one: str, other: str) -> None:
        self.links.discard(frozenset((one, other)))
        self._wire.clear()
        self.step(one, ev.Unlinked(other))
        self.step(other, ev.Unlinked(one))

    def restart(self, name: str) -> None:
        """The process of ``name`` dies and comes back; its links are gone."""
        for ends in [ends for ends in self.links if name in ends]:
            self.links.discard(ends)
            (other,) = ends - {name}
            self.step(other, ev.Unlinked(name))
        self.desks[name] = self.restored(name)
        self.put(name, ev.Tick())

    def restored(self, name: str) -> Desk:
        """The desk as its store gives it back."""
        store = self.stores[name]
        return restore(name, store.states(), store.posts, self.settings, self.own[name], JUDGES, store.certificates)

    def lose_home(self, name: str) -> None:
        """Everything of ``name`` is gone but its certificate; nobody is linked to it."""
        for ends in [ends for ends in self.links if name in ends]:
            self.cut(*ends)
        self.desks[name] = Desk(name, self.settings, self.own[name], JUDGES)
        self.stores[name] = MemoryStore()
        self.effects[name] = []

    def say(self, name: str, where: str, text: str) -> bytes:
        identity = self.random(16)
        self.put(name, ev.Say(where, identity, text))
        return identity

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for name in self.desks:
            self.put(name, ev.Tick())

    def run(self, seconds: float, every: float = 1.0) -> None:
        """Time passes in small steps, and links that somebody wants are there if ``reach`` says so."""
        for _ in range(int(seconds / every)):
            self.dial()
            self.wait(every)
        self.dial()

    def dial(self) -> None:
        """Links that somebody wants, between those who reach each other."""
        for name in self.desks:
            for peer in sorted(views.wanted(self.desks[name])):
                if peer in self.desks and frozenset((name, peer)) not in self.links and self.reach(name, peer):
                    self.link(name, peer)

    def part(self, *halves: set[str]) -> None:
        """Only those in the same half reach each other from now on; without halves everybody does."""
        self.reach = lambda one, other: not halves or any({one, other} <= half for half in halves)
        for ends in [ends for ends in self.links if not self.reach(*ends)]:
            self.cut(*ends)

    def state(self, name: str, group: bytes) -> Lobby:
        """A lobby as ``name`` has it."""
        lobby = self.desks[name].lobbies.get(group)
        assert lobby is not None
        return lobby

    def view(self, name: str, label: str = "#ops") -> views.LobbyView:
        """A lobby as ``name`` sees it."""
        view = views.lobby(self.desks[name], label)
        assert view is not None
        return view

    def stages(self, label: str = "#ops") -> dict[str, str]:
        """What a lobby is to everybody who knows it."""
        found = {name: views.lobby(desk, label) for name, desk in self.desks.items()}
        return {name: view.stage for name, view in found.items() if view is not None}

    def words(self, name: str, conversation: str = "#ops") -> list[str]:
        """Texts, in the order of history, without notices."""
        return [one.text for one in self.lines(name, conversation) if one.kind is LineKind.TEXT]

    def troubles(self, name: str) -> list[str]:
        """What people were told of others' misbehaviour."""
        return [one.text for one in self.notices(name, Trouble) if isinstance(one, Trouble)]

    def lines(self, name: str, conversation: str) -> list[Line]:
        return [one.line for one in self.stores[name].lines(conversation, limit=10_000)]

    def texts(self, name: str, conversation: str) -> list[str]:
        return [one.text for one in self.lines(name, conversation)]

    def statuses(self, name: str, conversation: str) -> list[str]:
        said = [one for one in self.lines(name, conversation) if one.sender == name]
        return [one.status.value for one in said if one.kind is not LineKind.NOTICE]

    def notices(self, name: str, kind: type) -> list[object]:
        return [one.notice for one in self.effects[name] if isinstance(one, Tell) and isinstance(one.notice, kind)]

    def wants(self, name: str) -> set[str]:
        wanted: set[str] = set()
        for one in self.effects[name]:
            if isinstance(one, Want):
                (wanted.add if one.wanted else wanted.discard)(one.peer)
        return wanted

    def lobby(self, leader: str, *members: str, name: str = "ops") -> bytes:
        """A lobby in which everybody is in."""
        group = self.random(16)
        self.put(leader, ev.OpenLobby(name, group, members))
        for member in members:
            label = self.desks[member].lobbies.get(group)
            assert label is not None
            self.put(member, ev.AnswerRequest(leader, accept=True, lobby=label.label))
        self.wait(1.0)
        return group


def together(leader: str, *others: str, beside: tuple[str, ...] = ()) -> Table:
    """``leader`` leads a lobby of all but those ``beside``; everybody reaches everybody, and something was said."""
    table = Table(leader, *others, *beside)
    for one in others:
        table.link(leader, one)
    table.lobby(leader, *others)
    table.run(70, 10)  # keys are renewed after joining
    table.say(leader, "#ops", "together")
    return table


def acquainted() -> Table:
    """ayse and burak, who are linked, and have spoken with each other."""
    table = Table("ayse", "burak")
    table.stock()
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hi")
    return table
