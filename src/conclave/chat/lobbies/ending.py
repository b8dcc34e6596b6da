"""The end of a lobby for us: put out, gone, or closed.

Keys and order go; history and the lobby's label stay. Left out: why (``following``, ``meaning``).
"""

from __future__ import annotations

from conclave.chat import groups, packages
from conclave.chat.effects import DropEntries
from conclave.chat.hearing import own_notice
from conclave.chat.links import send
from conclave.chat.lobby_state import Lobby, Stage
from conclave.chat.pairs import certificates
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.lobby.followers import PATIENCE_DOUBLINGS, Follower
from conclave.wire.order import Have
from conclave.wire.posts import Answer, Choice

CLOSING_SECONDS = 14 * 86_400.0
"""For so long at most a lobby that we closed waits until everybody has heard."""


def out(work: Work, lobby: Lobby, reason: str) -> None:
    """A commit puts us out. Who asked us in since, and has our answer already, may let us in again, or says no.

    That it asked since we cannot see; who has our answer for longer than a day asked while we were in.
    """
    if reason == groups.LEFT and lobby.stage is not Stage.LEAVING:
        reason = ""  # we did not say so
    words = f"{work.me} left" if reason == groups.LEFT else "you were removed" + (f": {reason}" if reason else "")
    own_notice(work, lobby.label, words)
    state = work.session(lobby.group)
    packages.taken_back(work, lobby.group, before=work.now - packages.HANDED_SECONDS)
    waits = [one for one in packages.holders(work, lobby.group) if one not in work.expelled]
    if reason == groups.LEFT or state is None or not waits or work.own is None:
        end(work, lobby)
        return
    people = tuple(one for one in groups.roster(state) if one != work.me)
    _go(work, lobby)
    former = lobby.former or lobby.inviter
    again = Lobby(
        lobby.group, lobby.name, lobby.label, Stage.JOINING, waits[0], people, ended=work.now, former=former
    )  # fmt: skip
    work.keep_lobby(again, reworded=True)
    for one in waits:
        work.post(one, Answer(lobby.group, Choice.ACCEPT, packages.handed(work, one, lobby.group)))
    work.stir(lobby.group)


def end(work: Work, lobby: Lobby) -> None:
    """Nothing more happens in the lobby for us: keys and order go, history and its label stay."""
    packages.taken_back(work, lobby.group)
    _go(work, lobby)
    ended = Lobby(lobby.group, lobby.name, lobby.label, Stage.ENDED, lobby.former or lobby.inviter, ended=work.now)
    work.keep_lobby(ended, reworded=True)


def _go(work: Work, lobby: Lobby) -> None:
    state = work.session(lobby.group)
    if state is not None:
        certificates.went_from(work, state, groups.roster(state))
    work.drop_session(lobby.group)
    work.record(DropEntries(lobby.group))
    sent = [identity for author, identity in lobby.healing.orphans if author == work.me]
    for one in (*lobby.voice.waiting, *lobby.voice.flying):
        if one.id and one.id not in sent:
            work.mark_line(lobby.label, one.id, Status.FAILED)
    for identity in sent:  # in a half that lost, or it may have been since our backup was made
        work.mark_line(lobby.label, identity, Status.SENT)
    ask_no_more(work, lobby)
    work.drop_voice(lobby)
    if lobby.order is not None and lobby.leader != work.me:
        send(work, lobby.leader, Have(lobby.group, lobby.order.seq))
    for handle in lobby.watch.tied:
        work.tie(handle, lobby.group, tied=False)


def ask_no_more(work: Work, lobby: Lobby) -> None:
    """Whom we asked in hears that we cannot let it in any more, whether it accepted or not."""
    for handle in sorted({*lobby.invited, *lobby.intents.adds}):
        work.post(handle, Answer(lobby.group, Choice.REJECT))


def finish(work: Work, group: bytes) -> None:
    """A lobby that we closed ends once everybody has heard whom we can still tell."""
    lobby = work.lobby(group)
    if lobby is None or lobby.stage is not Stage.CLOSING or lobby.watch.followers is None:
        return
    state = work.session(group)
    people = groups.roster(state) if state is not None else {}
    missing = [
        (handle, one.until)
        for handle, one in lobby.watch.followers.items()
        if handle not in work.expelled and (handle in people or not _elsewhere(one))
    ]
    late = work.now - lobby.ended > CLOSING_SECONDS
    if late or all(_replaced(work, lobby, handle, until) for handle, until in missing):
        end(work, lobby)


def _elsewhere(one: Follower) -> bool:
    """Whether somebody who is out is here, and takes nothing for minutes: it goes on in a half that never met us."""
    return one.linked and one.until > 0 and one.asked >= PATIENCE_DOUBLINGS


def _replaced(work: Work, lobby: Lobby, handle: str, until: int) -> bool:
    """Whether a member is back on a device older than the one that is in, whose mailbox has entry ``until``."""
    state, mailed = work.session(lobby.group), lobby.mailed.get(handle)
    if state is None or mailed is None or mailed.upto < until:
        return False
    return groups.outlived(work, state, handle, work.peer(handle).flight.device)
