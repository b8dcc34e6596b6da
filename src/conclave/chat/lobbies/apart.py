"""Words that are kept back from who came in behind them: to who was in they are given alone, outside the order.

Where halves meet, what one of them said is said again in the order, and everybody who is in by then reads it. Who
came in after it was said is not to; who was in then, and may lack it, is posted its author's own signed words. Left
out: what is kept back (``chat.lobbies.coming_in``).
"""

from __future__ import annotations

from collections.abc import Sequence

from conclave.chat import groups
from conclave.chat.deeds import Recollect
from conclave.chat.delivery import Fate
from conclave.chat.lobbies import catching_up, sharing
from conclave.chat.lobby_state import Lobby, Step
from conclave.chat.words.content import read_originals
from conclave.chat.work import Work
from conclave.values import replace
from conclave.wire.codec import Writer, decode
from conclave.wire.posts import Handshake

STRANGE_SECONDS = 30.0
"""Who is no member as far as we know waits so long for an answer where our leader is there ..."""
STRANGERS_MOST = 64
"""... so many of them."""

Line = tuple[str, bytes]
"""Author and id."""


def _due(lobby: Lobby) -> list[Line]:
    """What is kept back. Of what has a place it is not known yet."""
    return [one for one in lobby.healing.apart if one not in lobby.healing.places]


def passed(work: Work, group: bytes) -> None:
    """Time passed: read what is to be given."""
    lobby = work.lobby(group)
    due = _due(lobby) if lobby is not None and lobby.inside else []
    if lobby is not None and due:
        work.deed(Recollect(group, lobby.label, tuple(due[: sharing.ORPHANS_AT_ONCE])))


def recollected(
    work: Work, group: bytes, items: Sequence[tuple[str, bytes, bytes]], missing: Sequence[Line]
) -> tuple[Line, ...]:
    """The store gives originals: those that are kept back are posted. Those of the ``missing`` that are not."""
    lobby, state = work.lobby(group), work.session(group)
    due = set(_due(lobby)) if lobby is not None else set()
    if lobby is None or not due:
        return tuple(missing)
    people = groups.roster(state) if state is not None else {}
    out, posted = dict[str, list[bytes]](), set(lobby.healing.posted)
    for author, identity, data in items:
        for one in lobby.healing.apart[author, identity] if (author, identity) in due else ():
            if one in people and (author, identity, one) not in posted:
                posted.add((author, identity, one))
                out.setdefault(one, []).append(data)
    for one, words in out.items():
        for batch in sharing.batches(words):
            work.post(one, Handshake(group, Writer().vector(batch, Writer.opaque).done()))
    done = {(author, identity) for author, identity, _ in items} | {*missing}
    lobby = work.lobby(group) or lobby
    apart = {one: handles for one, handles in lobby.healing.apart.items() if one not in done or one not in due}
    healing = replace(lobby.healing, apart=apart, posted=frozenset(posted))
    work.keep_lobby(replace(lobby, healing=healing), reworded=True)
    work.pending |= len(apart) > 0
    return tuple(one for one in missing if one not in due)


def _behind(work: Work, lobby: Lobby, handle: str) -> bool:
    """Whether we may yet hear that ``handle`` came in; who leads, or is with its leader for a while, has heard."""
    if lobby.order is None or lobby.leader == work.me:
        return False
    since = lobby.watch.strangers.get(handle, work.now)
    strangers = {**lobby.watch.strangers, handle: since}
    strangers = dict(list(strangers.items())[-STRANGERS_MOST:])
    work.keep_lobby(replace(lobby, watch=replace(lobby.watch, strangers=strangers)))
    ahead = any(seq > lobby.order.seq for seq in lobby.watch.ahead.values())
    caught_up = lobby.healing.step is Step.SOUND and catching_up.leads_us(work, lobby) and not ahead
    return not caught_up or abs(work.now - since) < STRANGE_SECONDS


def given(work: Work, handle: str, words: Handshake) -> Fate:
    """A member gives us what was said while we were in, and is kept back from others. Raises ``DecodeError``.

    Who came in while we were away is a member for all others: it is answered once we have caught up.
    """
    lobby, state = work.lobby(words.group), work.session(words.group)
    if lobby is None or not lobby.follows:
        return Fate.DECLINED
    if handle not in (groups.roster(state) if state is not None else lobby.asked):
        return Fate.LEFT if state is not None and _behind(work, lobby, handle) else Fate.DECLINED
    items = decode(words.message, read_originals)
    sharing.take(work, lobby, handle, [(0, data) for data in items], ordered=False)
    return Fate.TAKEN
