"""A commit of ours that the leader refuses, though none came first: it may be for whom it was to let in.

The leader judges newcomers by its own clock and list. So whatever else is to change is committed without them, then
each of them alone; who is refused alone is turned away. Left out: making commits (``chat.lobbies.committing``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.lobbies.voice import put_off_commit
from conclave.chat.lobby_state import Lobby
from conclave.chat.work import Work
from conclave.mls import group as mls
from conclave.mls.group import Staged
from conclave.values import replace
from conclave.wire.posts import Answer, Choice


def refused(work: Work, lobby: Lobby, staged: Staged | None, epoch: int) -> None:
    """The leader refuses our commit in ``epoch``; it is not under way any more."""
    state = work.session(lobby.group)
    added = set[str]()
    if state is not None and staged is not None and staged.changes.added:
        leaves = groups.roster(mls.merge(state, staged))
        added = {handle for handle, leaf in leaves.items() if leaf in staged.changes.added}
    known = lobby.refusals
    if not added <= known.doubted:
        known = replace(known, doubted=known.doubted | added)
        lobby = replace(lobby, watch=replace(lobby.watch, refusals=known))
    elif added:
        _turn_away(work, lobby, added)
        return
    else:
        lobby = put_off_commit(work, lobby, epoch)
    if lobby.refusals.doubted:  # that one without them is ordered shows that it is not for our own sake
        lobby = replace(lobby, intents=replace(lobby.intents, update=True))
    work.keep_lobby(lobby, reworded=True)


def _turn_away(work: Work, lobby: Lobby, handles: set[str]) -> None:
    for handle in sorted(handles):
        work.trouble(handle, f"{handle} could not be let into {lobby.label}: {lobby.leader}, who leads it, refuses")
        work.post(handle, Answer(lobby.group, Choice.REJECT))
    known = lobby.refusals
    watch = replace(lobby.watch, refusals=replace(known, doubted=known.doubted - handles))
    intents = lobby.intents.let_in_no_more(handles)
    work.keep_lobby(replace(lobby, intents=intents, invited=lobby.invited - handles, watch=watch), reworded=True)
