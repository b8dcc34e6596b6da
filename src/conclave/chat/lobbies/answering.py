"""Being asked into a lobby: invitations that come, and what our people answer.

Who accepts sends a key package along, and waits for the Welcome of whoever it was handed to. Left out: invitations
that wait (``chat.lobbies.invitations``), and coming in (``chat.lobbies.membership``).
"""

from __future__ import annotations

from conclave.chat import groups, packages
from conclave.chat.hearing import own_notice
from conclave.chat.lobbies import audience
from conclave.chat.lobbies.ending import end
from conclave.chat.lobbies.invitations import (
    INVITERS_MOST,
    ask,
    asked_again,
    asked_beside,
    check_roster,
    decline,
    full,
    named,
    still_awaited,
    turn_down,
    withdrawn,
    without,
)
from conclave.chat.lobbies.labels import free_label
from conclave.chat.lobby_state import Lobby, Stage
from conclave.chat.pair import Ours
from conclave.chat.pairs import lost
from conclave.chat.pairs.talk import trust
from conclave.chat.work import Work, need_lobby
from conclave.errors import LocalError, VerificationError
from conclave.lobby.names import check_name
from conclave.values import replace
from conclave.wire.posts import Answer, Choice, Invite

AGAIN_MOST = 8
"""Where so many posts wait for somebody, a link to it that comes and goes adds none."""


def invited(work: Work, handle: str, question: Invite) -> None:
    """Somebody asks us into a lobby."""
    if handle in work.expelled:
        return  # it was left in our mailbox before
    known = work.lobby(question.group)
    try:
        check_name(question.name)
        check_roster(work, question.roster)
        lost.demand_way(work, handle, question.group)
    except VerificationError as error:
        work.trouble(handle, f"an invitation from {handle} was refused: {error}")
        work.post(handle, Answer(question.group, Choice.REJECT))
        return
    state = work.session(question.group)
    if known is not None and known.follows:
        people = groups.roster(state) if state is not None else known.asked
        if handle in people and known.stage is Stage.MEMBER:
            _accept(work, known, handle)  # our half lost, or our leaf went with it: people were asked long ago
        elif handle not in known.invited or not set(people) & set(question.roster):  # a half that stays apart
            work.post(handle, Answer(question.group, Choice.REJECT))
        else:  # it may have asked before it went out, and is to answer us: a no would take back what we asked
            audience.show_head(work, known, handle)  # who is in says so: see ``invitations.apart``
        return
    if known is not None and known.stage is Stage.JOINING:
        _asked_too(work, known, handle, question.name)
        return
    if full(work, handle, question.group) or work.peer(handle).pair.ours is Ours.BLOCKED:
        work.post(handle, Answer(question.group, Choice.REJECT))
        return
    if known is not None and known.stage is Stage.INVITED:
        asked_again(work, known, handle, question)
        return
    if known is not None and known.stage is not Stage.ENDED:
        return  # we closed it
    lost.give_way(work, question.group)
    label = known.label if known is not None else free_label(work, question.name, handle, question.group)
    lobby = known or Lobby(question.group, question.name, label, Stage.INVITED)
    lobby = named(lobby, handle, question.name)
    former, other = lobby.inviter, work.labelled(label)  # of one that had ended
    lobby = replace(lobby, stage=Stage.INVITED, inviter=handle, asked=question.roster, former=former, lead=None)
    ask(work, lobby)
    if other is not None and other.awaited:  # it was asked for since, and the history of that label is not its own
        work.relabel(other, free_label(work, other.name, other.inviter, other.group))


