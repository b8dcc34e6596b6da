"""Rougher worlds: many cells that come together in part, suspensions, renewals, clocks that are off, a backup.

People talk in lobbies alone, where these things meet: what a suspension leaves of a pair is told of its lines. They
leave with words, and while the lobby is divided.
"""

from __future__ import annotations

import copy
from collections import Counter
from functools import partial

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.restoring import forget
from conclave.chat.state import Judges
from conclave.pki.revocation import Revocation
from conclave.store.memory import MemoryStore
from conclave.values import replace
from tests.chat.people import JUDGES, own
from tests.world.network import Node
from tests.world.script import Town

SUSPENDED = Revocation("suspended", True)


class RoughNode(Node):
    """``listed`` are the certificates that its list names, ``told`` those who are out by the authority's word.

    ``had``: its own certificates of before.
    """

    def __init__(self, name: str, world: RoughTown) -> None:
        super().__init__(name, world)
        self.town = world
        self.listed: frozenset[bytes] = frozenset()
        self.told: set[str] = set()
        self.had: frozenset[bytes] = frozenset()

    def certified(self, serial: int, number: int) -> None:
        """It has another certificate, for the device of that ``number``."""
        self.had |= {self.own.credential.certificates[0]}
        self.own = own(self.name, serial, self.town.suite, number=number)

    @property
    def certificates(self) -> frozenset[bytes]:
        """All that it ever had."""
        return self.had | {self.own.credential.certificates[0]}

    def judges(self) -> Judges:
        listed, why = self.listed, self.town.why
        return replace(JUDGES, revoked=lambda one: why if one in listed else None)

    def start(self) -> None:
        if not self.up:
            self.told = set()
            super().start()
            self.town.tell(self)


