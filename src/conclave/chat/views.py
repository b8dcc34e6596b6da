"""What fronts ask about the core's state: requests, lobbies, who is in, what waits. Read only.

Left out: history, which is the store's.
"""

from __future__ import annotations

from dataclasses import dataclass

from conclave.chat.pair import Ours, Theirs
from conclave.chat.state import Desk, Lobby, Stage


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody waits for our answer: to a chat request (``lobby`` empty) or an invitation to ``lobby``."""

    peer: str
    lobby: str


@dataclass(frozen=True, slots=True)
class LobbyView:
    """A lobby: ``stage`` in lower case, who is in (the leader first), whom we invited, how it is protected."""

    label: str
    name: str
    leader: str
    stage: str
    roster: tuple[str, ...]
    invited: tuple[str, ...]
    seq: int
    hash: bytes  # of entry ``seq``: equal at two members exactly if they were shown the same order
    have: dict[str, int]  # where we lead: the last entry that each member committed, as known since its link opened;
    # a line that is *delivered* is only ordered by the leader, and is with a member once this reaches its ``seq``
    protection: str


def requests(desk: Desk) -> tuple[Request, ...]:
    """Everything that waits for our answer."""
    pairs = [Request(one.handle, "") for one in desk.peers.values() if one.pair.ours is Ours.REQUEST]
    lobbies = [Request(one.leader, one.label) for one in desk.lobbies.values() if one.stage is Stage.INVITED]
    return tuple(sorted(pairs + lobbies, key=lambda one: (one.peer, one.lobby)))


def turned_away(desk: Desk) -> tuple[str, ...]:
    """Who wrote while we were busy."""
    return tuple(sorted(one.handle for one in desk.peers.values() if one.pair.ours is Ours.TURNED_AWAY))


def lobbies(desk: Desk) -> tuple[LobbyView, ...]:
    """Every lobby that we know, the ended ones too."""
    return tuple(sorted((_view(one) for one in desk.lobbies.values()), key=lambda one: one.label))


def lobby(desk: Desk, label: str) -> LobbyView | None:
    """One lobby by its label, with or without ``#``."""
    group = desk.labels.get("#" + label.removeprefix("#"))
    one = desk.lobbies.get(group) if group is not None else None
    return None if one is None else _view(one)


def _view(one: Lobby) -> LobbyView:
    roster, seq, digest = one.asked, 0, b""
    invited: tuple[str, ...] = ()
    have: dict[str, int] = {}
    if one.leading is not None:
        roster, invited, seq = one.leading.roster, tuple(sorted(one.leading.invited)), one.leading.seq
        digest = one.leading.hash
        have = {handle: member.have for handle, member in one.leading.followers.items() if not member.until}
    elif one.following is not None:
        roster = (one.leader, *sorted(one.following.roster - {one.leader}))
        seq, digest = one.following.seq, one.following.hash
    words = one.protection.words
    return LobbyView(
        one.label, one.name, one.leader, one.stage.name.lower(), roster, invited, seq, digest, have, words
    )


def queued(desk: Desk) -> dict[str, int]:
    """Posts that wait, for every peer for whom some do."""
    return {one.handle: one.out.count for one in desk.peers.values() if one.out.count}


@dataclass(frozen=True, slots=True)
class PairView:
    """Somebody: how we hold each other (words of ``chat.pair``), and how the chat is protected."""

    peer: str
    ours: str
    theirs: str
    queued: int
    protection: str


def pair(desk: Desk, peer: str) -> PairView:
    """How we and ``peer`` hold each other."""
    one = desk.peers.get(peer)
    if one is None:
        return PairView(peer, _word(Ours.STRANGER), _word(Theirs.UNKNOWN), 0, "protected hop by hop")
    return PairView(peer, _word(one.pair.ours), _word(one.pair.theirs), one.out.count, one.protection.words)


def _word(state: Ours | Theirs) -> str:
    return state.name.lower().replace("_", " ")


def wanted(desk: Desk) -> frozenset[str]:
    """Peers to whom a link is wanted."""
    return frozenset(one.handle for one in desk.peers.values() if one.out.count or one.ties)
