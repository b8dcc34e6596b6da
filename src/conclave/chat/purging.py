"""Somebody is to be put out: everybody's intent, the leader's first.

Left out: the commit (``chat.membership``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.state import Lobby
from conclave.chat.work import Work
from conclave.lobby.values import replace


def purge_expelled(work: Work, group: bytes) -> None:
    """We are in, or others came: whom the authority put out is put out here too."""
    state = work.session(group)
    for handle in sorted(work.expelled.intersection(groups.roster(state) if state is not None else ())):
        lobby = work.lobby(group)
        if lobby is not None:
            purge(work, lobby, handle, "put out by the authority", delay=2.0)


def purge_revoked(work: Work) -> None:
    """Who is believed changed: whoever is in a lobby by a revoked certificate is put out of it."""
    for lobby in work.lobbies():
        state = work.session(lobby.group)
        if state is None:
            continue
        for handle, leaf in groups.roster(state).items():
            why = work.judges.revoked(groups.certificate(state, leaf))
            if why is not None and handle != work.me:
                reason = "suspended" if why.suspended else "certificate revoked"
                delay = 2.0 + 3.0 * work.chance()
                purge(work, work.lobby(lobby.group) or lobby, handle, reason, delay=delay)


def purge(work: Work, lobby: Lobby, handle: str, reason: str, *, delay: float) -> None:
    """``handle`` is to be put out: by us after ``delay`` seconds, unless somebody else has by then."""
    state = work.session(lobby.group)
    if state is None or handle not in groups.roster(state):
        return
    intents = replace(lobby.intents, removes={**lobby.intents.removes, handle: reason})
    due = work.now + (0.0 if lobby.leader == work.me else delay)
    watch = replace(lobby.watch, purge={**lobby.watch.purge, handle: due})
    if handle == lobby.leader:
        watch = replace(watch, heard=work.now - work.settings.patience.silence)
    work.wake(max(due, work.now))
    work.keep_lobby(replace(lobby, intents=intents, watch=watch), reworded=True)
    work.stir(lobby.group)
