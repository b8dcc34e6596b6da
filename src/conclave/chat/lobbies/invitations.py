"""Invitations that wait for our answer: how many, who is shown first, how they go.

Left out: answering them (``chat.lobbies.answering``), asking others (``chat.lobbies.asking``).
"""

from __future__ import annotations

from conclave.chat import packages
from conclave.chat.lobbies.labels import free_label
from conclave.chat.lobby_state import Lobby, Stage
from conclave.chat.notices import RequestAnswered, RequestArrived
from conclave.chat.work import Work
from conclave.errors import VerificationError
from conclave.lobby.names import check_handle
from conclave.values import replace
from conclave.wire.posts import Answer, Choice, Invite, Leave

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
        _show(work, lobby, lobby.inviter)


def _show(work: Work, lobby: Lobby, handle: str) -> None:
    """Our people are shown an invitation, and what its sender calls the lobby where it is known here as another."""
    work.tell(RequestArrived(handle, lobby.label))
    if handle in lobby.names:
        text = (
            f"{handle}, who asks you into {lobby.label}, calls it #{lobby.names[handle]}: another called it otherwise"
        )
        work.trouble(handle, text, "name")


def asked_again(work: Work, lobby: Lobby, handle: str, question: Invite) -> None:
    """Our people are asked by one alone, who asked first; the next one is told of where that one asks no more."""
    if handle == lobby.inviter:
        if lobby.asked != question.roster:
            work.keep_lobby(replace(lobby, asked=question.roster), reworded=True)
    elif handle not in lobby.inviters and len(lobby.unanswered) < INVITERS_MOST:
        lobby = named(lobby, handle, question.name)
        work.keep_lobby(replace(lobby, inviters=(*lobby.inviters, handle)), reworded=True)


def asked_beside(work: Work, lobby: Lobby, handles: tuple[str, ...]) -> None:
    """Our people said yes to somebody, and are asked for these too: that one did not know that they are in.

    Or it asked under another name: a yes or a no is to what people were shown.
    """
    work.keep_lobby(replace(lobby, inviters=(*lobby.inviters, *handles), since=int(work.now)), reworded=True)
    for handle in handles if not work.busy else ():
        _show(work, lobby, handle)


def named(lobby: Lobby, handle: str, name: str) -> Lobby:
    """The same where ``handle`` asks us in under this name."""
    names = {one: other for one, other in lobby.names.items() if one != handle}
    return replace(lobby, names=names if name == lobby.name else {**names, handle: name})


def shown_of(work: Work, lobby: Lobby, handle: str) -> Lobby:
    """The same where ``handle`` asks us in, or lets us in: people call it as that one does.

    But where one had been in before, by the name that its history is under.
    """
    name = lobby.name_of(handle)
    if name != lobby.name and not lobby.former:
        others = {*lobby.inviters, *packages.holders(work, lobby.group)}
        names = {one: called for one in sorted(others) if (called := lobby.name_of(one)) != name}
        work.relabel(lobby, free_label(work, name, handle, lobby.group))
        lobby = replace(work.lobby(lobby.group) or lobby, name=name, names=names)
    return replace(lobby, inviter=handle)


def check_roster(work: Work, roster: tuple[str, ...]) -> None:
    """Raise ``VerificationError`` for more people, or others, than a lobby can have."""
    if len(roster) > work.settings.lobby_members + 1:
        raise VerificationError("it has more members than are allowed", reason="lobby-full")
    for handle in roster:
        check_handle(handle)


def decline(work: Work, lobby: Lobby) -> None:
    """We do not want to be in, though perhaps we said so before: that is no answer to who calls it otherwise."""
    name = lobby.name_of(lobby.inviter)
    others = tuple(one for one in lobby.inviters if lobby.name_of(one) != name)
    for handle in lobby.unanswered:
        if handle not in others:
            work.post(handle, Answer(lobby.group, Choice.REJECT))
    if lobby.stage is Stage.JOINING:
        for handle in sorted({lobby.inviter, *packages.holders(work, lobby.group)}):
            work.post(handle, Leave(lobby.group))
    packages.taken_back(work, lobby.group)
    _next(work, lobby, others)


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
    others = tuple(one for one in lobby.inviters if one != handle)
    if handle == lobby.inviter:
        _next(work, lobby, others)
    else:
        names = {one: name for one, name in lobby.names.items() if one != handle}
        work.keep_lobby(replace(lobby, inviters=others, names=names), reworded=True)


def _next(work: Work, lobby: Lobby, others: tuple[str, ...]) -> None:
    """Who asked our people does no more, or has its answer: the first of these ``others`` does, if there is any."""
    if not others:
        drop(work, lobby)
        return
    rest = replace(shown_of(work, lobby, others[0]), inviters=others[1:], asked=())
    if lobby.stage is Stage.INVITED:
        ask(work, rest)
    else:  # they are asked already, for each
        work.keep_lobby(replace(rest, stage=Stage.INVITED), reworded=True)
        work.stir(lobby.group)


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
        work.keep_lobby(replace(shown_of(work, lobby, others[0]), asked=()), reworded=True)
        work.stir(lobby.group)
    return handle != lobby.inviter or bool(others)


def announce(work: Work) -> None:
    """We are free again: the invitations that came meanwhile."""
    for lobby in work.lobbies():
        if lobby.hushed:
            work.keep_lobby(replace(lobby, hushed=False), reworded=True)
            if lobby.stage is Stage.INVITED:
                _show(work, lobby, lobby.inviter)


def decline_all_of(work: Work, handle: str) -> None:
    """We blocked ``handle``: its invitations are answered."""
    for lobby in work.lobbies():
        if handle in lobby.unanswered:
            turn_down(work, lobby, handle)
        elif lobby.stage is Stage.JOINING and lobby.inviter == handle:
            decline(work, lobby)
