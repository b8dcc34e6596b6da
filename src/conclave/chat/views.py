"""What fronts ask about the core's state: requests, lobbies, who is in, who has what, what waits. Read only.

Left out: history, which is the store's.
"""

from __future__ import annotations

from collections.abc import Mapping

from conclave.chat import groups
from conclave.chat.lobbies import lacks
from conclave.chat.lobby_state import Lobby, Mark, Reach, Stage, Step
from conclave.chat.pair import Ours, Theirs
from conclave.chat.state import Desk
from conclave.chat.words.originals import fingerprint
from conclave.mls.group import State
from conclave.values import dataclass, field, replace

SEALED = "end-to-end encrypted"
"""How every conversation is protected, in plain words."""
NO_KEYS = "end-to-end encrypted once keys are there"


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody waits for our answer: to a chat request (``lobby`` empty) or an invitation to ``lobby``."""

    peer: str
    lobby: str


@dataclass(frozen=True, slots=True)
class LobbyView:
    """A lobby: who is in (in the order of succession, the leader first), and who has what.

    ``stage`` is in lower case, ``leading`` where we lead. ``marks`` are the members' receipts, ours among them.
    ``hash`` is of entry ``seq``: equal at two members exactly if they were shown the same order; ``words`` is the
    last entry that people are to see; ``authenticator`` (of the MLS epoch) is equal exactly if they are in one group.
    ``mailed`` is what lies in others' mailboxes as the leader knows it, and tells the others. ``entered`` is who
    came in by which entry, while we were in, and ``gone`` who is out by which. ``since`` is when we were asked in
    (UNIX seconds; 0: not known).
    """

    label: str
    name: str
    leader: str
    stage: str
    roster: tuple[str, ...]
    deputies: tuple[str, ...]
    invited: tuple[str, ...]
    seq: int
    words: int
    hash: bytes
    term: int
    epoch: int
    authenticator: bytes
    marks: dict[str, Mark]
    healing: bool
    waiting: int
    timer: int
    protection: str
    mailed: Mapping[str, Reach] = field(default_factory=dict)
    entered: Mapping[str, int] = field(default_factory=dict)
    gone: Mapping[str, int] = field(default_factory=dict)
    since: int = 0

    @property
    def inside(self) -> bool:
        """Whether we are in: we have the group's keys."""
        return bool(self.authenticator) and self.stage != "ended"


def requests(desk: Desk) -> tuple[Request, ...]:
    """Everything that waits for our answer."""
    pairs = [Request(one.handle, "") for one in desk.peers.values() if one.pair.ours is Ours.REQUEST]
    lobbies = [Request(handle, one.label) for one in desk.lobbies.values() for handle in one.asking]
    return tuple(sorted(pairs + lobbies, key=lambda one: (one.peer, one.lobby)))


def turned_away(desk: Desk) -> tuple[str, ...]:
    """Who wrote while we were busy."""
    return tuple(sorted(one.handle for one in desk.peers.values() if one.pair.ours is Ours.TURNED_AWAY))


def lobbies(desk: Desk) -> tuple[LobbyView, ...]:
    """Every lobby that we know, the ended ones too: but of those of one label the one that has it."""
    there = (one for one in desk.lobbies.values() if desk.labels.get(one.label) == one.group)
    return tuple(sorted((_view(desk, one) for one in there), key=lambda one: one.label))


def lobby(desk: Desk, label: str) -> LobbyView | None:
    """One lobby by its label, with or without ``#``."""
    group = desk.labels.get("#" + label.removeprefix("#"))
    one = desk.lobbies.get(group) if group is not None else None
    return None if one is None else _view(desk, one)


