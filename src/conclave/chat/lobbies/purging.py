"""Somebody is to be put out: everybody's intent, the leader's first.

The authority says that somebody is out, and means the certificates made until then. Its word is over once a newer one
is shown, once it has the person online again, or once a list came since, which names all who are suspended. That our
list does not name somebody is not enough: it may be late. Left out: the commit (``chat.lobbies.committing``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.lobby_state import Lobby
from conclave.chat.state import Word
from conclave.chat.work import Work
from conclave.errors import VerificationError
from conclave.pki.verify import issued_at
from conclave.values import replace

LEADER_FIRST_SECONDS = 2.0
SPREAD_SECONDS = 3.0
"""Who does not lead waits so long for the leader to put somebody out, and a chance more for each other."""
SUSPENDED = "suspended"
"""Why somebody is put out whom the authority may let in again by the same certificate."""


def expelled(work: Work, handle: str, reason: str, skew: float) -> None:
    """The authority says that ``handle`` is out; its clock is ``skew`` seconds ahead of ours."""
    work.expelled = {**work.expelled, handle: Word(work.now + skew, reason == SUSPENDED)}


def purge_expelled(work: Work, group: bytes) -> None:
    """We are in, or others came: whom the authority put out is put out here too."""
    state = work.session(group)
    people = groups.roster(state) if state is not None and work.expelled else {}
    for handle in sorted(work.expelled.keys() & people.keys()):
        lobby = work.lobby(group)
        if state is None or lobby is None:
            continue
        if _is_out(work, handle, groups.certificate(state, people[handle])):
            reason = SUSPENDED if work.expelled[handle].suspended else "put out by the authority"
            purge(work, lobby, handle, reason, delay=2.0, judged=True)
        else:
            readmitted(work, handle)


def judged(work: Work, *, anew: bool) -> None:
    """Who is believed changed: whoever is in a lobby by a revoked certificate is put out, and nobody else for one.

    ``anew``: by other lists than before.
    """
    if anew:  # a list names all certificates of who is suspended
        work.expelled = {
            one: word._replace(at=0.0) if word.suspended else word for one, word in work.expelled.items()
        }
    for lobby in work.lobbies():
        state = work.session(lobby.group)
        if state is None:
            continue
        for handle, leaf in groups.roster(state).items():
            shown = groups.certificate(state, leaf)
            why = work.judges.revoked(shown)
            if why is not None and handle != work.me:
                reason = SUSPENDED if why.suspended else "certificate revoked"
                purge(work, work.lobby(lobby.group) or lobby, handle, reason, delay=patience(work), judged=True)
            elif handle in work.expelled and not _is_out(work, handle, shown):
                readmitted(work, handle)
    for lobby in work.lobbies():
        withdraw(work, lobby)


def readmitted(work: Work, handle: str) -> None:
    """Somebody whom the authority put out has a certificate that holds."""
    if handle in work.expelled:
        work.expelled = {one: at for one, at in work.expelled.items() if one != handle}
        for lobby in work.lobbies():
            withdraw(work, lobby)


def linked(work: Work, handle: str, made: float) -> None:
    """A link by a certificate made then: the authority has certified its owner since it said that it is out."""
    word = work.expelled.get(handle)
    if word is not None and (not made or made > word.at):
        readmitted(work, handle)


def withdraw(work: Work, lobby: Lobby) -> Lobby:
    """The lobby, in which nobody is to be put out any more of whom the authority does not say so any more."""
    state = work.session(lobby.group)
    if state is None or not lobby.intents.judged:
        return lobby
    people = groups.roster(state)
    there = lobby.intents.judged.keys() & people.keys()
    good = {one for one in there if not _is_out(work, one, groups.certificate(state, people[one]))}
    if good:
        lobby = replace(lobby, intents=lobby.intents.keep_in(good))
        work.keep_lobby(lobby, reworded=True)
        work.stir(lobby.group)
    return lobby


def _is_out(work: Work, handle: str, certificate: bytes) -> bool:
    """Whether the authority says that who shows this certificate is out: by its list, or by its word since."""
    if work.judges.revoked(certificate) is not None:
        return True
    try:
        return handle in work.expelled and issued_at(certificate) <= work.expelled[handle].at
    except VerificationError:
        return True


def _said_at(work: Work, handle: str, certificate: bytes) -> int:
    """When the authority said that ``handle`` is out (UNIX seconds by its clock); 0 where a list says so."""
    word = work.expelled.get(handle)
    return 0 if word is None or work.judges.revoked(certificate) is not None else int(word.at)


def patience(work: Work) -> float:
    """For how many seconds the leader is left to put somebody out first, and then one of the others."""
    return LEADER_FIRST_SECONDS + SPREAD_SECONDS * work.chance()


def purge(work: Work, lobby: Lobby, handle: str, reason: str, *, delay: float, judged: bool = False) -> None:
    """``handle`` is to be put out: by us after ``delay`` seconds, unless somebody else has by then.

    ``judged``: because the authority says so.
    """
    state = work.session(lobby.group)
    if state is None or handle not in groups.roster(state):
        return
    intents = lobby.intents
    if intents.removes.get(handle) != groups.LEFT:  # who left has left, whatever else is said of it
        said = _said_at(work, handle, groups.certificate(state, groups.roster(state)[handle]))
        intents = intents.put_out(handle, reason, judged=said if judged else None)
    due = work.now + (0.0 if lobby.leader == work.me else delay)
    watch = replace(lobby.watch, purge={**lobby.watch.purge, handle: due})
    if handle == lobby.leader:
        watch = replace(watch, heard=work.now - work.settings.patience.silence)
    work.wake(max(due, work.now))
    work.keep_lobby(replace(lobby, intents=intents, watch=watch), reworded=True)
    work.stir(lobby.group)
