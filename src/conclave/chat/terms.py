"""How far ahead a term may be that somebody claims: no further than time explains.

A term is taken after some seconds of silence, so a lobby comes to few; a member who claims one far ahead, and is not
heard again, would leave none for the others. Nothing of it is kept. Left out: whose term counts (``lobby.order``).
"""

from __future__ import annotations

from conclave.chat.state import Lobby
from conclave.chat.work import Work
from conclave.lobby.values import replace

AT_ONCE = 1024
"""So many terms may have passed while we were away ..."""
EACH_SECONDS = 1.0
"""... and another in so long: ten times as many as halves that flap can take."""


def credible(work: Work, lobby: Lobby, term: int) -> bool:
    """Whether a lobby whose newest term we know may have come to ``term``."""
    if term - _known(lobby) <= _left(work, lobby):
        return True
    if not lobby.watch.terms_at:  # from now on it may come to more
        work.keep_lobby(replace(lobby, watch=replace(lobby.watch, terms=float(AT_ONCE), terms_at=work.now)))
    return False


def spent(work: Work, lobby: Lobby, term: int) -> Lobby:
    """The same lobby when ``term`` is the newest that it knows, before its lead says so."""
    left = _left(work, lobby) - max(0, term - _known(lobby))
    return replace(lobby, watch=replace(lobby.watch, terms=left, terms_at=work.now))


def _known(lobby: Lobby) -> int:
    return max(lobby.lead.term if lobby.lead else 0, lobby.order.run.term if lobby.order else 0)


def _left(work: Work, lobby: Lobby) -> float:
    if not lobby.watch.terms_at:
        return float(AT_ONCE)
    return lobby.watch.terms + max(0.0, work.now - lobby.watch.terms_at) / EACH_SECONDS
