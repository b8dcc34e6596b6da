"""What people do in a world: a seeded mix of pairs and lobbies, first in chaos, then healed, then quiet."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import partial

from conclave.chat import events as ev
from conclave.chat import groups, views
from conclave.chat.lobby_state import Lobby, Stage
from conclave.chat.notices import RequestArrived
from conclave.chat.state import Desk
from conclave.chat.words.content import About, Reaction
from conclave.crypto.suite import CLASSICAL
from conclave.mls.epoch import Epoch
from tests.world import witness
from tests.world.network import Faults, Node, World

NAMES = ("ayse", "burak", "cem", "deniz", "elif", "fatma")
CHAOS_SECONDS = 100.0
QUIET_SECONDS = 600.0
"""Simulated seconds after which a world that has not converged is broken."""
ROUND_SECONDS = 10.0
"""A round, after which what is not answered is sent again, and it is looked whether the world is one again."""


class Town(World):
    """A world in which people talk. ``said``: every line that somebody asked to say, by its id."""

    size = (2, len(NAMES))
    """So many people there are at least, and at most."""
    chaos = CHAOS_SECONDS

    def __init__(self, seed: int, *, suite: int = CLASSICAL.code, send_before_commit: bool = False) -> None:
        super().__init__(seed, NAMES, Faults(), suite)
        witness.forget(lambda: self.now)
        draw = self.random
        names = NAMES[: draw.randint(*self.size)]
        self.nodes = {name: self.nodes[name] for name in names}
        self.unfriendly = draw.random() < 0.3
        self.splits = draw.random() < 0.6
        self.said: dict[bytes, tuple[str, str, str]] = {}
        self.in_lobby: dict[bytes, tuple[bytes, dict[str, int]]] = {}
        """The group of what was said in a lobby, and who was in, for the how manieth time."""
        self.times_out: Counter[tuple[bytes, str]] = Counter()
        self._inside: set[tuple[bytes, str]] = set()
        self.came: dict[tuple[bytes, str], float] = {}
        """When somebody was let into a lobby for the first time, in whichever half."""
        self._epochs: dict[tuple[bytes, str], Epoch] = {}
        self._looked_at: dict[tuple[str, str], object] = {}
        """What a node had when it was last looked at."""
        self.opened: Counter[str] = Counter()
        self.leaks: list[str] = []
        """What somebody was given that is not for it."""
        self.rounds = 0
        """After the end of all faults."""
        self.faults = Faults(
            loss=draw.choice((0.0, 0.05, 0.25)),
            double=draw.choice((0.0, 0.1)),
            jitter=draw.choice((0.0, 0.05, 1.0)),
            crash=draw.choice((0.0, 0.005, 0.02)),
            full_disk=draw.choice((0.0, 0.0, 0.03)),
            send_before_commit=send_before_commit,
        )
        for node in self.nodes.values():
            node.put(ev.StockTold(0))

    def told(self, node: Node, notice: object) -> None:
        if isinstance(notice, RequestArrived):
            self.later(self.random.uniform(0.1, 10.0), lambda: self._answer(node, notice.peer, notice.lobby))

    def _answer(self, node: Node, peer: str, lobby: str) -> None:
        if node.up:
            accept = not (self.unfriendly and self.chance(0.3))
            node.put(ev.AnswerRequest(peer, accept, lobby, block=not accept and self.chance(0.3)))

    def play(self) -> bool:
        """Chaos, healing, quiet. True: it became quiet."""
        draw = self.random
        for _ in range(draw.randint(10, 40)):
            self.later(draw.uniform(0.0, self.chaos), self._somebody_acts)
        for _ in range(draw.randint(0, 6)):
            self.later(draw.uniform(0.0, self.chaos), self._misfortune)
        self.later(draw.uniform(0.0, 5.0), self._open)
        start = self.now
        self.run(start + self.chaos)
        self.heal()
        healed = self.now
        while self.now < healed + QUIET_SECONDS:
            self._tidy()
            self.run(self.now + ROUND_SECONDS)
            self.rounds += 1
            if self.settled():
                return True
        return False

    def counts(self, name: str) -> bool:
        """Whether how it is with ``name`` is looked at: nobody waits for who is expelled."""
        return name not in self.expelled

    def excused(self, _wrong: str, /) -> bool:
        """Whether what is wrong in the end may be."""
        return False

    def missing(self, _lobby: Lobby, _seq: int, /) -> bool:
        """Whether it is enough that somebody tells everybody that it lacks an entry."""
        return False

    def under_way(self, _name: str, lobby: Lobby, /) -> bool:
        """Whether somebody is to come in or to go."""
        return lobby.stage in (Stage.INVITED, Stage.JOINING, Stage.LEAVING, Stage.CLOSING)

    def settled(self) -> bool:
        """Nothing waits, and nobody is on the way to somewhere."""
        for node in self.nodes.values():
            desk = node.desk
            if not self.counts(node.name):
                continue
            if views.queued(desk) and not self._hopeless(node):
                return False
            for lobby in desk.lobbies.values():
                if self.under_way(node.name, lobby):
                    return False
                if lobby.stage is Stage.ENDED:
                    continue
                view = views.lobby(desk, lobby.label)
                assert view is not None
                if view.waiting or view.healing or lobby.healing.orphans:
                    return False
                if lobby.healing.pull and not self._apart(node.name, lobby.group):
                    return False
                if lobby.intents.some or self._leaderless(lobby):
                    return False
        return not self.differences()

    def _leaderless(self, lobby: Lobby) -> bool:
        """Whether its leader is out, and it is yet to be noticed."""
        if lobby.leader in self.expelled or lobby.stage is not Stage.MEMBER:
            return False
        there = self.nodes[lobby.leader].desk.lobbies.get(lobby.group)
        return there is None or there.stage is Stage.ENDED

    def _hopeless(self, node: Node) -> bool:
        """Everything that waits waits for somebody who is expelled."""
        return set(views.queued(node.desk)) <= self.expelled

    def _apart(self, name: str, group: bytes) -> bool:
        """Somebody whom ``name`` takes for a member, and asks, goes on in a half that never met it (ADR 19)."""
        state = self.nodes[name].desk.sessions.get(group)
        people = [self.nodes[one] for one in groups.roster(state)] if state is not None else []
        theirs = [one.desk.sessions.get(group) for one in people]
        return any(name not in groups.roster(one) for one in theirs if one is not None)

    def differences(self) -> list[str]:
        """Members of one lobby, who take each other for members, and are not at one place."""
        found = []
        for group in {group for node in self.nodes.values() for group in node.desk.lobbies}:
            at: dict[str, tuple[object, ...]] = {}
            rosters: dict[str, set[str]] = {}
            for name, node in self.nodes.items():
                lobby, state = node.desk.lobbies.get(group), node.desk.sessions.get(group)
                if not self.counts(name) or lobby is None or lobby.stage is not Stage.MEMBER or state is None:
                    continue
                if lobby.order is not None:
                    at[name] = (lobby.order.seq, lobby.order.hash, lobby.leader, state.authenticator)
                    rosters[name] = set(groups.roster(state))
            for one, other in itertools.combinations(sorted(at), 2):
                if one in rosters[other] and other in rosters[one] and at[one] != at[other]:
                    found.append(f"{group.hex()[:8]}: {one} {at[one][::2]}, {other} {at[other][::2]}")
        return found

    def kept(self, node: Node, desk: Desk) -> None:
        if self._looked_at.get(("keys", node.name)) is desk.sessions:  # as most turns leave them
            return
        self._looked_at["keys", node.name] = desk.sessions
        for group, state in desk.sessions.items():
            if self._epochs.get((group, node.name)) is not state.epoch:
                self._epochs[group, node.name] = state.epoch
                for handle in groups.roster(state):
                    self.came.setdefault((group, handle), self.now)

    def turned(self, node: Node) -> None:
        if self._looked_at.get(("lobbies", node.name)) is node.desk.lobbies:
            return
        self._looked_at["lobbies", node.name] = node.desk.lobbies
        for group, lobby in node.desk.lobbies.items():
            place = (group, node.name)
            if lobby.stage is Stage.MEMBER:
                self._inside.add(place)
            elif place in self._inside:
                self._inside.discard(place)
                self.times_out[place] += 1

    def stayed(self, identity: bytes) -> frozenset[str]:
        """Who was in the lobby when that was said, and was never out since: the others need not have it."""
        group, people = self.in_lobby[identity]
        return frozenset(
            name
            for name, times in people.items()
            if (group, name) in self._inside and self.times_out[group, name] == times
        )

    def _open(self) -> None:
        node = self.random.choice(list(self.nodes.values()))
        others = [name for name in self.nodes if name != node.name]
        invited = tuple(self.random.sample(others, self.random.randint(1, len(others))))
        # Two may choose the same name; one who does so twice goes on with the same history.
        self.opened[node.name] += 1
        name = self.random.choice(("ops", "night")) + "." * self.opened[node.name]
        deputies = (node.name, invited[0]) if self.chance(0.5) else ()
        node.put(ev.OpenLobby(name, self.random.randbytes(16), invited, deputies))

    def _somebody_acts(self) -> None:
        draw = self.random
        node = draw.choice(list(self.nodes.values()))
        other = draw.choice([name for name in self.nodes if name != node.name])
        lobbies = [one for one in views.lobbies(node.desk) if one.stage in ("leading", "member")]
        if draw.random() < 0.75:
            where = draw.choice(lobbies).label if lobbies and draw.random() < 0.7 else "@" + other
            for _ in range(draw.choice((1, 1, 2, 6))):
                self._say(node, where)
            return
        act = draw.random()
        if act < 0.2:
            self._open()
        elif act < 0.35 and self.unfriendly:
            node.put(ev.SetBusy(draw.random() < 0.6))
        elif act < 0.55 and lobbies:
            node.put(ev.InviteTo(draw.choice(lobbies).label, (other,)))
        elif act < 0.62 and lobbies:
            node.put(ev.LeaveLobby(draw.choice(lobbies).label))
        elif act < 0.65 and lobbies:
            node.put(ev.CloseLobby(draw.choice(lobbies).label))
        elif act < 0.75 and lobbies:
            node.put(ev.RemoveFrom(draw.choice(lobbies).label, other))
        elif act < 0.82 and self.unfriendly:
            node.put(ev.Unblock(other))
        elif act < 0.88 and lobbies:
            node.put(ev.SetDeputies(draw.choice(lobbies).label, (draw.choice(draw.choice(lobbies).roster),)))
        elif act < 0.94 and self.said:
            identity, (author, where, _) = draw.choice(list(self.said.items()))
            if where.startswith("@"):
                where = "@" + (author if where[1:] == node.name else where[1:])
            if where != "@" + node.name:
                reaction = Reaction(About(author, identity), "👍", draw.random() < 0.8)
                node.put(ev.Utter(where, draw.randbytes(16), reaction))
        elif lobbies:
            node.put(ev.MarkRead(draw.choice(lobbies).label, draw.randint(1, 40)))

    def _say(self, node: Node, where: str) -> None:
        identity = self.random.randbytes(16)
        text = f"{node.name} {len(self.said)}"
        self.said[identity] = (node.name, where, text)
        if where.startswith("#") and node.up:
            lobby = node.desk.lobbies.get(node.desk.labels.get(where, b""))
            if lobby is not None:
                people = self._people(lobby.group, node)
                self.in_lobby[identity] = (lobby.group, {one: self.times_out[lobby.group, one] for one in people})
        node.put(ev.Say(where, identity, text))

    def _people(self, group: bytes, node: Node) -> frozenset[str]:
        """Who is in for the speaker and for itself."""
        view = next((one for one in node.desk.lobbies.values() if one.group == group), None)
        roster = views.lobby(node.desk, view.label).roster if view is not None else ()  # type: ignore[union-attr]
        return frozenset(
            name
            for name in roster
            if name in self.nodes
            and (lobby := self.nodes[name].desk.lobbies.get(group)) is not None
            and lobby.stage is Stage.MEMBER
        )

    def _misfortune(self) -> None:
        draw = self.random
        node = draw.choice(list(self.nodes.values()))
        kind = draw.random()
        if kind < 0.25:
            if node.up:
                node.crash()
        elif kind < 0.4:
            self.break_links(node.name)
        elif kind < 0.5:
            self.authority = False
            self.later(draw.uniform(5.0, 60.0), self._authority_back)
        elif kind < 0.55 and len(self.nodes) > 2 and not self.expelled:
            self.expelled.add(node.name)
            self.break_links(node.name)
            for one in self.nodes.values():
                if one is not node:
                    self.later(draw.uniform(0.0, 5.0), partial(one.put, ev.Expelled(node.name, "revoked")))
        elif self.splits:
            self.partition({name: draw.randint(0, 1) for name in self.nodes})
            self.later(draw.uniform(5.0, 60.0), lambda: self.partition({}))
        else:
            self.partition({node.name: 1})
            self.later(draw.uniform(1.0, 40.0), lambda: self.partition({}))

    def _authority_back(self) -> None:
        self.authority = True
        for node in self.nodes.values():
            node.collect()

    def _tidy(self) -> None:
        """Everybody is free again and answers whatever is still open; a queue for the mailbox is looked into."""
        for node in self.nodes.values():
            node.collect()
            if node.desk.busy:
                node.put(ev.SetBusy(False))
            for request in views.requests(node.desk):
                self._answer(node, request.peer, request.lobby)
            for lobby in node.desk.lobbies.values():
                for handle in lobby.invited & self.expelled:
                    node.put(ev.RemoveFrom(lobby.label, handle))
