"""How far ahead a term may be that somebody claims: no further than time explains.

A term is taken after some seconds of silence, so a lobby comes to few; a member who claims one far ahead, and is not
heard again, would leave none for the others. What one believes is reckoned from the last change of leader, which all
hear of, and kept: so all believe nearly the same. Left out: whose term counts (``lobby.order``).
"""

from __future__ import annotations

from conclave.chat.state import Lobby
from conclave.chat.work import Work
from conclave.lobby.order import LAST_TERM
from conclave.lobby.values import replace

AT_FIRST = 1 << 24
"""Whoever comes into a lobby believes of who lets it in what years explain."""
AT_ONCE = 1024
"""So many terms may have passed while we were away ..."""
EACH_SECONDS = 1
"""... and another in so long: ten times as many as halves that flap can take."""


def credible(work: Work, lobby: Lobby, term: int) -> bool:
    """Whether a lobby whose newest term we know may have come to ``term``."""
    if lobby.lead is None:
        return term <= AT_FIRST
    if term <= LAST_TERM and term - _known(lobby) <= _left(work, lobby):
        return True
    if not lobby.healing.terms_at:  # from now on it may come to more
        work.keep_lobby(begun(work, lobby), reworded=True)
    return False


def begun(work: Work, lobby: Lobby) -> Lobby:
    """The same lobby where it begins for us."""
    return replace(lobby, healing=replace(lobby.healing, terms=AT_ONCE, terms_at=int(work.now)))


def spent(work: Work, lobby: Lobby, term: int) -> Lobby:
    """The same lobby when ``term`` is the newest that it knows, before its lead says so."""
    left = max(0, _left(work, lobby) - max(0, term - _known(lobby)))
    return replace(lobby, healing=replace(lobby.healing, terms=left, terms_at=int(work.now)))


def _known(lobby: Lobby) -> int:
    return max(lobby.lead.term if lobby.lead else 0, lobby.order.run.term if lobby.order else 0)


def _left(work: Work, lobby: Lobby) -> int:
    if not lobby.healing.terms_at:
        return AT_ONCE
    return lobby.healing.terms + max(0, int(work.now) - lobby.healing.terms_at) // EACH_SECONDS
