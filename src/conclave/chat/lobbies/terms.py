"""How far ahead a term may be that somebody claims: of one member only a little, else most of the others have to.

A term is taken after some seconds of silence, so a lobby comes to few; a member who claims one far ahead, and is not
heard again, would leave none for the others. What one is believed is the same for all, however long they are in: else
one lie divides newcomers from the others. Left out: whose term counts (``lobby.order``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.lobby_state import Lobby
from conclave.chat.work import Work
from conclave.lobby.order import LAST_TERM
from conclave.values import replace

AT_FIRST = LAST_TERM // 4
"""So far are believed the Welcome to a newcomer and most of the others ..."""
FIRST_SECONDS = 2
"""... and one more for each so long since 1970: where somebody opens a lobby there, newcomers come later, too."""
AT_ONCE = 1024
"""So many more than we know of are believed of one, as may have passed while we were away ..."""
EACH_SECONDS = 1
"""... and what was believed is made up for at one in so long: ten times as fast as halves that flap take terms."""


def believed(work: Work, lobby: Lobby, handle: str, term: int) -> bool:
    """Whether ``handle`` is believed that the lobby came to ``term``: by itself, or because most others say so too.

    Claims are kept in memory, one for each member. Members who are gone without a commit that we saw still count
    among the others: else a member makes a half of its own, in which it is most of them.
    """
    if credible(work, lobby, term):
        return True
    state = work.session(lobby.group)
    people = set(groups.roster(state) if state is not None else lobby.asked) - {work.me}
    claims = {one: at for one, at in {**lobby.watch.claims, handle: term}.items() if one in people}
    work.keep_lobby(replace(lobby, watch=replace(lobby.watch, claims=claims)))
    people |= {one for one, (_, why) in lobby.healing.gone.items() if not why}
    return term <= at_first(work) and 2 * sum(at >= term for at in claims.values()) > len(people)


def welcome(work: Work, lobby: Lobby, handle: str, term: int) -> bool:
    """Whether a Welcome of ``handle`` is believed: of who has keys already no more than anything else it says."""
    if lobby.lead is None or work.session(lobby.group) is None:
        return term <= at_first(work)
    return believed(work, lobby, handle, term)


def at_first(work: Work) -> int:
    """What is believed of a Welcome to a newcomer, and of most of the others; as many terms are left behind it."""
    return AT_FIRST + int(work.now) // FIRST_SECONDS


def credible(work: Work, lobby: Lobby, term: int) -> bool:
    """Whether one member is believed that a lobby whose newest term we know came to ``term``."""
    return term <= LAST_TERM and term - _known(lobby) <= _left(work, lobby)


def spent(work: Work, lobby: Lobby, term: int) -> Lobby:
    """The same lobby when ``term`` is the newest that it knows, before its lead says so."""
    left = max(0, _left(work, lobby) - max(0, term - _known(lobby)))
    return replace(lobby, healing=replace(lobby.healing, terms=left, terms_at=int(work.now)))


def _known(lobby: Lobby) -> int:
    return max(lobby.lead.term if lobby.lead else 0, lobby.order.run.term if lobby.order else 0)


def _left(work: Work, lobby: Lobby) -> int:
    if not lobby.healing.terms_at:
        return AT_ONCE
    passed = abs(int(work.now) - lobby.healing.terms_at)  # a clock may have been set back
    return min(AT_ONCE, lobby.healing.terms + passed // EACH_SECONDS)