class RoughTown(Town):
    """A town with an authority that suspends and resumes, and tells so by list and by word, in any order."""

    node = RoughNode  # type: ignore[assignment]
    nodes: dict[str, RoughNode]  # type: ignore[assignment]
    size = (3, 5)
    why = SUSPENDED

    def __init__(self, seed: int, *, suite: int) -> None:
        super().__init__(seed, suite=suite)
        self.unfriendly = False
        self.healed = False
        self.restored = ""
        self.serials = Counter[str]()
        width = self.random.choice((0.0, 5.0, 90.0))
        for node in self.nodes.values():
            node.skew = self.random.uniform(-width, width)

    def authority_up(self, name: str) -> bool:
        return super().authority_up(name) and name not in self.suspended

    def heal(self) -> None:
        self.healed = True
        self.suspended.clear()
        super().heal()
        for node in self.nodes.values():
            self.tell(node)

    def partition(self, cells: dict[str, int]) -> None:
        super().partition(cells)
        for node in self.nodes.values():
            self.later(self.random.uniform(0.0, 4.0), partial(self.tell, node))

    def tell(self, node: RoughNode) -> None:
        """What the authority tells whoever reaches it."""
        self._list(node)
        self._word(node)

    def _list(self, node: RoughNode) -> None:
        listed = frozenset(shown for one in self.suspended for shown in self.nodes[one].certificates)
        if node.up and self.authority_up(node.name) and listed != node.listed:
            node.listed = listed
            node.put(ev.JudgesChanged(node.judges()))

    def _word(self, node: RoughNode) -> None:
        if not (node.up and self.authority_up(node.name)):
            return
        for one in sorted(self.suspended - node.told - {node.name}):
            node.told.add(one)
            node.put(ev.Expelled(one, self.why.words))
        for one in sorted((node.told | node.desk.expelled.keys()) - self.suspended):
            if self.nodes[one].up and self.authority_up(one):
                node.told.discard(one)
                node.put(ev.Readmitted(one))

    def _suspend(self, name: str) -> None:
        if not self.suspended and not self.healed:
            self.suspended.add(name)
            self.break_links(name)
            self._spread()
            self.later(self.random.uniform(3.0, 60.0), partial(self._resume, name))

    def _resume(self, name: str) -> None:
        if name in self.suspended:
            self.suspended.discard(name)
            self._spread()
            self.later(2.0, self.dial)

    def _spread(self) -> None:
        for node in self.nodes.values():
            for hear in (self._list, self._word):
                self.later(self.random.uniform(0.0, 4.0), partial(hear, node))

    def _back_up(self, node: RoughNode) -> None:
        """Somebody's home is lost a while later, and comes back as it was now, as another device.

        Nor went its owner out since.
        """
        if node.up and not self.restored:
            self.restored = node.name
            store, inside = copy.deepcopy(node.store), self._places(node)
            self.later(self.random.uniform(1.0, 60.0), partial(self._restore, node, store, inside))

    def _places(self, node: RoughNode) -> set[tuple[bytes, str]]:
        return {place for place in self._inside if place[1] == node.name}

    def _restore(self, node: RoughNode, store: MemoryStore, inside: set[tuple[bytes, str]]) -> None:
        if self.healed or not inside <= self._inside:
            return
        if node.up:
            node.crash()
        store.commit(forget(store.states(), store.outbox(), store.heads(), store.unsent()))
        node.store = store
        self.serials[node.name] += 1
        node.certified(1 + self.serials[node.name], 2)
        self.stock.pop(node.name, None)
        self.last.pop(node.name, None)
        for place in self._places(node):
            self._inside.discard(place)  # it lacks what came since, and what is said meanwhile
            self.times_out[place] += 1

    def _renew(self, node: RoughNode) -> None:
        self.serials[node.name] += 1
        node.certified(1 + self.serials[node.name], 1 + (node.name == self.restored))
        node.put(ev.OwnChanged(node.own))

    def _divide(self) -> None:
        """Into up to four cells; some of them come together before all do."""
        draw = self.random
        for at, most in ((0.0, draw.choice((2, 3, 4))), (draw.uniform(15.0, 50.0), draw.choice((1, 2)))):
            cells = {name: draw.randrange(most) for name in self.nodes}
            self.later(at, partial(self._part, cells))
        self.later(draw.uniform(50.0, 90.0), partial(self._part, {}))

    def _part(self, cells: dict[str, int]) -> None:
        if not self.healed:
            self.partition(cells)

    def _misfortune(self) -> None:
        draw = self.random
        node, kind = draw.choice(list(self.nodes.values())), draw.random()
        if kind < 0.1:
            if node.up:
                node.crash()
        elif kind < 0.2:
            self.break_links(node.name)
        elif kind < 0.3:
            self.authority = False
            self.later(draw.uniform(5.0, 60.0), self._authority_back)
        elif kind < 0.4:
            self._suspend(node.name)
        elif kind < 0.5:
            self._renew(node)
        elif kind < 0.55:
            self._back_up(node)
        elif kind < 0.6:
            node.skew += draw.choice((-90.0, -20.0, 20.0, 90.0))
            node.put(ev.Tick())
        else:
            self._divide()

    def _somebody_acts(self) -> None:
        draw = self.random
        node = draw.choice(list(self.nodes.values()))
        other = draw.choice([name for name in self.nodes if name != node.name])
        lobbies = [one.label for one in views.lobbies(node.desk) if one.stage in ("leading", "member")]
        act = draw.random()
        if not lobbies:
            if act < 0.3:
                self._open()
            return
        where = draw.choice(lobbies)
        if act < 0.65:
            for _ in range(draw.choice((1, 1, 2, 6))):
                self._say(node, where)
        elif act < 0.75:
            node.put(ev.RemoveFrom(where, other))
            if draw.random() < 0.5:
                self.later(draw.uniform(3.0, 30.0), partial(node.put, ev.InviteTo(where, (other,))))
        elif act < 0.87:
            node.put(ev.InviteTo(where, (other,)))
        elif act < 0.94:
            for _ in range(draw.randrange(3)):
                self._say(node, where)
            node.put(ev.LeaveLobby(where))
        else:
            node.put(ev.SetDeputies(where, (other,)))
