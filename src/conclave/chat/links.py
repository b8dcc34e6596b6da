"""Links come and go, posts and acknowledgements arrive, time passes: delivery carried out for one user.

Left out: what a post says, which ``chat.desk`` hands to the rooms that know.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from conclave.chat import delivery, records
from conclave.chat.deeds import Recollect, Send
from conclave.chat.delivery import Fate, Flight
from conclave.chat.effects import DropPosts, DropState
from conclave.chat.fifo import Fifo
from conclave.chat.pair import Pair, Theirs
from conclave.chat.state import Peer
from conclave.chat.words.content import FOR_GOOD
from conclave.chat.words.line import Status
from conclave.chat.work import Work, window_for
from conclave.errors import DecodeError
from conclave.lobby.order import Place
from conclave.values import replace
from conclave.wire.delivery import Ack, Post
from conclave.wire.frames import Frame
from conclave.wire.posts import Parcel, open_post

ANSWERS_POSTS = 1_000
"""Room in the outbox beyond ``outbox_posts`` for answers that we owe; whoever fills that is heard no more."""


def linked(work: Work, handle: str, window: int, device: str, version: int) -> None:
    """A link to a device of ``handle`` opened: say what we have, and send what waits."""
    peer = work.peer(handle)
    window = max(1, min(window, work.settings.window_posts))
    flight = replace(delivery.opened(peer.out, window, work.now), device=device, version=version)
    work.keep(replace(peer, flight=flight, mail_at=0.0, owed=()))  # its mailbox is about to be emptied
    if peer.inbound.streams:
        work.ack(handle, peer.inbound.streams[0].name)
    work.send_outbox(handle)


def unlinked(work: Work, handle: str) -> None:
    """The link is gone; who is nothing to us is forgotten."""
    peer = replace(work.peer(handle), flight=Flight(), away=work.now)
    something = peer.out.stream or peer.inbound.streams or peer.groups or peer.certificates
    if something or peer.numbers or peer.warned or peer.ties or peer.wanted or peer.pair != Pair():
        work.keep(peer)
    else:
        work.drop_peer(handle)


def post_arrived(work: Work, handle: str, post: Post, take: Callable[[Work, str, Parcel], Fate]) -> None:
    """A post came in; ``take`` does what it says."""
    peer = work.peer(handle)
    placed, place = delivery.place(peer.inbound, post)
    if place is Place.REPEATED:
        work.ack(handle, post.stream)
    if place is not Place.NEXT or peer.out.count >= work.settings.outbox_posts + ANSWERS_POSTS:
        return
    new_home = peer.inbound.streams != () and peer.inbound.of(post.stream) is None
    pair = peer.pair
    groups = tuple(replace(one, dead=True) for one in peer.groups) if new_home else peer.groups
    inbound = delivery.taken(placed, post)
    if new_home:  # it was told nothing and has accepted nobody, and it counts from 1 again
        theirs = Theirs.ASKED if pair.theirs is Theirs.ACCEPTED else pair.theirs
        pair = replace(pair, told=False, theirs=theirs)
        timer = replace(peer.timer, number=int(peer.timer != FOR_GOOD))
        peer = replace(peer, counts=0, told=0, timer=timer)
    work.keep(replace(peer, inbound=inbound, pair=pair, groups=groups))
    if new_home:  # the one before took some of what was left there, or all
        unheard(work, handle)
    try:
        fate = take(work, handle, open_post(post))
    except DecodeError as error:
        work.trouble(handle, f"{handle} sent something that cannot be read: {error}")
        fate = Fate.DECLINED
    if fate is Fate.LEFT:
        left = placed if new_home else peer.inbound  # a home is new once, however often its first post comes
        work.keep(replace(work.peer(handle), inbound=left))
        return
    if fate is not Fate.TAKEN:
        inbound = delivery.declined(inbound, post, rejected=fate is Fate.REJECTED)
        work.keep(replace(work.peer(handle), inbound=inbound))
    work.ack(handle, post.stream)


def ack_arrived(work: Work, handle: str, ack: Ack) -> None:
    """The other side is done with some of what we posted."""
    peer = work.peer(handle)
    if ack.stream == peer.out.stream and not ack.number:  # of another home: the one before has the rest
        unheard(work, handle)
        return
    out, lines = delivery.acknowledged(peer.out, ack)
    if out is peer.out:
        return
    work.record(DropPosts(handle, ack.number))
    unread, declined = delivery.unread(ack), set(ack.declined)
    again = _unread(work, handle, [line.id for line in lines if line.number in unread])
    for line in lines:
        if line.id not in again:  # what is told of these next is that they wait once more
            work.mark_line("@" + handle, line.id, Status.FAILED if line.number in declined else Status.DELIVERED)
    peer = work.peer(handle)
    peer = replace(peer, again=peer.again.difference(line.id for line in lines))
    flight = replace(peer.flight, sent=max(peer.flight.sent, ack.number), moved=work.now, tries=0)
    work.keep(replace(peer, out=out, flight=flight if peer.linked else peer.flight, unmailed=""))
    if delivery.full(ack.declined):
        unheard(work, handle)  # it passed over what was behind
    work.send_outbox(handle)


def _unread(work: Work, handle: str, lines: Iterable[bytes]) -> Collection[bytes]:
    """The other side could not read these: they are said again, once, where its keys were lost there; which are."""
    peer = work.peer(handle)
    again = tuple(one for one in lines if one not in peer.again)
    if not again or peer.pair.theirs is Theirs.REJECTED or not any(group.dead for group in peer.groups):
        return ()
    work.keep(replace(peer, unread=(*peer.unread, *again)))
    recollect(work, handle)
    return again


def recollect(work: Work, handle: str) -> None:
    """Have read what is to be said again to a peer that could not read it."""
    peer = work.peer(handle)
    work.keep(replace(peer, recollecting=True))
    work.deed(Recollect(b"", "@" + handle, tuple((work.me, one) for one in peer.unread)))


def resend(work: Work, peer: Peer) -> None:
    """Time passed: send again what an open link did not acknowledge for too long."""
    if not peer.linked or not peer.out.count or peer.pair.theirs is Theirs.BUSY:
        return
    work.pending = True
    again = delivery.retried(peer.out, peer.flight, work.now, work.settings.resend_after)
    if again is not None:
        flight, window = again
        work.keep(replace(peer, flight=flight))
        work.send_outbox(peer.handle, window=min(window, window_for(peer)))


def abandon(work: Work, handle: str) -> None:
    """Nothing more goes to ``handle``: what waits is not sent, and its numbers are skipped for good.

    What is on its way, by a link or by mail, may arrive all the same, and nothing is heard of it.

    Should it come back, another group begins: its keys may be known to others. Keys may be among what waited, too; so
    another stream begins, as of a home that has lost its keys, and then both begin another group.
    """
    drop_waiting(work, handle)
    peer = work.peer(handle)
    peer = replace(peer, groups=tuple(replace(one, dead=True) for one in peer.groups), owed=(), telling=())
    work.keep(peer)
    if not peer.out.count:
        return
    work.record(DropPosts(handle, peer.out.next - 1))
    gone = max(peer.mailed, peer.mailing, peer.flight.sent)
    for line in peer.out.lines:
        work.mark_line("@" + handle, line.id, Status.SENT if line.number <= gone else Status.FAILED)
    for lobby in work.lobbies():  # what was given it alone, and had not arrived, is owed once more
        posted = {one: at for one, at in lobby.healing.posted.items() if one[2] != handle or at < peer.out.base}
        if posted != lobby.healing.posted:
            work.keep_lobby(replace(lobby, healing=replace(lobby.healing, posted=posted)), reworded=True)
    out = delivery.Outbound(work.random(delivery.STREAM_BYTES), peer.out.next, peer.out.next)
    pair = replace(peer.pair, told=False)  # that we rejected it may be among it too
    work.keep(replace(peer, out=out, pair=pair, flight=replace(peer.flight, sent=out.base - 1), again=frozenset()))


def drop_waiting(work: Work, handle: str) -> None:
    """What waits for keys to say it with, or to be said again, is not sent."""
    peer = work.peer(handle)
    for unsaid in peer.waiting:
        work.record(DropState(records.waiting_key("@" + handle, unsaid.key)))
    dropped = (*(unsaid.id for unsaid in peer.waiting), *peer.unread)
    for identity in dropped:
        work.mark_line("@" + handle, identity, Status.FAILED)
    if dropped:
        work.keep(replace(peer, waiting=Fifo(), unread=(), again=peer.again.difference(dropped)))


def mail_anew(work: Work, handle: str) -> None:
    """What was left in a peer's mailbox may have gone unheard: while no link takes it, it is left there anew."""
    peer = work.peer(handle)
    for line in peer.out.lines:
        if line.number <= peer.mailed:
            work.mark_line("@" + handle, line.id, Status.WAITING)
    anew = delivery.left_anew(peer.anew, work.now)
    work.keep(replace(peer, mailed=0, mailing=0, mail_until=0, anew=anew))
    work.wake(work.now)


def unheard(work: Work, handle: str) -> None:
    """By what a peer says, what was left in its mailbox went unheard: it is left anew, ever more seldom."""
    peer = work.peer(handle)
    if max(peer.mailed, peer.mailing) < peer.out.base:
        return
    anew = delivery.asked_anew(peer.anew, work.now)
    work.keep(replace(peer, anew=anew))
    if anew.due <= work.now:
        mail_anew(work, handle)
    else:
        work.wake(anew.due)


def send(work: Work, handle: str, frame: Frame) -> None:
    """A frame that is not kept: without a link it is lost, and time repairs that."""
    if work.peer(handle).linked:
        work.deed(Send(handle, frame))
        work.pending = True
