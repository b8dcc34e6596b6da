"""Invitations that wait for our answer, and what people here call a lobby.

Left out: what an answer leads to (``chat.lobbies.membership``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from conclave.chat import groups, packages
from conclave.chat.lobby_state import Lobby, Stage
from conclave.chat.notices import RequestAnswered, RequestArrived
from conclave.chat.work import Work, need_lobby
from conclave.errors import LocalError, UsageError, VerificationError
from conclave.lobby.names import check_handle, check_name
from conclave.values import replace
from conclave.wire.posts import Answer, Choice, Invite, Leave

ENDED_KEPT = 100
"""Ended lobbies whose labels stay taken; the ones that ended first are forgotten first."""
INVITERS_MOST = 8
"""So many people at most may let us into one lobby, while our people are asked, or we wait for one of them."""
WITHDRAWN_SECONDS = 3600.0
"""For so long an invitation that is taken back keeps its place: else who asks and takes it back rings without end."""


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
    """Whether ``handle``, whom we asked in, has taken the invitation, for all we know.

    Where not, what it says answers an older one. Or it had taken this one, and that it had was lost on the way: so it
    is asked once more: at once, and where it goes on to say so, when it is heard to have taken something.
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


def free_label(work: Work, name: str, inviter: str, group: bytes) -> str:
    """What people here will call the lobby: its name, and the inviter's where that is taken.

    A lobby of the same name that ended, or that we closed, gives its label, and so its history, to the new one.
    """
    for label in (f"#{name}", f"#{name}@{inviter}", f"#{name}@{inviter}-{group.hex()[:8]}"):
        taken = work.labelled(label)
        if taken is None or taken.group == group:
            return label
        if taken.inviter == inviter and taken.name == name and taken.stage is Stage.ENDED:
            work.drop_lobby(taken)
            return label
        if inviter == work.me == taken.leader and taken.stage is Stage.CLOSING:
            work.relabel(taken, f"#{name}@{inviter}-{taken.group.hex()[:8]}")
            return label
    return f"#{name}@{inviter}-{group.hex()}"


def active(work: Work) -> int:
    """Lobbies that have not ended; the oldest of too many ended ones are forgotten."""
    ended = sorted(
        (one for one in work.lobbies() if one.stage is Stage.ENDED), key=lambda one: (one.ended, one.group)
    )
    for lobby in ended[: max(0, len(ended) - ENDED_KEPT)]:
        work.drop_lobby(lobby)
    return sum(one.stage is not Stage.ENDED for one in work.lobbies())


def own_name(name: str) -> str:
    """A lobby's name as our people give it. Raises ``LocalError``."""
    try:
        return check_name(name)
    except VerificationError as error:
        raise UsageError(str(error), remedy=error.remedy) from error


def own_handle(text: str) -> str:
    """A handle as our people give it, with or without ``@``. Raises ``LocalError``."""
    try:
        return check_handle(text.removeprefix("@"))
    except VerificationError as error:
        raise UsageError(str(error), remedy=error.remedy) from error


def demand_in(work: Work, label: str) -> Lobby:
    """The lobby that a command names, which we must be in. Raises ``LocalError``."""
    lobby = need_lobby(work, label)
    if lobby.stage is not Stage.MEMBER:
        closed = lobby.stage in (Stage.CLOSING, Stage.ENDED)
        words = "is closed" if closed else "is not yours to change: you are not in"
        raise LocalError(f"{lobby.label} {words}", remedy="conclave lobby list shows where you are in")
    return lobby
