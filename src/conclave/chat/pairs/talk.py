"""Two people talking: who may, asking and answering. The tables of ``chat.pair`` decide; this carries out.

Left out: how it is protected (``chat.pairs.duet``), delivery (``chat.links``), what a block means for lobbies
(``chat.desk``).
"""

from __future__ import annotations

from conclave.chat import links
from conclave.chat.delivery import Fate
from conclave.chat.notices import RequestAnswered, RequestArrived
from conclave.chat.pair import OURS, THEIRS, Act, Heard, Input, Ours, Theirs
from conclave.chat.pairs import duet
from conclave.chat.state import Peer
from conclave.chat.words.content import REACTION_BYTES, WORDS_BYTES, Body, Edit, Reaction, Text
from conclave.chat.work import Work
from conclave.errors import LocalError, Refused, UsageError
from conclave.values import replace
from conclave.wire.posts import Answer, Choice, Message

HEARD = {Choice.ACCEPT: Heard.ACCEPT, Choice.REJECT: Heard.REJECT, Choice.BUSY: Heard.BUSY, Choice.FREE: Heard.FREE}
WORDS = {Choice.ACCEPT: "accepted", Choice.REJECT: "rejected", Choice.BUSY: "busy", Choice.FREE: "free"}
"""The words of ``RequestAnswered``."""
REJECTIONS_MOST = 8
"""Where so many posts wait for somebody, other homes of its are not told that it is rejected."""
_UNTOLD = (Act.TAKE, Act.NOTHING)
_TOLD = {
    Act.ANSWER_ACCEPT: Choice.ACCEPT,
    Act.ANSWER_REJECT: Choice.REJECT,
    Act.ANSWER_BUSY: Choice.BUSY,
    Act.ANSWER_FREE: Choice.FREE,
}


