"""What people do in a world: a seeded mix of pairs and lobbies, first in chaos, then healed, then quiet."""

from __future__ import annotations

from collections import Counter

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.notices import RequestArrived
from tests.world.network import Faults, Node, World

NAMES = ("ayse", "burak", "cem", "deniz", "elif", "fatma")
CHAOS_SECONDS = 90.0
HEALING_SECONDS = 3_000.0
QUIET_BY = 40_000.0
"""Simulated seconds after which a world that is still not quiet is broken."""


class Town(World):
    """A world in which people talk. ``said``: every line that somebody asked to say, by its id."""

    def __init__(self, seed: int, *, send_before_commit: bool = False) -> None:
        super().__init__(seed, NAMES, Faults())
        draw = self.random
        names = NAMES[: draw.randint(2, len(NAMES))]
        self.nodes = {name: self.nodes[name] for name in names}
        self.unfriendly = draw.random() < 0.3
        self.said: dict[bytes, tuple[str, str, str]] = {}
        self.opened: Counter[str] = Counter()
        self.faults = Faults(
            loss=draw.choice((0.0, 0.05, 0.25)),
            double=draw.choice((0.0, 0.1)),
            jitter=draw.choice((0.0, 0.05, 1.0)),
            crash=draw.choice((0.0, 0.01, 0.04)),
            full_disk=draw.choice((0.0, 0.0, 0.03)),
            send_before_commit=send_before_commit,
        )

    def told(self, node: Node, notice: object) -> None:
        if isinstance(notice, RequestArrived):
            self.later(self.random.uniform(0.1, 20.0), lambda: self._answer(node, notice.peer, notice.lobby))

    def _answer(self, node: Node, peer: str, lobby: str) -> None:
        if node.up:
            accept = not (self.unfriendly and self.chance(0.3))
            node.put(ev.AnswerRequest(peer, accept, lobby, block=not accept and self.chance(0.3)))

    def play(self) -> bool:
        """Chaos, healing, quiet. True: it became quiet."""
        draw = self.random
        for _ in range(draw.randint(10, 45)):
            self.later(draw.uniform(0.0, CHAOS_SECONDS), self._somebody_acts)
        for _ in range(draw.randint(0, 6)):
            self.later(draw.uniform(0.0, CHAOS_SECONDS), self._misfortune)
        self.later(draw.uniform(0.0, 10.0), self._open)
        start = self.now
        self.run(start + CHAOS_SECONDS)
        self.heal()
        for round_ in range(12):
            self.later(round_ * HEALING_SECONDS / 12, self._tidy)
        return self.run(start + QUIET_BY)

    def _open(self) -> None:
        node = self.random.choice(list(self.nodes.values()))
        others = [name for name in self.nodes if name != node.name]
        invited = tuple(self.random.sample(others, self.random.randint(1, len(others))))
        # Two leaders may choose the same name; one leader who does so twice goes on with the same history.
        self.opened[node.name] += 1
        name = self.random.choice(("ops", "night")) + "." * self.opened[node.name]
        node.put(ev.OpenLobby(name, self.random.randbytes(16), invited))

    def _somebody_acts(self) -> None:
        draw = self.random
        node = draw.choice(list(self.nodes.values()))
        other = draw.choice([name for name in self.nodes if name != node.name])
        lobbies = [one for one in views.lobbies(node.desk) if one.stage in ("leading", "member")]
        if draw.random() < 0.75:
            where = draw.choice(lobbies).label if lobbies and draw.random() < 0.6 else "@" + other
            for _ in range(draw.choice((1, 1, 2, 6))):
                self._say(node, where)
            return
        act = draw.random()
        if act < 0.25:
            self._open()
        elif act < 0.45 and self.unfriendly:
            node.put(ev.SetBusy(draw.random() < 0.6))
        elif act < 0.6 and lobbies:
            node.put(ev.InviteTo(draw.choice(lobbies).label, (other,)))
        elif act < 0.7 and lobbies:
            node.put(ev.LeaveLobby(draw.choice(lobbies).label))
        elif act < 0.76 and lobbies:
            node.put(ev.CloseLobby(draw.choice(lobbies).label))
        elif act < 0.85 and self.unfriendly:
            node.put(ev.Unblock(other))
        elif act >= 0.85 and lobbies:
            self._out_and_in_again(node, draw.choice(lobbies), other)

    def _out_and_in_again(self, node: Node, lobby: views.LobbyView, other: str) -> None:
        """Somebody leaves or is removed, and is asked in again at once or soon, whatever has arrived by then."""
        if lobby.leader != node.name:
            node.put(ev.LeaveLobby(lobby.label))
            leader, other = self.nodes[lobby.leader], node.name
        elif self.unfriendly:
            node.put(ev.AnswerRequest(other, accept=False, block=True))
            node.put(ev.Unblock(other))
            leader = node
        else:
            return
        group = node.desk.labels[lobby.label]
        for delay in (0.0, self.random.uniform(0.0, 30.0)):
            self.later(delay, lambda: self._ask_in(leader, group, other))

    def _ask_in(self, leader: Node, group: bytes, other: str) -> None:
        lobby = leader.desk.lobbies.get(group)
        if lobby is not None:
            leader.put(ev.InviteTo(lobby.label, (other,)))

    def _say(self, node: Node, where: str) -> None:
        identity = self.random.randbytes(16)
        text = f"{node.name} {len(self.said)}"
        self.said[identity] = (node.name, where, text)
        node.put(ev.Say(where, identity, text))

    def _misfortune(self) -> None:
        node = self.random.choice(list(self.nodes.values()))
        kind = self.random.random()
        if kind < 0.3:
            if node.up:
                node.crash()
        elif kind < 0.6:
            self.break_links(node.name)
        else:
            self.cut.add(node.name)
            self.break_links(node.name)
            self.later(self.random.uniform(1.0, 40.0), lambda: self._rejoin(node))

    def _rejoin(self, node: Node) -> None:
        self.cut.discard(node.name)
        self.dial()

    def _tidy(self) -> None:
        """Everybody is free again and answers whatever is still open."""
        for node in self.nodes.values():
            if node.desk.busy:
                node.put(ev.SetBusy(False))
            for request in views.requests(node.desk):
                self._answer(node, request.peer, request.lobby)
