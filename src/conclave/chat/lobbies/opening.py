"""Words have their place in a lobby's order: they are opened, and prove who said them, and where it stood then.

Ours come back and get their place. Left out: what they mean (``chat.lobbies.meaning``), and whose order it is
(``chat.lobbies.following``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.groups import read_stand
from conclave.chat.hearing import Heard
from conclave.chat.lobbies import lacks, meaning, recalling, sharing, timers
from conclave.chat.lobbies.voice import displaced, landed, sealed_as
from conclave.chat.lobby_state import Lobby, Step
from conclave.chat.words.content import Content, Timer, decode_content
from conclave.chat.words.gaps import Gap, filled, opened
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.errors import RemoteError, VerificationError
from conclave.lobby import order as orders
from conclave.mls import group as mls
from conclave.values import replace
from conclave.wire.order import EntryKind, Ordered

KEY_USED = "9.2-key-consumed"
"""The rule of MLS that tells what was opened before."""
TOO_FAR = "14-max-skip"
"""The rule of ours that tells what is too many keys ahead to be opened."""


def words(work: Work, lobby: Lobby, entry: Ordered) -> None:
    """Somebody's words are the next entry: open them, and heed what they say."""
    if entry.sender == work.me:
        lobby, ours = landed(lobby, entry.number, work.now)
        if ours is not None and ours.kind is EntryKind.COMMIT:
            return  # under its number we handed in a commit, which flies on
        if ours is not None and not sealed_as(ours, entry.payload):
            work.keep_lobby(displaced(lobby, ours))
            text = "something else stands in the place of your words; they are sent again"
            work.trouble(lobby.leader, f"{lobby.label}: {text}", "place")
            return
        assert lobby.order is not None
        work.keep_lobby(replace(lobby, order=orders.counted(lobby.order, entry)) if ours is not None else lobby)
        if ours is not None and ours.content:
            content = decode_content(ours.content)
            heard = Heard(lobby.label, work.me, content, ours.original, entry.seq, Status.SENT)
            if ours.id:
                work.mark_line(lobby.label, ours.id, Status.SENT, entry.seq)
            meaning.ours(work, lobby.group, heard)
            timers.tell_late(work, lobby.group, content, entry.epoch)
        return
    state = work.session(entry.group)
    if state is None or lobby.healing.step is Step.ENTER:
        return  # what was said until we are in again is asked for in its authors' own words
    sealed = state.number if entry.kind is EntryKind.TERM else entry.epoch  # a term's has its leader's rank there
    if sealed < groups.first_epoch(state):
        recalling.want(work, lobby.group, entry.sender, entry.seq)  # sealed before we came in, though ordered after
        return
    try:
        opened = groups.unsealed(work, state, entry.payload)
        author = opened.identity.decode()
        if author != entry.sender:
            raise VerificationError(f"it is {author}'s, shown as {entry.sender[:80]!r}'s")
        stand = read_stand(opened.authenticated_data)
        if stand.number != entry.number:
            raise VerificationError("it has another number inside than outside")
        work.keep_session(opened.state)  # not before: shown as what it is, it is to be read
    except RemoteError as error:
        if isinstance(error, mls.RuleError) and error.rule == TOO_FAR:  # its author has used up more than we follow
            recalling.want(work, lobby.group, entry.sender, entry.seq)
        elif not _again(work, lobby, entry, error):
            lost(work, lobby, entry, error)
        return
    assert lobby.order is not None
    if opened.epoch == state.number:  # what is older may have been said before its author came in anew
        lobby = replace(lobby, order=orders.counted(lobby.order, entry))
        work.keep_lobby(lobby)
    try:
        content = decode_content(opened.data)
    except RemoteError as error:  # it is all that its author said: nobody has more of it, so nobody lacks it
        work.trouble(author, f"a message from {author} in {lobby.label} could not be read: {error}")
        return
    assert lobby.order is not None
    if orders.contradicts(lobby.order, stand.run, stand.seq, stand.hash):
        text = f"{author} says that it was shown another order than we: {lobby.leader} shows two, or {author} lies"
        work.trouble(lobby.leader, f"{lobby.label}: {text}", f"order {author}")  # who lies hides nobody's truth
    original = groups.original_of(work, work.session(entry.group) or state, opened)
    _count(work, lobby.group, author, content)
    heard = Heard(lobby.label, author, content, original, entry.seq, Status.RECEIVED, ordered=True)
    meaning.theirs(work, lobby.group, heard)
    timers.tell_late(work, lobby.group, content, opened.epoch)


def _again(work: Work, lobby: Lobby, entry: Ordered, error: RemoteError) -> bool:
    """Whether we opened this in a half that lost, and others open it now: its author handed it in here too.

    Another may hand it in, and a leader order it as what it is not: nobody opens that, so it counts for nothing. That
    our key for it is used up shows that those who are in have theirs.
    """
    name = groups.payload_name(entry.payload)
    if name not in lobby.healing.known or not isinstance(error, mls.RuleError) or error.rule != KEY_USED:
        return False
    author, said = lobby.healing.known[name]
    try:
        envelope = mls.read_envelope(entry.payload)
        number = read_stand(envelope.authenticated_data).number
    except RemoteError:
        return False
    if author not in ("", entry.sender) or (envelope.epoch, number) != (entry.epoch, entry.number):
        return False
    known = {one: what for one, what in lobby.healing.known.items() if one != name}
    lobby = replace(lobby, healing=replace(lobby.healing, known=known))
    work.keep_lobby(lobby, reworded=True)
    if len(said) == timers.SECONDS_BYTES:
        timers.set_in_lobby(work, lobby, author, Timer(int.from_bytes(said)), entry.seq)
    elif said:
        work.place_line(lobby.label, author, said, entry.seq)
        sharing.said_again(work, lobby.group, [(author, said)])
    return True


def lost(work: Work, lobby: Lobby, entry: Ordered, error: RemoteError) -> None:
    """An entry cannot be read: we lack it, and tell so."""
    lacked = lacks.added(lobby.ears.lost, entry.seq, entry.seq)
    work.keep_lobby(replace(lobby, ears=replace(lobby.ears, lost=lacked)))
    linked = entry.sender if lobby.leader == work.me else lobby.leader
    work.trouble(linked, f"a message from {entry.sender[:80]} in {lobby.label} could not be read: {error}", "words")


def _count(work: Work, group: bytes, author: str, content: Content) -> None:
    """Every author counts: a gap shows that something is kept from us, and of whom."""
    lobby = work.lobby(group)
    if lobby is None or not content.count:
        return
    ears = lobby.ears
    known = ears.counts.get(author)
    gaps = filled(ears.gaps, author, content.count)
    if known is not None and content.count > known + 1:
        gaps = opened(gaps, author, Gap(known + 1, content.count - 1, work.now))
        work.wake(work.now + work.settings.gap_after)
    counts = ears.counts if known is not None and known >= content.count else ears.counts.put(author, content.count)
    if counts is not ears.counts or gaps is not ears.gaps:
        work.keep_lobby(replace(lobby, ears=replace(ears, counts=counts, gaps=gaps)))