def _asked_too(work: Work, lobby: Lobby, handle: str, name: str) -> None:
    """Our people said yes to somebody: it holds for whom that one knows to be in, should it never come back.

    Not for who calls the lobby otherwise: of that they were not asked.
    """
    others = {*packages.holders(work, lobby.group), *lobby.inviters} - {handle}
    room = handle == lobby.inviter or len(others) < INVITERS_MOST
    if not room or work.peer(handle).pair.ours is Ours.BLOCKED:
        work.post(handle, Answer(lobby.group, Choice.REJECT))
    elif waited_for(work, lobby, handle) or _answered(lobby, handle, name):
        lobby = replace(lobby, watch=replace(lobby.watch, shown={}))
        work.keep_lobby(lobby)
        _accept(work, lobby, handle)
    elif handle in lobby.inviters:
        return  # people are asked already
    elif full(work, handle, lobby.group):
        work.post(handle, Answer(lobby.group, Choice.REJECT))
    else:
        asked_beside(work, named(lobby, handle, name), (handle,))


def _answered(lobby: Lobby, handle: str, name: str) -> bool:
    """Whether the yes to who asked us in first is one to ``handle`` too, who asks under this name."""
    return handle in lobby.asked and name == lobby.name_of(lobby.inviter)


def came_back(work: Work, handle: str) -> None:
    """A link to somebody who is to let us in: it hears again that we want to be, as it may have forgotten us."""
    if work.peer(handle).out.count >= AGAIN_MOST:
        return
    for lobby in work.lobbies():
        if lobby.stage is Stage.JOINING and waited_for(work, lobby, handle):
            _accept(work, lobby, handle)


def _accept(work: Work, lobby: Lobby, handle: str) -> None:
    try:
        package = packages.handed(work, handle, lobby.group)
    except LocalError as error:
        work.trouble(handle, f"{lobby.label} could not be entered: {error}")
        return
    work.post(handle, Answer(lobby.group, Choice.ACCEPT, package))


def answer(work: Work, handle: str, label: str, *, accept: bool) -> None:
    """Our people answer an invitation of ``handle``."""
    lobby = need_lobby(work, label)
    waits = handle in lobby.asking
    if not waits and (lobby.stage is not Stage.JOINING or handle != lobby.inviter):
        raise LocalError(f"there is no invitation from {handle} to {lobby.label}", remedy="conclave requests")
    work.check_room(handle)
    if not accept:
        if waits and lobby.stage is Stage.JOINING:
            turn_down(work, lobby, handle)
        else:
            decline(work, lobby)
        return
    trust(work, handle)
    if waits:
        package = packages.handed(work, handle, lobby.group)
        work.post(handle, Answer(lobby.group, Choice.ACCEPT, package))
        others = tuple(one for one in lobby.inviters if one != handle)
        if lobby.stage is Stage.JOINING:
            work.keep_lobby(replace(lobby, inviters=others), reworded=True)
            return
        lobby = replace(lobby, stage=Stage.JOINING, hushed=False, inviters=())
        asked_beside(work, lobby, tuple(one for one in others if not _answered(lobby, one, lobby.name_of(one))))
        for other in others:
            _asked_too(work, work.lobby(lobby.group) or lobby, other, lobby.name_of(other))
        work.stir(lobby.group)


def refused(work: Work, handle: str, group: bytes) -> None:
    """Who asked us in does not let us in any more."""
    lobby = work.lobby(group)
    if lobby is not None and (lobby.stage is Stage.INVITED or handle in lobby.inviters):
        withdrawn(work, lobby, handle)
    elif lobby is not None and lobby.stage is Stage.JOINING:
        not_let_in(work, lobby, handle, f"{handle} did not let you in any more")


def not_let_in(work: Work, lobby: Lobby, handle: str, words: str) -> None:
    """``handle``, who was to let us in, does not: people read why in ``words``, where nobody else is to."""
    if not still_awaited(work, lobby, handle):
        own_notice(work, lobby.label, words)
        if lobby.inviters:
            without(work, lobby, handle)
        else:
            end(work, lobby)


def waited_for(work: Work, lobby: Lobby, handle: str) -> bool:
    """Whether ``handle`` may let us in: our people said yes, and it has our answer."""
    return handle == lobby.inviter or handle in packages.holders(work, lobby.group)
