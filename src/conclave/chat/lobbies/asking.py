"""Asking others into a lobby, and whether they have heard.

Left out: who may ask, and what an answer leads to (``chat.lobbies.membership``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from conclave.chat import groups
from conclave.chat.lobby_state import Lobby, Stage
from conclave.chat.notices import RequestAnswered
from conclave.chat.work import Work
from conclave.values import replace
from conclave.wire.posts import Answer, Choice, Invite


def invite(work: Work, lobby: Lobby, handles: Collection[str], people: Iterable[str]) -> None:
    """Ask ``handles`` into a lobby that we are in with ``people``."""
    question = Invite(lobby.group, lobby.name, tuple(people))
    posts = {one: work.post(one, question) for one in handles}
    for one in posts:
        _forget_passed(work, one, lobby.group)
    invited = lobby.invited | posts.keys()
    invites = {one: at for one, at in lobby.invites.items() if one in lobby.invited}
    work.keep_lobby(replace(lobby, invited=invited, invites={**invites, **posts}), reworded=True)


def heard(work: Work, lobby: Lobby, handle: str, people: Iterable[str]) -> bool:
    """Whether ``handle`` has acknowledged our invitation.

    If not, its answer is to an older one; or it took this one, and the acknowledgement was lost. So it is asked once
    more, and if it answers like that again, as soon as it acknowledges anything.
    """
    if work.peer(handle).out.base > lobby.invites.get(handle, 0):
        return True
    more = lobby.group in work.peer(handle).passed
    if not more:
        work.post(handle, Invite(lobby.group, lobby.name, tuple(people)))
    peer = work.peer(handle)
    work.keep(replace(peer, passed={**peer.passed, lobby.group: more}))
    return False


def acknowledged(work: Work, handle: str) -> None:
    """``handle`` has taken some of what we posted: it is asked in again where more than one word was passed over."""
    for group, more in work.peer(handle).passed.items():
        lobby, state = work.lobby(group), work.session(group)
        if lobby is not None and work.peer(handle).out.base <= lobby.invites.get(handle, 0):
            continue
        _forget_passed(work, handle, group)
        if (
            more
            and lobby is not None
            and lobby.stage is Stage.MEMBER
            and handle in lobby.invited
            and state is not None
        ):
            work.post(handle, Invite(group, lobby.name, tuple(groups.roster(state))))


def _forget_passed(work: Work, handle: str, group: bytes) -> None:
    peer = work.peer(handle)
    work.keep(replace(peer, passed={one: more for one, more in peer.passed.items() if one != group}))


def apart(work: Work, lobby: Lobby, handle: str) -> None:
    """``handle`` is in, in a half in which we are out: if it has our invitation, and did not say yes, that is a no.

    Each may have asked the other in, and have waited for its answer.
    """
    state = work.session(lobby.group)
    taken = work.peer(handle).out.base > lobby.invites.get(handle, 0)
    if lobby.stage is not Stage.MEMBER or handle not in lobby.invited or handle in lobby.intents.adds or not taken:
        return
    if state is not None and handle not in groups.roster(state):
        work.keep_lobby(replace(lobby, invited=lobby.invited - {handle}), reworded=True)
        work.tell(RequestAnswered(handle, lobby.label, "rejected"))


def in_already(work: Work, lobby: Lobby, people: Collection[str]) -> Lobby:
    """The same where we came in with ``people``: whom of them we had asked in, we do not let in."""
    for handle in sorted(lobby.intents.adds.keys() & set(people)):
        # A leaf of it is here already: if it is not in, it hears.
        work.post(handle, Answer(lobby.group, Choice.REJECT))
    return replace(lobby, intents=lobby.intents.let_in_no_more(people), invited=lobby.invited.difference(people))
