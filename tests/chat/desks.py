"""A few desks around one table: perfect links that a test opens and cuts, stores in memory, a clock set by hand."""

from __future__ import annotations

import random  # noqa: TID251 - a table's chance is seeded
from collections import deque
from collections.abc import Callable

from conclave.chat import events as ev
from conclave.chat.desk import Settings, restore, step
from conclave.chat.effects import (
    Deed,
    Effect,
    FindPackage,
    Line,
    Publish,
    Recollect,
    Replay,
    Resend,
    Send,
    SendOriginals,
    Tell,
    Unwind,
    Want,
)
from conclave.chat.reading import originals, recollected, unwound
from conclave.chat.state import Desk
from conclave.store.memory import MemoryStore
from conclave.wire.frames import Frame, Post, PostKind, decode_ordered
from tests.chat.people import JUDGES, own


class Table:
    """Desks by name. ``drop`` says which frames are lost; ``frames`` are those that arrived."""

    def __init__(self, *names: str, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.desks = {name: Desk(name, self.settings, own(name), JUDGES) for name in names}
        self.published: dict[str, list[bytes]] = {}
        self.authority = True
        self.stores = {name: MemoryStore() for name in names}
        self.links: set[frozenset[str]] = set()
        self.now = 1_000_000.0
        self.effects: dict[str, list[Effect]] = {name: [] for name in names}
        self.frames: list[tuple[str, str, Frame]] = []
        self.drop: Callable[[str, str, Frame], bool] = lambda _one, _other, _frame: False
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
        desk, effects = step(self.desks[name], event, self.now, self.random)
        self.stores[name].commit([one for one in effects if not isinstance(one, Deed)])
        self.desks[name] = desk
        self.effects[name] += effects
        store = self.stores[name]
        for deed in effects:
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
                case Publish(packages, last, _):
                    self.published.setdefault(name, []).extend((*packages, last))
        return list(effects)

    def link(self, one: str, other: str, window: int = 64) -> None:
        self.links.add(frozenset((one, other)))
        self.step(one, ev.Linked(other, window))
        self.put(other, ev.Linked(one, window))

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
        store = self.stores[name]
        self.desks[name] = restore(name, store.states(), store.posts, self.settings, own(name), JUDGES)
        self.put(name, ev.Tick())

    def say(self, name: str, where: str, text: str) -> bytes:
        identity = self.random(16)
        self.put(name, ev.Say(where, identity, text))
        return identity

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for name in self.desks:
            self.put(name, ev.Tick())

    def lines(self, name: str, conversation: str) -> list[Line]:
        return [one.line for one in self.stores[name].lines(conversation, limit=10_000)]

    def texts(self, name: str, conversation: str) -> list[str]:
        return [one.text for one in self.lines(name, conversation)]

    def statuses(self, name: str, conversation: str) -> list[str]:
        return [one.status.value for one in self.lines(name, conversation) if one.sender == name]

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
