"""What waits for somebody who is away goes, sealed, to that person's mailbox at the authority.

Posts of the outbox, and what somebody's own mail is answered with: the same frames as on a link, so whoever fetches
them takes them as if they had come by one, and repetitions are told as ever. Nothing leaves the outbox for it: that
happens when its receiver says so. Left out: what a lobby leaves there (``chat.lobbies.mailing``), seals and sending
(``node.mail.mailroom``).
"""

from __future__ import annotations

from collections.abc import Sequence

from conclave.chat import delivery, links
from conclave.chat.deeds import Deposit, DepositPosts, MailDone
from conclave.chat.delivery import Inbound
from conclave.chat.events import Deposited, DepositFailed
from conclave.chat.lobbies import mailing
from conclave.chat.notices import Trouble
from conclave.chat.state import Peer
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.lobby.order import Place
from conclave.values import replace
from conclave.wire.delivery import Ack, Post, PostKind
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.order import Head, Refused

POSTS_AT_ONCE = 32
"""Posts that are mailed in one go."""
RETRY_SECONDS = {"away": 30.0, "full": 900.0}
"""After what did not go; for any other reason an hour."""
RETRY_ELSE = 3600.0
OWED_MOST = 64
"""Of what somebody's mail is to be answered with no more is remembered, where it cannot be left: the latest."""
_WHY = {
    "full": "{0}'s mailbox is full",
    "unknown": "no mail can be left for {0}: the authority has no account or no key for that name",
    "refused": "no mail can be left for {0}: it, or its key, is refused",
    "ours": "no mail can be left for {0}: your own certificate does not count now (conclave doctor)",
    "fault": "no mail can be left for {0}, by a fault of the program (see the node's log)",
    "too-large": "what was said to {0} is too large for a mailbox",
}
"""What people are told; that the authority is away, they are told by the directory."""


def taken(work: Work, handle: str, frames: Sequence[Frame], envelope: int) -> None:
    """An envelope's frames are taken: say so by mail to who is not linked; the authority may forget it."""
    peer = work.peer(handle)
    posts = [frame for frame in frames if isinstance(frame, Post)]
    told: list[Frame] = []
    if not peer.linked:
        told += _acks(peer.inbound, posts) if posts else []
        told += mailing.told(work, handle, frames)
    if told:
        _answer(work, handle, told)
    work.deed(MailDone(envelope))


def _answer(work: Work, handle: str, told: Sequence[Frame] = ()) -> None:
    """What somebody's mail is answered with is left for it: one after the other, and again where it cannot be."""
    peer = work.peer(handle)
    owed, telling = _latest((*peer.owed, *told)), peer.telling
    if owed and not telling:
        work.deed(Deposit(handle, 0, tuple(encode_frame(frame) for frame in owed)))
        owed, telling = (), owed
    work.keep(replace(peer, owed=owed, telling=telling))