def check_text(text: str) -> None:
    """Raise ``LocalError`` for words that cannot be said."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise UsageError("the text is not valid Unicode", remedy="type it again") from error
    if not text.strip():
        raise UsageError("there is nothing to say", remedy="give a text that is not empty")
    if size > WORDS_BYTES:
        raise UsageError(f"the text has {size} bytes, at most {WORDS_BYTES} go in one message", remedy="split it")


def check(body: Body) -> None:
    """Raise ``LocalError`` for what cannot be said."""
    if isinstance(body, Text | Edit):
        check_text(body.text)
    if isinstance(body, Reaction) and not (0 < len(body.sign.encode()) <= REACTION_BYTES):
        raise UsageError("a reaction is one sign", remedy="give an emoji")


def say(work: Work, handle: str, identity: bytes, body: Body) -> None:
    """Something of ours to one person. Raises ``Refused`` where the other, or we, have said no."""
    pair = work.peer(handle).pair
    if pair.theirs is Theirs.REJECTED:
        raise Refused(
            f"{handle} does not want to chat with you",
            reason="rejected",
            remedy=f"you can write again once {handle} has written to you or accepted you",
        )
    work.check_room(handle)
    trust(work, handle)
    work.keep(_heard(work.peer(handle), Heard.WE_SAID))
    duet.say(work, handle, identity, body)


def trust(work: Work, handle: str) -> None:
    """We turn to ``handle`` ourselves, which accepts it. Raises ``Refused`` where we blocked it."""
    if work.peer(handle).pair.ours is Ours.BLOCKED:
        raise Refused(f"you blocked {handle}", reason="blocked", remedy=f"conclave unblock {handle}")
    turn(work, handle, Input.TALK)


def turn(work: Work, handle: str, what: Input) -> None:
    """Something that we do to how we hold ``handle``. Raises ``LocalError`` where it does not apply."""
    peer = work.peer(handle)
    cell = OURS.get((peer.pair.ours, what))
    if cell is None:
        raise LocalError(*_WHY_NOT[what](handle))
    ours, act = cell
    if ours is not peer.pair.ours:
        work.keep(replace(peer, pair=replace(peer.pair, ours=ours, lines=0)))
    if ours in (Ours.REJECTED, Ours.BLOCKED):
        links.drop_waiting(work, handle)  # said behind the answer, it would take that back
    if _answer(work, handle, act):
        links.mail_anew(work, handle)  # it is not heard before what the other may have left


_WHY_NOT = {
    Input.ACCEPT: lambda handle: (f"there is no chat request from {handle} to accept",),
    Input.REJECT: lambda handle: (f"there is no chat request from {handle} to reject",),
    Input.UNBLOCK: lambda handle: (f"{handle} is not blocked",),
    Input.TALK: lambda handle: (f"you blocked {handle}",),
    Input.FREE: lambda handle: (f"{handle} was not turned away",),
}


def _answer(work: Work, handle: str, act: Act) -> bool:
    if act in _UNTOLD:  # nearly always
        return False
    choice = next((choice for flag, choice in _TOLD.items() if flag in act), None)
    if choice is None:
        return False
    work.post(handle, Answer(b"", choice))
    peer = work.peer(handle)
    work.keep(replace(peer, pair=replace(peer.pair, told=choice is Choice.REJECT)))
    return True


def _heard(peer: Peer, what: Heard) -> Peer:
    theirs = THEIRS.get((peer.pair.theirs, what), peer.pair.theirs)
    return peer if theirs is peer.pair.theirs else replace(peer, pair=replace(peer.pair, theirs=theirs))


def message(work: Work, handle: str, said: Message) -> Fate:
    """Words from ``handle``."""
    peer = work.peer(handle)
    pair = peer.pair
    ours, act = OURS[pair.ours, Input.MESSAGE_WHILE_BUSY if work.busy else Input.MESSAGE]
    if ours is Ours.REQUEST and pair.lines >= work.settings.request_messages:
        return Fate.LEFT
    if ours is not pair.ours:
        work.keep(replace(peer, pair=replace(pair, ours=ours, lines=0)))
    _answer(work, handle, act)
    if Act.LEAVE in act:
        return Fate.LEFT
    if Act.DROP in act:
        if not pair.told and peer.out.count < REJECTIONS_MOST:
            _answer(work, handle, Act.ANSWER_REJECT)
        return Fate.REJECTED
    fate = _take(work, handle, said)
    if Act.ANNOUNCE in act:
        work.tell(RequestArrived(handle, ""))
    if pair.theirs is not Theirs.ACCEPTED:
        hear(work, handle, Heard.THEY_SAID, Choice.ACCEPT)
    return fate


def _take(work: Work, handle: str, said: Message) -> Fate:
    fate = duet.heard(work, handle, said)
    peer = work.peer(handle)
    if fate is Fate.TAKEN and peer.pair.ours is Ours.REQUEST:
        work.keep(replace(peer, pair=replace(peer.pair, lines=peer.pair.lines + 1)))
    return fate


def answered(work: Work, handle: str, choice: Choice) -> None:
    """``handle`` answered what we said, or took an answer back."""
    hear(work, handle, HEARD[choice], choice)


def hear(work: Work, handle: str, what: Heard, choice: Choice) -> None:
    """How ``handle`` holds us changed, perhaps; if so, people are told, and what waits is sent again."""
    before = work.peer(handle)
    after = _heard(before, what)
    if after is not before:
        work.keep(after)
        if after.pair.theirs is Theirs.REJECTED:
            links.drop_waiting(work, handle)
        waits = before.out.count > 0 or len(before.waiting) > 0
        hushed = Theirs.BUSY in (before.pair.theirs, after.pair.theirs) and not waits  # nobody asked
        if before.pair.theirs is not Theirs.UNKNOWN and not hushed:
            work.tell(RequestAnswered(handle, "", WORDS[choice]))
    if not after.out.count or choice is Choice.BUSY:
        return
    if after is not before:  # what was left there is taken now, or declined
        links.unheard(work, handle)
        work.send_outbox(handle, again=True)
