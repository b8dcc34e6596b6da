"""What a message means in a lobby beyond its line of history: who leads, who leaves, who has what, who is here.

Left out: what it does to history (``chat.hearing``), and committing what follows from it (``membership``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.hearing import Heard, hear, own_notice
from conclave.chat.links import send
from conclave.chat.lobbies import ending, lacks, receipts, retelling, rolls, sharing, timers
from conclave.chat.lobbies.purging import patience, purge
from conclave.chat.lobby_state import Lobby, Mark, Stage, Waited
from conclave.chat.notices import LeaderChanged, Receipted
from conclave.chat.words.content import Closing, History, Leaving, Present, Receipt, Roll, Seen, Shared, Term, Timer
from conclave.chat.work import Work
from conclave.lobby import followers
from conclave.values import replace
from conclave.wire.order import Have, Head, Refusal, Refused

WELCOME_SECONDS = 300.0
"""A welcome may be under way for so long after the commit that it is for."""
STEP_SECONDS = 10.0
"""Between two heads so much is waited at most: whoever leads shows one more often, but not while either sleeps."""
SHOWN_KEPT_SECONDS = 86_400.0
"""Who shows no head for so long is waited for anew."""


def theirs(work: Work, group: bytes, heard: Heard) -> None:
    """What somebody else said in a lobby."""
    sharing.said_again(work, group, [(heard.author, heard.content.id)])
    lobby = work.lobby(group)
    if hear(work, replace(heard, timer=lobby.timer if lobby is not None and lobby.timed else 0)):
        timers.hold(work, group, heard.author, heard.content)
        words(work, group, heard.seq)
        return
    common(work, group, heard)


def ours(work: Work, group: bytes, heard: Heard) -> None:
    """What we said has its place; to history it was told when we said it."""
    sharing.said_again(work, group, [(work.me, heard.content.id)])
    if heard.content.count:
        words(work, group, heard.seq)
    timers.hold(work, group, work.me, heard.content)
    common(work, group, heard)


def words(work: Work, group: bytes, seq: int) -> None:
    """Entry ``seq`` is of those that people are to see, and that a receipt is for."""
    lobby = work.lobby(group)
    if lobby is None:
        return
    ears = replace(lobby.ears, words=max(lobby.ears.words, seq), due=receipts.due(work, lobby))
    work.keep_lobby(replace(lobby, ears=ears))
    work.wake(ears.due)


def common(work: Work, group: bytes, heard: Heard) -> None:
    """What is the same whoever said it."""
    lobby = work.lobby(group)
    if lobby is None:
        return
    author, content = heard.author, heard.content
    match content.body:
        case Receipt(has, read, missing):
            _receipt(work, lobby, author, Mark(has, read, missing))
        case Leaving():
            _leaving(work, lobby, author)
        case Closing():
            if author == lobby.leader:
                own_notice(work, lobby.label, f"the lobby was closed by {author}", heard.seq)
                _close(work, lobby, author, heard.seq)
        case Term(term, _, _):
            if lobby.order is None or (lobby.order.run.leader, lobby.order.run.first) != (author, heard.seq):
                return  # said as words: nobody takes a term by that
            own_notice(work, lobby.label, f"{author} leads now", heard.seq)
            work.tell(LeaderChanged(lobby.label, author, term))
        case Shared(originals):
            sharing.take(work, lobby, author, [(heard.seq, one) for one in originals], ordered=True)
            if author == work.me:
                sharing.given(work, group)
            words(work, group, heard.seq)
        case History() as shown:
            retelling.heard(work, lobby, author, heard.seq, shown)
            words(work, group, heard.seq)
        case Timer() as timer:
            timers.set_in_lobby(work, lobby, author, timer, heard.seq)
        case Roll(nonce):
            rolls.called(work, lobby, author, nonce)
        case Present(nonce):
            rolls.answered(work, lobby, author, nonce)
        case Seen() | _:
            pass


def _receipt(work: Work, lobby: Lobby, author: str, mark: Mark) -> None:
    if lobby.order is None:
        return
    old = lobby.ears.marks.get(author) or Mark()
    missing = mark.missing
    if missing and missing[0][0] == 1:  # of before it came in: what it told to have then, in an earlier stay, stands
        rest = lacks.added(old.missing, old.has + 1, missing[0][1])
        missing = lacks.less(missing, lacks.less(missing[:1], rest))
    mark = Mark(max(old.has, min(mark.has, lobby.order.seq)), max(old.read, min(mark.read, lobby.order.seq)), missing)
    if mark == old:
        return
    work.keep_lobby(replace(lobby, ears=replace(lobby.ears, marks=lobby.ears.marks.put(author, mark))))
    if author != work.me:
        work.tell(Receipted(lobby.label, author, mark.has, mark.read))


def _leaving(work: Work, lobby: Lobby, author: str) -> None:
    """Somebody asks to be put out; a leader who does so is succeeded at once."""
    if author != work.me:
        purge(work, lobby, author, groups.LEFT, delay=patience(work))


def _close(work: Work, lobby: Lobby, author: str, seq: int) -> None:
    """Who closed it waits until everybody has heard; for the others it ends here."""
    if author != work.me:
        ending.end(work, lobby)
        return
    ending.ask_no_more(work, lobby)
    people = lobby.watch.followers
    for handle in tuple(people) if people is not None else ():
        people = followers.part(people, handle, seq)  # type: ignore[arg-type]
    watch = replace(lobby.watch, followers=people)
    work.keep_lobby(
        replace(lobby, stage=Stage.CLOSING, ended=work.now, invited=frozenset(), watch=watch), reworded=True
    )


def unknown_head(work: Work, handle: str, head: Head) -> None:
    """A head of a lobby that we are not in."""
    lobby = work.lobby(head.group)
    if _out(work, head.group):
        followed(work, handle, head.group)
        send(work, handle, Have(head.group, head.seq))
    elif lobby is not None and lobby.awaited:
        _awaiting(work, lobby, handle)


def _awaiting(work: Work, lobby: Lobby, handle: str) -> None:
    """Somebody takes us for a member, and our welcome does not come: after a while it hears that we are not in."""
    shown = {one: at for one, at in lobby.watch.shown.items() if abs(work.now - at.last) < SHOWN_KEPT_SECONDS}
    waited = shown[handle] = shown.get(handle, Waited()).seen(work.now, STEP_SECONDS)
    if waited.seconds >= WELCOME_SECONDS:
        send(work, handle, Refused(lobby.group, 0, 0, Refusal.NOT_IN))
    work.keep_lobby(replace(lobby, watch=replace(lobby.watch, shown=shown)))


def followed(work: Work, handle: str, group: bytes) -> None:
    """Somebody takes us for a member: if we lost our home, were out before it heard, or closed the lobby, it hears.

    Not by a post: that may wait, and come when we are in again.
    """
    lobby = work.lobby(group)
    if lobby is not None and lobby.stage is Stage.ENDED and lobby.closed:
        send(work, handle, Refused(group, lobby.closed, 0, Refusal.OUTSIDER))
    elif _out(work, group):
        send(work, handle, Refused(group, 0, 0, Refusal.NOT_IN))


def _out(work: Work, group: bytes) -> bool:
    lobby = work.lobby(group)
    return lobby is None or lobby.stage is Stage.ENDED
