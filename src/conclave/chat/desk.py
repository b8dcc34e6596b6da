"""The door of the conversation core: one user's whole state, and the step that everything goes through.

``step(desk, event, now, random)`` gives the next desk and what is to be done, and touches nothing else. The records
among the effects are one transaction, committed before any deed is done. ``restore`` rebuilds the desk after a
restart from what was committed; step a ``Tick`` right after it, so that the links that are wanted are asked for.

Nothing that a peer sends makes ``step`` raise. A command raises ``Refused`` or ``LocalError``, and the desk that it
was given is then still the one to go on with. Left out: what each event means, in the rooms beside this one:
``talk`` (two people), ``leading`` and ``following`` (a lobby's two halves), ``links`` (delivery).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from conclave.chat import events as ev
from conclave.chat import following, leading, links, records, talk
from conclave.chat.delivery import Fate, Waiting
from conclave.chat.effects import Effect
from conclave.chat.fifo import Fifo
from conclave.chat.pair import Input, Ours
from conclave.chat.settings import Settings
from conclave.chat.state import Desk, Lobby, Peer, Stage
from conclave.chat.work import Work, need_lobby
from conclave.errors import DecodeError, LocalError, StorageError, VerificationError
from conclave.lobby.names import check_handle
from conclave.wire.frames import ID_BYTES, Ack, Fetch, Have, Head, Ordered, Post, PostKind
from conclave.wire.posts import Answer, Choice, Invite, Leave, Message, Parcel, Submit, Welcome

__all__ = ["Desk", "Settings", "restore", "step"]

Random = Callable[[int], bytes]
Posts = Callable[[str, int, int], Iterable[tuple[int, int, bytes]]]
RESTORED_POSTS = 64
"""Posts of an outbox that are in memory at once while a desk is restored: 6 MiB at most."""


def step(desk: Desk, event: ev.Event, now: float, random: Random) -> tuple[Desk, tuple[Effect, ...]]:
    """What follows from ``event`` at ``now`` (UNIX seconds); ``random(n)`` gives ``n`` random bytes."""
    work = Work(desk, now, random)
    match event:
        case ev.Arrived(peer, frame):
            if peer != desk.me:
                _arrived(work, peer, frame)
        case ev.Linked(peer, window):
            links.linked(work, peer, window)
            leading.linked(work, peer, up=True)
            following.linked(work, peer)
        case ev.Unlinked(peer):
            leading.linked(work, peer, up=False)
            following.linked(work, peer)
            links.unlinked(work, peer)
        case ev.Tick():
            _passed(work)
        case ev.Expelled(peer, reason):
            _expelled(work, peer, reason)
        case _:
            _command(work, event)
    return work.done()


def _arrived(work: Work, peer: str, frame: object) -> None:
    match frame:
        case Post():
            links.post_arrived(work, peer, frame, _take)
        case Ack():
            links.ack_arrived(work, peer, frame)
        case Ordered():
            following.entry_arrived(work, peer, frame)
        case Have():
            leading.have_arrived(work, peer, frame)
        case Fetch():
            leading.fetch_arrived(work, peer, frame)
        case Head():
            following.head_arrived(work, peer, frame)


def _take(work: Work, peer: str, parcel: Parcel) -> Fate:
    """Do what a post says."""
    match parcel:
        case Message():
            return talk.message(work, peer, parcel)
        case Submit():
            return leading.submitted(work, peer, parcel)
        case Answer(b"", choice):
            talk.answered(work, peer, choice)
        case Answer(group, choice):
            lobby = work.lobby(group)
            if lobby is None or lobby.leader == work.me:
                leading.answered(work, peer, parcel)
            elif choice is Choice.REJECT:
                following.refused(work, peer, group)
            elif choice is Choice.FREE:
                following.freed(work, peer, group)
        case Invite():
            following.invited(work, peer, parcel)
        case Welcome():
            following.welcomed(work, peer, parcel)
        case Leave(group):
            leading.left(work, peer, group)
    return Fate.TAKEN


def _passed(work: Work) -> None:
    work.rest()
    for peer in work.peers():
        links.resend(work, peer)
        if peer.wanted != (peer.out.count > 0 or bool(peer.ties)):
            work.keep(work.peer(peer.handle))
    for lobby in work.lobbies():
        if lobby.leading is not None:
            leading.passed(work, lobby, lobby.leading)
        elif lobby.following is not None:
            following.passed(work, lobby)


def _expelled(work: Work, peer: str, reason: str) -> None:
    leading.remove(work, peer, reason, at_once=True)
    following.leader_gone(work, peer, reason)
    links.abandon(work, peer)
    one = work.peer(peer)
    if one.pair.ours in (Ours.REQUEST, Ours.TURNED_AWAY):
        work.keep(replace(one, pair=replace(one.pair, ours=Ours.STRANGER, lines=0)))


def _command(work: Work, command: object) -> None:
    match command:
        case ev.Say():
            _say(work, command)
        case ev.OpenLobby():
            leading.open_lobby(work, command)
        case ev.InviteTo():
            leading.invite(work, command)
        case ev.AnswerRequest():
            _answer(work, command)
        case ev.Unblock(peer):
            talk.turn(work, _person(work, peer), Input.UNBLOCK)
        case ev.SetBusy(on):
            _set_busy(work, on=on)
        case ev.LeaveLobby():
            following.leave(work, command)
        case ev.CloseLobby():
            leading.close(work, command)
        case _:
            raise LocalError(f"{type(command).__name__} is no event of the conversation core")


def _person(work: Work, name: str) -> str:
    handle = name.removeprefix("@")
    try:
        check_handle(handle)
    except VerificationError as error:
        raise LocalError(str(error), remedy=error.remedy) from error
    if handle == work.me:
        raise LocalError("that is you", remedy="name somebody else")
    return handle


def _say(work: Work, command: ev.Say) -> None:
    if len(command.id) != ID_BYTES:
        raise LocalError("a message needs an id of 16 bytes")
    if not command.conversation.startswith("#"):
        talk.say(work, _person(work, command.conversation), command)
        return
    lobby = need_lobby(work, command.conversation)
    if lobby.leader == work.me:
        leading.say(work, lobby, command)
    else:
        following.say(work, lobby, command)


def _answer(work: Work, command: ev.AnswerRequest) -> None:
    peer = _person(work, command.peer)
    if command.accept and command.block:
        raise LocalError("nobody is accepted and blocked at once", remedy="choose one")
    if command.lobby:
        following.answer(work, peer, command.lobby, accept=command.accept)
    if command.block:
        talk.turn(work, peer, Input.BLOCK)
        leading.remove(work, peer, f"blocked by {work.me}", at_once=False)
        following.leave_all_of(work, peer)
    elif not command.lobby:
        talk.turn(work, peer, Input.ACCEPT if command.accept else Input.REJECT)


def _set_busy(work: Work, *, on: bool) -> None:
    work.busy = on
    if on:
        return
    for peer in work.peers():
        if peer.pair.ours is Ours.TURNED_AWAY:
            talk.turn(work, peer.handle, Input.FREE)
    following.announce(work)


def restore(me: str, states: Iterable[tuple[str, bytes]], posts: Posts, settings: Settings | None = None) -> Desk:
    """The desk as it was committed: ``states`` are all states of the store, ``posts`` its read of the outbox.

    Raises ``StorageError`` for a state that cannot be read.
    """
    kept = dict(states)
    settings = settings or Settings()
    desk = Desk(me, settings)
    peers, lobbies, labels = desk.peers, desk.lobbies, desk.labels
    try:
        for key, value in kept.items():
            if key.startswith(records.PEER_KEY):
                peer = _with_lines(records.decode_peer(key.removeprefix(records.PEER_KEY), value), posts)
                peers = peers.put(peer.handle, peer)
        for key, value in kept.items():
            if key.startswith(records.LOBBY_KEY):
                name = key.removeprefix(records.LOBBY_KEY)
                at = kept.get(records.PLACE_KEY + name, b"")
                lobby = records.decode_lobby(bytes.fromhex(name), value, at)
                lobbies = lobbies.put(lobby.group, lobby)
                labels = {**labels, lobby.label: lobby.group}
                for handle in _tied(lobby):
                    known = peers.get(handle) or Peer(handle)
                    peers = peers.put(handle, replace(known, ties=known.ties | {lobby.group}))
        busy = records.decode_busy(kept[records.DESK_KEY]) if records.DESK_KEY in kept else False
    except (DecodeError, ValueError) as error:
        raise StorageError(
            f"a conversation's state cannot be read: {error}", remedy="restore the home from a backup"
        ) from error
    return Desk(me, settings, busy, peers, lobbies, labels)


def _tied(lobby: Lobby) -> Iterable[str]:
    if lobby.leading is not None:
        return tuple(lobby.leading.followers)
    return (lobby.leader,) if lobby.stage in (Stage.JOINING, Stage.MEMBER, Stage.LEAVING) else ()


def _with_lines(peer: Peer, posts: Posts) -> Peer:
    """The lines that wait in the outbox, read from the heads of the posts that carry them."""
    lines: Fifo[Waiting] = Fifo()
    first = peer.out.base
    while first < peer.out.next:
        number = peer.out.next
        for number, kind, body in posts(peer.handle, first, min(RESTORED_POSTS, peer.out.next - first)):
            if kind == PostKind.MESSAGE:
                lines = lines.push(Waiting(number, body[:ID_BYTES], b""))
            elif kind == PostKind.SUBMIT:
                lines = lines.push(Waiting(number, body[ID_BYTES : 2 * ID_BYTES], body[:ID_BYTES]))
        first = number + 1
    return replace(peer, out=replace(peer.out, lines=lines))
