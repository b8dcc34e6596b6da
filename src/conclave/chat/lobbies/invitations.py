"""Invitations that wait for our answer: how many, who is shown first, how they go.

Left out: answering them (``chat.lobbies.answering``), asking others (``chat.lobbies.asking``).
"""

from __future__ import annotations

from conclave.chat import packages
from conclave.chat.lobby_state import Lobby, Stage
from conclave.chat.notices import RequestAnswered, RequestArrived
from conclave.chat.work import Work
from conclave.errors import VerificationError
from conclave.lobby.names import check_handle
from conclave.values import replace
from conclave.wire.posts import Answer, Choice, Leave

INVITERS_MOST = 8
"""So many people at most may let us into one lobby, while our people are asked, or we wait for one of them."""
WITHDRAWN_SECONDS = 3600.0
"""For so long an invitation that is taken back keeps its place: else who asks and takes it back rings without end."""


def full(work: Work, handle: str, group: bytes) -> bool:
    """Whether there is no room for one more invitation of ``handle``, that to ``group`` itself not counted."""
    others = [one for one in work.lobbies() if one.group != group]
    waiting = [one.unanswered for one in others if one.unanswered]
    asking = sum(handle in one for one in waiting)
    limits = work.settings
    return (
        len(waiting) >= limits.invitations
        or asking + len(_withdrawn(work, handle)) >= limits.invitations_per_peer
        or sum(one.stage is not Stage.ENDED for one in others) >= limits.lobbies
    )


def _withdrawn(work: Work, handle: str) -> tuple[float, ...]:
    return tuple(at for at in work.peer(handle).withdrawn if abs(work.now - at) < WITHDRAWN_SECONDS)


def ask(work: Work, lobby: Lobby) -> None:
    """Our people are asked, or told once they are free."""
    work.keep_lobby(replace(lobby, hushed=work.busy, since=int(work.now)), reworded=True)
    if work.busy:
        work.post(lobby.inviter, Answer(lobby.group, Choice.BUSY))
    else:
        work.tell(RequestArrived(lobby.inviter, lobby.label))


def asked_again(work: Work, lobby: Lobby, handle: str, roster: tuple[str, ...]) -> None:
    """Our people are asked by one alone, who asked first; the next one is told of where that one asks no more."""
    if handle == lobby.inviter:
        if lobby.asked != roster:
            work.keep_lobby(replace(lobby, asked=roster), reworded=True)
    elif handle not in lobby.inviters and len(lobby.unanswered) < INVITERS_MOST:
        work.keep_lobby(replace(lobby, inviters=(*lobby.inviters, handle)), reworded=True)


def asked_beside(work: Work, lobby: Lobby, handles: tuple[str, ...]) -> None:
    """Our people said yes to somebody, and are asked for these too: that one did not know that they are in."""
    work.keep_lobby(replace(lobby, inviters=(*lobby.inviters, *handles), since=int(work.now)), reworded=True)
    for handle in handles if not work.busy else ():
        work.tell(RequestArrived(handle, lobby.label))


def check_roster(work: Work, roster: tuple[str, ...]) -> None:
    """Raise ``VerificationError`` for more people, or others, than a lobby can have."""
    if len(roster) > work.settings.lobby_members + 1:
        raise VerificationError("it has more members than are allowed", reason="lobby-full")
    for handle in roster:
        check_handle(handle)


def decline(work: Work, lobby: Lobby) -> None:
    """We do not want to be in, though perhaps we said so before."""
    for handle in lobby.unanswered:
        work.post(handle, Answer(lobby.group, Choice.REJECT))
    if lobby.stage is Stage.JOINING:
        for handle in sorted({lobby.inviter, *packages.holders(work, lobby.group)}):
            work.post(handle, Leave(lobby.group))
    packages.taken_back(work, lobby.group)
    drop(work, lobby)


def turn_down(work: Work, lobby: Lobby, handle: str) -> None:
    """We do not want to be let in by ``handle``, who has no answer yet."""
    work.post(handle, Answer(lobby.group, Choice.REJECT))
    without(work, lobby, handle)


def withdrawn(work: Work, lobby: Lobby, handle: str) -> None:
    """``handle`` does not ask us in any more, before our people answered: they hear so if they heard that it did."""
    if handle in lobby.asking:
        work.keep(replace(work.peer(handle), withdrawn=(*_withdrawn(work, handle), work.now)))
        if not lobby.hushed:
            work.tell(RequestAnswered(handle, lobby.label, "withdrawn"))
    without(work, lobby, handle)


def without(work: Work, lobby: Lobby, handle: str) -> None:
    """``handle`` lets us in no more. Our people are asked by the next one, if there is any.

    A yes to that one does not hold for whom ``handle`` named.
    """
    others = tuple(one for one in (lobby.inviter, *lobby.inviters) if one != handle)
    if not others:
        drop(work, lobby)
        return
    asked = lobby.asked if handle != lobby.inviter else ()
    rest = replace(lobby, inviter=others[0], inviters=others[1:], asked=asked)
    if handle == lobby.inviter and lobby.stage is Stage.INVITED:
        ask(work, rest)
    elif handle == lobby.inviter:  # they are asked already, for each
        work.keep_lobby(replace(rest, stage=Stage.INVITED), reworded=True)
        work.stir(lobby.group)
    else:
        work.keep_lobby(rest, reworded=True)


def expelled(work: Work, lobby: Lobby, handle: str) -> None:
    """The authority put ``handle`` out: it does not let us in."""
    if handle in lobby.unanswered or not still_awaited(work, lobby, handle):
        without(work, lobby, handle)


def drop(work: Work, lobby: Lobby) -> None:
    """We are not asked in any more. One that had ended is that again: else another goes on with its history."""
    for handle in lobby.watch.tied:
        work.tie(handle, lobby.group, tied=False)
    before = lobby.before()
    if before is None:
        work.drop_lobby(lobby)
    else:
        work.keep_lobby(before, reworded=True)


def still_awaited(work: Work, lobby: Lobby, handle: str) -> bool:
    """``handle`` does not let us in. Whether somebody else may, who asked us in too and has our answer.

    Then whom ``handle`` named may not any more.
    """
    packages.taken_back(work, lobby.group, handle)
    others = packages.holders(work, lobby.group)
    if handle == lobby.inviter and others:
        work.keep_lobby(replace(lobby, inviter=others[0], asked=()), reworded=True)
        work.stir(lobby.group)
    return handle != lobby.inviter or bool(others)


def announce(work: Work) -> None:
    """We are free again: the invitations that came meanwhile."""
    for lobby in work.lobbies():
        if lobby.hushed:
            work.keep_lobby(replace(lobby, hushed=False), reworded=True)
            if lobby.stage is Stage.INVITED:
                work.tell(RequestArrived(lobby.inviter, lobby.label))


def decline_all_of(work: Work, handle: str) -> None:
    """We blocked ``handle``: its invitations are answered."""
    for lobby in work.lobbies():
        if handle in lobby.unanswered:
            turn_down(work, lobby, handle)
        elif lobby.stage is Stage.JOINING and lobby.inviter == handle:
            decline(work, lobby)