def _view(desk: Desk, one: Lobby) -> LobbyView:
    state = desk.sessions.get(one.group)
    order = one.order
    people = groups.succession(state) if state is not None else one.asked
    roster = (*(each for each in people if each == one.leader), *(each for each in people if each != one.leader))
    marks = {handle: _since(mark, one.healing.entered.get(handle, 0)) for handle, mark in one.ears.marks.items()}
    if order is not None:
        marks[desk.me] = Mark(order.seq, one.ears.read, lacks.known(one))
    leading = one.watch.followers is not None and one.leader == desk.me and one.stage is Stage.MEMBER
    return LobbyView(
        one.label,
        one.name,
        one.leader,
        "leading" if leading else one.stage.name.lower(),
        roster,
        groups.deputies(state) if state is not None else (),
        tuple(sorted(one.invited)),
        order.seq if order is not None else 0,
        one.ears.words,
        order.hash if order is not None else b"",
        order.run.term if order is not None else 0,
        state.number if state is not None else 0,
        state.authenticator if state is not None else b"",
        marks,
        one.healing.step is not Step.SOUND,
        len(one.voice.waiting) + len(one.voice.flying),
        one.timer,
        SEALED,
        one.mailed if leading else _boxes(one),
        one.healing.entered,
        {handle: seq for handle, (seq, _) in one.healing.gone.items()},
        one.since,
    )


def _since(mark: Mark, came: int) -> Mark:
    """A receipt of who came in by entry ``came``: what was before that is not for it."""
    return replace(mark, missing=lacks.behind(mark.missing, came)) if came and mark.missing else mark


def _boxes(one: Lobby) -> dict[str, Reach]:
    told = one.watch.boxes
    if told is None or one.lead is None or told.term != one.lead.term:
        return {}
    return {handle: Reach(upto, first) for handle, first, upto in told.items}


def unmailed(desk: Desk) -> dict[str, str]:
    """In whose mailbox nothing can be left, and why, in words."""
    return {one.handle: one.unmailed for one in desk.peers.values() if one.unmailed}


def queued(desk: Desk) -> dict[str, int]:
    """What waits, for every peer for whom something does."""
    counts = {one.handle: one.out.count + len(one.waiting) for one in desk.peers.values()}
    return {handle: count for handle, count in counts.items() if count}


@dataclass(frozen=True, slots=True)
class PairView:
    """Somebody: how we hold each other (words of ``chat.pair``), and how the chat is protected.

    ``read``: our counter up to which the other told that it read; ``timer``: seconds after which words disappear.
    """

    peer: str
    ours: str
    theirs: str
    queued: int
    epoch: int
    protection: str
    read: int = 0
    timer: int = 0


def pair(desk: Desk, peer: str) -> PairView:
    """How we and ``peer`` hold each other."""
    one = desk.peers.get(peer)
    if one is None:
        return PairView(peer, _word(Ours.STRANGER), _word(Theirs.UNKNOWN), 0, 0, NO_KEYS)
    state = pair_state(desk, peer)
    words = NO_KEYS if state is None else SEALED
    epoch = 0 if state is None else state.number
    return PairView(
        peer, _word(one.pair.ours), _word(one.pair.theirs), one.out.count + len(one.waiting), epoch, words,
        one.read, one.timer.seconds,
    )  # fmt: skip


def pair_state(desk: Desk, peer: str) -> State | None:
    """The group in which we speak with ``peer``."""
    one = desk.peers.get(peer)
    if one is None or not one.groups or one.groups[0].dead:
        return None
    return desk.sessions.get(one.groups[0].id)


def pair_ended(desk: Desk, peer: str) -> State | None:
    """The group in which we spoke with ``peer`` last, where nothing more is said in it."""
    one = desk.peers.get(peer)
    if one is None or not one.groups or not one.groups[0].dead:
        return None
    return desk.sessions.get(one.groups[0].id)


def shown(desk: Desk, peer: str) -> dict[str, bytes]:
    """Certificates (DER) that hold by which ``peer`` is in our lobbies, and that no pair knows, by the lobby's label.

    So a former key has not vouched for any of them.
    """
    one, found = desk.peers.get(peer), {}
    for lobby in desk.lobbies.values():
        state = desk.sessions.get(lobby.group)
        leaf = groups.roster(state).get(peer) if state is not None else None
        der = groups.certificate(state, leaf) if state is not None and leaf is not None else b""
        if der and desk.judges.revoked(der) is None and (one is None or fingerprint(der) not in one.certificates):
            found[lobby.label] = der
    return dict(sorted(found.items()))


def _word(state: Ours | Theirs) -> str:
    return state.name.lower().replace("_", " ")


def wanted(desk: Desk) -> frozenset[str]:
    """Peers to whom a link is wanted."""
    return frozenset(one.handle for one in desk.peers.values() if one.needed)