def _latest(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """Of each stream and each lobby the last word."""
    last: dict[object, Frame] = {}
    for frame in frames:
        match frame:
            case Ack(stream, number):
                about: object = (stream, number > 0)
            case Head(group) | Refused(group):
                about = (type(frame), group)
            case _:
                continue
        last.pop(about, None)
        last[about] = frame
    return tuple(last.values())[-OWED_MOST:]


def _acks(inbound: Inbound, posts: Sequence[Post]) -> list[Ack]:
    """What we have of a peer's stream; and 0 where its posts are to be left anew.

    That is of a stream of which we have nothing, where we lack what is before them; and where a Welcome was left, as
    nothing that we say later tells that it may be taken by then.
    """
    places = [(post, delivery.place(inbound, post)[1]) for post in posts]
    first, place = places[0]
    ack = delivery.ack_for(inbound, first.stream)
    if place is Place.AHEAD and ack is None:
        return [Ack(first.stream, 0)]
    acks = [ack] if ack is not None else []
    if any(place is Place.NEXT and post.kind is PostKind.WELCOME for post, place in places):
        acks.append(Ack(first.stream, 0))
    return acks


def unlinked(work: Work, handle: str) -> None:
    """Somebody went: what is not acknowledged will be mailed."""
    if work.peer(handle).out.count:
        work.wake(work.now + work.settings.mail_after)
    mailing.unlinked(work, handle)


def passed(work: Work, peer: Peer) -> None:
    """Time passed: mail the outbox of somebody who has been away for a while."""
    if peer.linked or not (peer.out.count or peer.owed) or work.own is None:
        return
    peer = _lapsed(work, peer)
    if not peer.away:
        peer = replace(peer, away=work.now)
        work.keep(peer)
    due = max(peer.away + work.settings.mail_after, peer.mail_at)
    if work.now < due:
        work.wake(due)
        return
    if peer.owed:
        _answer(work, peer.handle)
        peer = work.peer(peer.handle)
    first = max(peer.out.base, peer.mailed + 1, peer.mailing + 1)
    count = min(POSTS_AT_ONCE, peer.out.next - first)
    if count > 0 and peer.mailing <= peer.mailed:
        work.deed(DepositPosts(peer.handle, peer.out.stream, peer.out.base, first, count))
        work.keep(replace(peer, mailing=first + count - 1))


def _lapsed(work: Work, peer: Peer) -> Peer:
    """Where mail that was left has waited for as long as it may, it is gone, and is left anew; or it went unheard."""
    if peer.anew.due and work.now < peer.anew.due:
        work.wake(peer.anew.due)
    elif peer.anew.due:
        links.mail_anew(work, peer.handle)
        return work.peer(peer.handle)
    if not peer.mail_until or peer.mailed < peer.out.base:
        return peer
    if work.now < peer.mail_until:
        work.wake(peer.mail_until)
        return peer
    links.mail_anew(work, peer.handle)
    peer = replace(work.peer(peer.handle), mail_at=0.0)  # there is room where it was
    work.keep(peer)
    return peer


def deposited(work: Work, event: Deposited) -> None:
    """It is in the mailbox."""
    handle, upto = event.peer, event.upto
    if work.peer(handle).unmailed:
        work.keep(replace(work.peer(handle), unmailed=""))
    if event.group:
        mailing.deposited(work, event)
        return
    peer = work.peer(handle)
    if not upto:
        work.keep(replace(peer, telling=()))
        _answer(work, handle)
        return
    if upto > peer.mailing:  # from before what is left anew
        return
    for line in peer.out.lines:
        if peer.mailed < line.number <= upto:
            work.mark_line("@" + handle, line.id, Status.MAILED)
    until = peer.mail_until if peer.mailed >= peer.out.base else int(event.until)
    top = max(peer.mailed, upto)
    work.keep(replace(peer, mailed=top, mailing=top, mail_until=until))
    passed(work, work.peer(handle))


def failed(work: Work, event: DepositFailed) -> None:
    """It is not; later again."""
    handle, reason = event.peer, event.reason
    wait = RETRY_SECONDS.get(reason, RETRY_ELSE)
    at = work.now + wait
    if event.entry and reason == "too-large":  # a link brings it
        mailing.too_large(work, event)
        return
    _explain(work, handle, reason, wait)
    if event.group:
        mailing.failed(work, event, at)
        return
    work.wake(at)
    peer = work.peer(handle)
    if event.upto:
        work.keep(replace(peer, mailing=peer.mailed, mail_at=at))
    else:
        work.keep(replace(peer, owed=_latest((*peer.telling, *peer.owed)), telling=(), mail_at=at))


def _explain(work: Work, handle: str, reason: str, wait: float) -> None:
    """Tell people, once, that nothing can be left for somebody, and what becomes of it."""
    peer = work.peer(handle)
    if reason not in _WHY or peer.linked:
        return
    why = _WHY[reason].format(handle)
    if why != peer.unmailed:
        work.keep(replace(peer, unmailed=why))
        work.tell(Trouble(handle, f"{why}; it is tried again in {wait / 60:.0f} minutes, or when {handle} is here"))
