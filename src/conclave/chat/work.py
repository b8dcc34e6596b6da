"""One step under way: what has changed so far, and what is to be done about it.

The rooms of the core read and change the state through a ``Work``; ``done`` makes the next ``Desk`` of it, and its
effects, so that each changed state is written once, each stream acknowledged once, and each lobby's progress told
once per step. The desk that the step began with is never touched. Left out: every decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conclave.chat import delivery, lobby_records, package_records, peer_records, records
from conclave.chat.deeds import Deed, Resend, Send, Tell, Wake, Want
from conclave.chat.effects import AddLine, DropExpired, DropState, MarkLine, PutCertificate, PutPost, PutState, Record
from conclave.chat.lobby_state import Lobby
from conclave.chat.notices import LineAdded, LineMarked, Notice, Trouble
from conclave.chat.pair import Theirs
from conclave.chat.state import Desk, Holder, Peer
from conclave.chat.words import originals
from conclave.chat.words.line import Line, Status
from conclave.errors import LocalError, Refused
from conclave.lobby.order import Order
from conclave.lobby.shelf import Draft
from conclave.mls.group import OwnKeyPackage, State
from conclave.values import replace
from conclave.wire.delivery import Post
from conclave.wire.order import Have
from conclave.wire.posts import Parcel, pack_parcel

LEAST_WAIT = 0.05
"""Between two ticks (seconds), so that no mistake of a timer can spin."""


class Work:
    """The state in the middle of a step at time ``now`` (UNIX seconds)."""

    def __init__(self, desk: Desk, now: float, random: Callable[[int], bytes]) -> None:
        self.me = desk.me
        self.settings = desk.settings
        self.own = desk.own
        self.judges = desk.judges
        self.now = now
        self.random = random
        self.busy = desk.busy
        self.envelope: str | None = None  # from which device the mail is that is being taken; None: a link brings it
        self.pending = False  # something was sent that may have to be sent again
        self._desk = desk
        self._peers = Draft(desk.peers)
        self._lobbies = Draft(desk.lobbies)
        self._labels = desk.labels
        self._sessions = Draft(desk.sessions)
        self._packages = Draft(desk.packages)
        self._holders = Draft(desk.holders)
        self.last = desk.last
        self.expelled = desk.expelled
        self.remains = desk.remains
        self._certificates = desk.certificates
        self._due = 0.0
        self._alarm = desk.alarm
        self._records: list[Record] = []
        self._deeds: list[Deed] = []
        self._acks: dict[tuple[str, bytes], None] = {}
        self._haves: dict[bytes, None] = {}
        self._untied: set[str] = set()
        self._reworded: set[bytes] = set()
        self._stirred: dict[bytes, None] = {}
        self.welcomes: list[tuple[Order, bytes, Sequence[str]]] = []

    # What there is.

    def peer(self, handle: str) -> Peer:
        """Somebody, known or not."""
        return self._peers.get(handle) or Peer(handle)

    def device(self, handle: str) -> str:
        """The device of ``handle`` that what is being taken comes from; empty where it is not known."""
        return self.peer(handle).flight.device if self.envelope is None else self.envelope

    def peers(self) -> list[Peer]:
        """Everybody we know."""
        return list(self._peers.done().values())

    def lobby(self, group: bytes) -> Lobby | None:
        """A lobby we know, by its id."""
        return self._lobbies.get(group)

    def lobbies(self) -> list[Lobby]:
        """Every lobby we know."""
        return list(self._lobbies.done().values())

    def session(self, group: bytes) -> State | None:
        """The keys of a conversation, by its group id."""
        return self._sessions.get(group)

    def sessions(self) -> list[tuple[bytes, State]]:
        """The keys of all conversations, by group id."""
        return list(self._sessions.done().items())

    def chance(self) -> float:
        """A number from 0 to 1, at random: so that not everybody does the same at once."""
        return int.from_bytes(self.random(4)) / (1 << 32)

    def package(self, reference: bytes) -> OwnKeyPackage | None:
        """A key package of ours, by its reference."""
        return self._packages.get(reference)

    def packages(self) -> list[tuple[bytes, OwnKeyPackage]]:
        """All key packages of ours."""
        return list(self._packages.done().items())

    def holder(self, reference: bytes) -> Holder | None:
        """Whom a key package of ours was handed to; None for those of the authority's stock."""
        return self._holders.get(reference)

    def certificate(self, key: bytes) -> bytes:
        """The certificate (DER) of a signature key that we met; empty where it is not known."""
        return self._certificates.get(key, b"")

    def labelled(self, label: str) -> Lobby | None:
        """A lobby by what people here call it, with or without ``#``."""
        group = self._labels.get("#" + label.removeprefix("#"))
        return None if group is None else self._lobbies.get(group)

    # Changes.

    def keep(self, peer: Peer) -> None:
        """``peer`` is so from now on."""
        self._peers.put(peer.handle, peer)

    def drop_peer(self, handle: str) -> None:
        """Forget somebody of whom nothing needs to be kept."""
        self._peers.drop(handle)

    def keep_lobby(self, lobby: Lobby, *, reworded: bool = False) -> None:
        """``lobby`` is so from now on; ``reworded``: more than its place in the order changed."""
        before = self._lobbies.get(lobby.group)
        self._lobbies.put(lobby.group, lobby)
        if reworded:
            self._reworded.add(lobby.group)
        if before is None or (before.label, before.awaited) != (lobby.label, lobby.awaited):
            self._labels = {**self._labels, lobby.label: lobby.group}
            for other in self._of_label(lobby) if not lobby.awaited else ():
                self._lobbies.drop(other.group)

    def drop_lobby(self, lobby: Lobby) -> None:
        """Forget a lobby, and free its label, or give it back to the one that ended and has that history."""
        self._lobbies.drop(lobby.group)
        self._free_label(lobby)

    def _free_label(self, lobby: Lobby) -> None:
        if self._labels.get(lobby.label) == lobby.group:
            labels = {label: group for label, group in self._labels.items() if label != lobby.label}
            self._labels = {**labels, **{one.label: one.group for one in self._of_label(lobby)}}

    def _of_label(self, lobby: Lobby) -> list[Lobby]:
        """The lobby that ended and had the label of ``lobby``, until we come in there."""
        return [one for one in self.lobbies() if one.label == lobby.label and one.group != lobby.group]

    def relabel(self, lobby: Lobby, label: str) -> None:
        """People here call ``lobby`` otherwise from now on."""
        self._free_label(lobby)
        self.keep_lobby(replace(lobby, label=label), reworded=True)

    def keep_session(self, state: State) -> None:
        """The keys of a conversation are so from now on."""
        before = self._sessions.get(state.group_id)
        for der, key in originals.replaced(before, state) if before is not None else ():
            self.keep_certificate(der, key)
        self._sessions.put(state.group_id, state)

    def drop_session(self, group: bytes) -> None:
        """Erase the keys of a conversation."""
        self._sessions.drop(group)

    def keep_package(
        self, reference: bytes, package: OwnKeyPackage, holder: Holder | None = None, *, last: bool = False
    ) -> None:
        """A key package of ours that may be used from now on; ``holder`` is whom it was handed to."""
        self._packages.put(reference, package)
        if holder is not None:
            self._holders.put(reference, holder)
        value = package_records.encode_package(package, holder, last=last)
        self._records.append(PutState(records.PACKAGE_KEY + reference.hex(), value))

    def drop_voice(self, lobby: Lobby) -> None:
        """What was to be said in a lobby is not, any more."""
        for unsaid in lobby.voice.waiting:
            self._records.append(DropState(records.waiting_key(lobby.group.hex(), unsaid.key)))

    def drop_package(self, reference: bytes) -> None:
        """Erase the keys of a key package."""
        self._packages.drop(reference)
        self._holders.drop(reference)
        self._records.append(DropState(records.PACKAGE_KEY + reference.hex()))

    def keep_certificate(self, der: bytes, key: bytes) -> None:
        """An original names this certificate, of that signature key, or may yet: a key may have several."""
        if self._certificates.get(key) != der:
            self._certificates = {**self._certificates, key: der}
            self._records.append(PutCertificate(der))

    def tie(self, handle: str, group: bytes, *, tied: bool) -> None:
        """We want a link to ``handle`` because of a lobby, or no longer because of it."""
        peer = self.peer(handle)
        ties = peer.ties | {group} if tied else peer.ties - {group}
        if ties != peer.ties:
            self.keep(replace(peer, ties=ties))
        if not tied:
            self._untied.add(handle)

    # Effects.

    def record(self, record: Record) -> None:
        """To be committed with this step."""
        self._records.append(record)

    def deed(self, deed: Deed) -> None:
        """To be done after the commit."""
        self._deeds.append(deed)

    def tell(self, notice: Notice) -> None:
        """To be told to the fronts after the commit."""
        self._deeds.append(Tell(notice))

    def add_line(self, conversation: str, line: Line, original: bytes = b"", *, ordered: bool = False) -> None:
        """Into the history, and onto the screen."""
        self._records.append(AddLine(conversation, line, original, ordered))
        self._deeds.append(Tell(LineAdded(conversation, line)))

    def mark_line(self, conversation: str, identity: bytes, status: Status, seq: int = 0) -> None:
        """A line of ours came further."""
        self._records.append(MarkLine(conversation, self.me, identity, status, seq))
        self._deeds.append(Tell(LineMarked(conversation, identity, status)))

    def place_line(self, conversation: str, sender: str, identity: bytes, seq: int) -> None:
        """A line of somebody else has its place in the order."""
        self._records.append(MarkLine(conversation, sender, identity, Status.RECEIVED, seq))

    def expire(self) -> None:
        """Lines that were to disappear by now go."""
        self._records.append(DropExpired(self.now))

    def trouble(self, handle: str, text: str, kind: str = "") -> bool:
        """Tell people that ``handle`` misbehaves, unless they were told so a moment ago; whether they are.

        What shows that words were changed or kept back is of a ``kind`` of its own: no other noise hides it.
        """
        peer = self.peer(handle)
        if abs(self.now - peer.troubled.get(kind, 0.0)) < self.settings.trouble_every:
            return False
        self.keep(replace(peer, troubled={**peer.troubled, kind: self.now}))
        self.tell(Trouble(handle, text))
        return True

    def stir(self, group: bytes) -> None:
        """Something of a lobby changed: see, once the event is done with, what can be done now."""
        self._stirred[group] = None

    def welcome(self, order: Order, welcome: bytes, added: Sequence[str]) -> None:
        """A commit of ours let people in at this place of the order: they are to be welcomed."""
        self.welcomes.append((order, welcome, added))

    def stirred(self) -> bytes | None:
        """A lobby of which something changed; None where all is settled."""
        return self._stirred.popitem()[0] if self._stirred else None

    def wake(self, at: float) -> None:
        """Step again at ``at`` (UNIX seconds), or before."""
        if not self._due or at < self._due:
            self._due = at

    def rung(self) -> None:
        """The alarm rang, be it early by this clock: it is no longer set."""
        self._alarm = 0.0

    def ack(self, handle: str, stream: bytes) -> None:
        """Acknowledge what we have of ``stream`` once the step is committed."""
        self._acks[handle, stream] = None

    def have(self, group: bytes) -> None:
        """Tell the leader how far we are once the step is committed."""
        self._haves[group] = None

    # Posts.

    def check_room(self, handle: str) -> None:
        """Raise ``Refused`` where too much waits for ``handle`` already."""
        peer = self.peer(handle)
        if peer.out.count + len(peer.waiting) >= self.settings.outbox_posts:
            raise Refused(
                f"{self.settings.outbox_posts} messages already wait for {handle}",
                reason="outbox-full",
                remedy=f"wait until {handle} is online again",
            )

    def post(self, handle: str, parcel: Parcel, identity: bytes = b"") -> int:
        """Into the outbox, and onto the link if there is room: the post's number in our stream to ``handle``.

        ``identity`` names the line of ours that the post carries, if it carries one.
        """
        peer = self.peer(handle)
        out = peer.out if peer.out.stream else replace(peer.out, stream=self.random(delivery.STREAM_BYTES))
        out, number = delivery.enqueue(out, identity)
        kind, body = pack_parcel(parcel)
        self._records.append(PutPost(handle, number, kind, body))
        flight = peer.flight
        if peer.linked and flight.sent == number - 1 and number < out.base + window_for(peer):
            self._deeds.append(Send(handle, Post(out.stream, number, out.base, kind, body)))
            flight = replace(flight, sent=number, moved=self.now if out.count == 1 else flight.moved)
            self.pending = True
        if not peer.linked:
            peer = replace(peer, away=peer.away or self.now)
            self.wake(self.now + self.settings.mail_after)
        self.keep(replace(peer, out=out, flight=flight))
        return number

    def send_outbox(self, handle: str, *, again: bool = False, window: int | None = None) -> None:
        """Send what the window allows of the outbox; ``again``: from its beginning."""
        peer = self.peer(handle)
        flight = replace(peer.flight, sent=peer.out.base - 1) if again else peer.flight
        flight, first, count = delivery.share(
            peer.out, flight, window_for(peer) if window is None else window, self.now
        )
        if count:
            self._deeds.append(Resend(handle, peer.out.stream, peer.out.base, first, count))
            self.pending = True
        self.keep(replace(peer, flight=flight))

    # The end.

    def done(self) -> tuple[Desk, list[Record], list[Deed]]:
        """The next desk, and what is to be committed and done: acknowledgements before what else is sent."""
        first: list[Deed] = []
        for handle, stream in self._acks:
            ack = delivery.ack_for(self.peer(handle).inbound, stream)
            if ack is not None:
                first.append(Send(handle, ack))
        for group in self._haves:
            lobby = self._lobbies.get(group)
            if lobby is not None and lobby.order is not None and lobby.leader != self.me:
                first.append(Send(lobby.leader, Have(group, lobby.order.seq)))
                watch = replace(lobby.watch, told=lobby.order.seq, told_at=self.now)
                self._lobbies.put(group, replace(lobby, watch=watch))
        for _, before, peer in self._peers.changes():
            if peer is not None:
                self._settle_peer(peer, before)
        for group, was, after in self._lobbies.changes():
            self._records.extend(lobby_records.lobby_records(group, after, was, reworded=group in self._reworded))
        for group, held, keys in self._sessions.changes():
            self._records.extend(records.session_records(group, keys, held))
        if self.busy != self._desk.busy:
            self._records.append(PutState(records.DESK_KEY, records.encode_busy(busy=self.busy)))
        if self.pending:
            self.wake(self.now + self.settings.resend_after)
        alarm = self._alarm
        if self._due and not self.now < alarm <= self._due:
            alarm = max(self._due, self.now + LEAST_WAIT)
            self._deeds.append(Wake(alarm))
        desk = Desk(
            self.me, self.settings, self.own, self.judges, self.busy, self._peers.done(), self._lobbies.done(),
            self._labels, self._sessions.done(), self._packages.done(), self.last, self._holders.done(),
            self._certificates, self.expelled, self.remains, alarm,
        )  # fmt: skip
        return desk, self._records, [*first, *self._deeds]

    def _settle_peer(self, peer: Peer, before: Peer | None) -> None:
        self._records.extend(peer_records.peer_records(peer, before))
        if peer.needed != peer.wanted:
            self._peers.put(peer.handle, replace(peer, wanted=peer.needed))
            self._deeds.append(Want(peer.handle, peer.needed))
        kept = (
            peer.needed
            or peer.linked
            or peer.certificates
            or peer.numbers
            or peer.warned
            or not peer_records.blank(peer)
        )
        if peer.handle in self._untied and not kept:
            self._peers.drop(peer.handle)


def window_for(peer: Peer) -> int:
    """How many posts may be under way to ``peer``: one while it is busy, in case it has forgotten us."""
    return 1 if peer.pair.theirs is Theirs.BUSY else peer.flight.window


def need_lobby(work: Work, label: str) -> Lobby:
    """The lobby that a command names. Raises ``LocalError`` where there is none."""
    lobby = work.labelled(label)
    if lobby is None:
        raise LocalError(
            f"there is no lobby {'#' + label.removeprefix('#')[:80]!r} here", remedy="conclave lobby list shows all"
        )
    return lobby
