"""The door of the conversation core: one user's whole state, and the step that everything goes through.

``step(desk, event, now, random)`` gives the next desk and what is to be done, and touches nothing else. The records
among the effects are one transaction, committed before any deed is done. Step ``JudgesChanged`` and a ``Tick`` right
after ``restore``, so that lists that are new since count, and the links that are wanted are asked for.

Nothing that a peer sends makes ``step`` raise. A command raises ``Refused`` or ``LocalError``, and the desk that it
was given is then still the one to go on with. Left out: what each event means: to two people (``chat.pairs``), in a
lobby (``chat.lobbies``), for delivery (``links`` and ``mail``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from conclave.chat import events as ev
from conclave.chat import links, mail, packages, passing
from conclave.chat.deeds import Deed
from conclave.chat.delivery import Fate
from conclave.chat.effects import Effect, Record
from conclave.chat.lobbies import (
    answering,
    apart,
    asking,
    audience,
    backups,
    boxes,
    catching_up,
    departing,
    following,
    handover,
    invitations,
    leadership,
    meaning,
    membership,
    ordering,
    purging,
    recalling,
    receipts,
    rejoining,
    retelling,
    rolls,
    sharing,
    speaking,
    unwinding,
)
from conclave.chat.lobbies.labels import own_handle
from conclave.chat.lobby_state import Stage
from conclave.chat.pair import Input, Ours
from conclave.chat.pairs import duet, lost, renewing, talk
from conclave.chat.resuming import restore
from conclave.chat.settings import Settings
from conclave.chat.state import Desk
from conclave.chat.words.content import NEVER, Body, Roll, Text
from conclave.chat.work import Work, need_lobby
from conclave.errors import LocalError
from conclave.values import replace
from conclave.wire.delivery import Ack, Post
from conclave.wire.frames import Frame
from conclave.wire.limits import ID_BYTES
from conclave.wire.order import (
    AskInfo,
    Boxes,
    Fetch,
    Have,
    Head,
    Info,
    Ordered,
    Originals,
    Recall,
    Refusal,
    Refused,
    Submit,
)
from conclave.wire.packages import AskPackage, Package
from conclave.wire.posts import Answer, Begin, Choice, Handshake, Invite, Leave, Message, Parcel, Welcome

__all__ = ["Desk", "Settings", "restore", "step", "steps"]

Random = Callable[[int], bytes]


def step(desk: Desk, event: ev.Event, now: float, random: Random) -> tuple[Desk, tuple[Effect, ...]]:
    """What follows from ``event`` at ``now`` (UNIX seconds); ``random(n)`` gives ``n`` random bytes."""
    after, records, deeds = steps(desk, (event,), now, random)
    return after, (*records, *deeds)


def steps(
    desk: Desk, events: Iterable[ev.Event], now: float, random: Random
) -> tuple[Desk, list[Record], list[Deed]]:
    """As step after step, but that what they change is written, and what is acknowledged told, once for all.

    What an event raises is for all of them: without it, the others are to be stepped through again.
    """
    work = Work(desk, now, random)
    haves: list[tuple[str, Have]] = []
    for event in events:
        if isinstance(event, ev.Arrived) and isinstance(event.frame, Have):
            haves.append((event.peer, event.frame))  # a large lobby tells many in a row
            continue
        if haves:
            haves = _heard(work, haves)
        _happened(work, event)
        passing.settle(work)
    if haves:
        _heard(work, haves)
    return work.done()


def _heard(work: Work, haves: list[tuple[str, Have]]) -> list[tuple[str, Have]]:
    audience.haves_arrived(work, haves)
    passing.settle(work)
    return []


def _happened(work: Work, event: ev.Event) -> None:
    match event:
        case ev.Arrived(peer, frame):
            if peer != work.me:
                _arrived(work, peer, frame)
        case ev.Mailed(peer, several, envelope, device):
            work.envelope = device
            if peer != work.me:
                handover.opened(work, peer, several)
                for frame in several:
                    _arrived(work, peer, frame)
            work.envelope = None
            mail.taken(work, peer, several, envelope)
        case ev.Linked(peer, window, device, made, version):
            purging.linked(work, peer, made)
            links.linked(work, peer, window, device, version)
            renewing.came_back(work, peer)
            duet.came_back(work, peer)
            answering.came_back(work, peer)
            leadership.linked(work, peer, up=True)
        case ev.Unlinked(peer):
            leadership.linked(work, peer, up=False)
            links.unlinked(work, peer)
            mail.unlinked(work, peer)
        case ev.Tick():
            work.rung()
            passing.passed(work)
        case ev.Unwound(group, common, digest, cut, lines):
            unwinding.unwound(work, group, common, digest, cut, lines)
        case ev.Recollected(b"", conversation, items, missing):
            duet.recollected(work, conversation.removeprefix("@"), items, missing)
        case ev.Recollected(group, _, items, missing):
            sharing.recollected(work, group, items, apart.recollected(work, group, items, missing))
        case ev.PackageFound(peer, package):
            duet.package_found(work, peer, package)
        case ev.PackageMissing(peer, _):
            duet.package_missing(work, peer)
        case ev.StockTold(count):
            packages.stock_told(work, count)
        case ev.Deposited():
            mail.deposited(work, event)
        case ev.DepositFailed():
            mail.failed(work, event)
        case ev.Expelled(peer, reason, skew):
            purging.expelled(work, peer, reason, skew)
            _expelled(work, peer, reason)
        case ev.Readmitted(peer):
            purging.readmitted(work, peer)
        case ev.OwnChanged(own):
            work.own = own
            renewing.renewed(work)
            for lobby in work.lobbies():
                work.stir(lobby.group)
        case ev.JudgesChanged(judges):
            anew, work.judges = judges is not work.judges, judges
            lost.judged(work)
            purging.judged(work, anew=anew)
        case _:
            _command(work, event)


def _arrived(work: Work, peer: str, frame: Frame) -> None:
    match frame:
        case Post():
            links.post_arrived(work, peer, frame, _take)
        case Ack():
            lost.declined(work, peer, frame)
            links.ack_arrived(work, peer, frame)
            asking.acknowledged(work, peer)
        case Ordered():
            following.entry_arrived(work, peer, frame)
        case Submit():
            meaning.followed(work, peer, frame.group)
            ordering.submitted(work, peer, frame)
        case Have():
            audience.have_arrived(work, peer, frame)
        case Fetch():
            meaning.followed(work, peer, frame.group)
            audience.fetch_arrived(work, peer, frame)
        case Head():
            catching_up.head_arrived(work, peer, frame)
        case Refused(reason=Refusal.NOT_IN):
            membership.absent(work, peer, frame.group)
            backups.absent(work, peer, frame.group)
        case Refused():
            speaking.refused(work, peer, frame)
        case AskInfo():
            meaning.followed(work, peer, frame.group)
            rejoining.info_asked(work, peer, frame)
        case Info():
            rejoining.info_arrived(work, peer, frame)
        case Recall():
            recalling.recall_arrived(work, peer, frame)
        case Originals():
            recalling.originals_arrived(work, peer, frame)
        case Boxes():
            boxes.told(work, peer, frame)
        case AskPackage():
            package = packages.asked(work, peer)
            if package is not None:
                links.send(work, peer, package)
        case Package(package):
            duet.package_found(work, peer, package)


def _take(work: Work, peer: str, parcel: Parcel) -> Fate:
    """Do what a post says."""
    match parcel:
        case Message():
            return talk.message(work, peer, parcel)
        case Begin():
            return duet.begun(work, peer, parcel)
        case Handshake(group) if work.lobby(group) is not None:
            return apart.given(work, peer, parcel)
        case Handshake():
            return renewing.handshake(work, peer, parcel)
        case Answer(b"", choice):
            talk.answered(work, peer, choice)
        case Answer(group, choice):
            lobby = work.lobby(group)
            if choice is Choice.REJECT and lobby is not None and lobby.awaited:
                answering.refused(work, peer, group)
            else:
                membership.answered(work, peer, parcel)
        case Invite():
            answering.invited(work, peer, parcel)
        case Welcome():
            return membership.welcomed(work, peer, parcel)
        case Leave(group):
            membership.left(work, peer, group)
    return Fate.TAKEN


def _expelled(work: Work, peer: str, reason: str) -> None:
    for lobby in work.lobbies():
        if lobby.awaited:
            invitations.expelled(work, lobby, peer)
            continue
        if peer in lobby.invited:
            intents = lobby.intents.let_in_no_more({peer})
            work.keep_lobby(replace(lobby, invited=lobby.invited - {peer}, intents=intents), reworded=True)
        delay = purging.patience(work)
        purging.purge(work, work.lobby(lobby.group) or lobby, peer, reason, delay=delay, judged=True)
    leadership.expelled(work, peer)
    links.abandon(work, peer)
    one = work.peer(peer)
    if one.pair.ours in (Ours.REQUEST, Ours.TURNED_AWAY):
        work.keep(replace(one, pair=replace(one.pair, ours=Ours.STRANGER, lines=0)))


def _command(work: Work, command: object) -> None:
    match command:
        case ev.Say(conversation, identity, text, reply, expires):
            _say(work, conversation, identity, Text(text, reply, NEVER if expires == 0 else expires or 0))
        case ev.Utter(conversation, identity, body):
            _say(work, conversation, identity, body)
        case ev.MarkRead(conversation, seq):
            if conversation.startswith("#"):
                receipts.read_up_to(work, need_lobby(work, conversation).group, seq)
            else:
                duet.read_up_to(work, _person(work, conversation), seq)
        case ev.OpenLobby():
            membership.open_lobby(work, command)
        case ev.InviteTo():
            membership.invite(work, command)
        case ev.ShareHistory():
            retelling.share(work, command)
        case ev.AnswerRequest():
            _answer(work, command)
        case ev.Unblock(peer):
            talk.turn(work, _person(work, peer), Input.UNBLOCK)
        case ev.SetBusy(on):
            _set_busy(work, on=on)
        case ev.LeaveLobby():
            departing.leave(work, command)
        case ev.CloseLobby():
            departing.close(work, command)
        case ev.RemoveFrom():
            departing.remove(work, command)
        case ev.SetDeputies():
            departing.set_deputies(work, command)
        case ev.CallRoll(label, nonce):
            lobby = rolls.call(work, need_lobby(work, label))
            speaking.say(work, lobby, nonce, Roll(nonce), counted=False)
        case _:
            raise LocalError(f"{type(command).__name__} is no event of the conversation core")


def _person(work: Work, name: str) -> str:
    handle = own_handle(name)
    if handle == work.me:
        raise LocalError("that is you", remedy="name somebody else")
    return handle


def _say(work: Work, conversation: str, identity: bytes, body: Body) -> None:
    if len(identity) != ID_BYTES:
        raise LocalError("a message needs an id of 16 bytes")
    talk.check(body)
    if not conversation.startswith("#"):
        talk.say(work, _person(work, conversation), identity, body)
        return
    lobby = need_lobby(work, conversation)
    speaking.say(work, lobby, identity, body)


def _answer(work: Work, command: ev.AnswerRequest) -> None:
    peer = _person(work, command.peer)
    if command.accept and command.block:
        raise LocalError("nobody is accepted and blocked at once", remedy="choose one")
    if command.lobby:
        answering.answer(work, peer, command.lobby, accept=command.accept)
    if command.block:
        talk.turn(work, peer, Input.BLOCK)
        for lobby in work.lobbies():
            if lobby.leader == work.me and lobby.stage is Stage.MEMBER:
                purging.purge(work, lobby, peer, f"blocked by {work.me}", delay=0.0)
        invitations.decline_all_of(work, peer)
    elif not command.lobby:
        talk.turn(work, peer, Input.ACCEPT if command.accept else Input.REJECT)


def _set_busy(work: Work, *, on: bool) -> None:
    work.busy = on
    if on:
        return
    for peer in work.peers():
        if peer.pair.ours is Ours.TURNED_AWAY:
            talk.turn(work, peer.handle, Input.FREE)
    invitations.announce(work)
