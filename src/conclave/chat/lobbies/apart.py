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
from conclave.chat.lobbies import sharing
from conclave.chat.lobby_state import Lobby
from conclave.chat.work import Work
from conclave.errors import RemoteError
from conclave.values import replace
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.posts import Handshake

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


def given(work: Work, handle: str, words: Handshake) -> Fate:
    """What was said while we were in, and is kept back from others, is given to us. Raises ``DecodeError``.

    Who gives it may have come in where we do not see it: then it is taken of those whom we know to be in.
    """
    lobby, state = work.lobby(words.group), work.session(words.group)
    if lobby is None or not lobby.follows:
        return Fate.DECLINED
    people = groups.roster(state) if state is not None else lobby.asked
    items = decode(words.message, lambda r: r.vector(Reader.opaque))
    if handle not in people:
        others = {*people} - {work.me}
        items = tuple(data for data in items if _author(work, lobby, data) in others)
        if not items:
            return Fate.DECLINED
    sharing.take(work, lobby, handle, [(0, data) for data in items], ordered=False)
    return Fate.TAKEN


def _author(work: Work, lobby: Lobby, data: bytes) -> str:
    """Whose signed words of this lobby these are; empty: nobody's."""
    try:
        return sharing.read_signed(work, lobby, data)[0]
    except RemoteError:
        return ""
