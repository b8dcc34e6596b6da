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
_NEVER = 1 << 64
"""More than the number of any post."""


def _open(work: Work, lobby: Lobby, line: Line) -> list[str]:
    """To whom a line can be posted now. Whether it is kept back is not known yet while it has a place."""
    healing, most = lobby.healing, work.settings.outbox_posts
    to = () if line in healing.places else healing.apart.get(line, ())
    return [one for one in to if (*line, one) not in healing.posted and work.peer(one).out.count < most]


def _due(work: Work, lobby: Lobby) -> list[Line]:
    return [one for one in lobby.healing.apart if _open(work, lobby, one)]


def passed(work: Work, group: bytes) -> None:
    """Time passed: read what is to be given, and forget what was taken. Without keys nobody is known to be in."""
    lobby, state = work.lobby(group), work.session(group)
    if lobby is None or state is None or not lobby.inside or not lobby.healing.apart:
        return
    people, healing = groups.roster(state), lobby.healing

    def lacks(line: Line, one: str) -> bool:
        return one in people and healing.posted.get((*line, one), _NEVER) >= work.peer(one).out.base

    left = {line: tuple(one for one in to if lacks(line, one)) for line, to in healing.apart.items()}
    left = {line: to for line, to in left.items() if to}
    if left != healing.apart:
        lobby = replace(lobby, healing=replace(healing, apart=left))
        work.keep_lobby(lobby, reworded=True)
    due = _due(work, lobby)
    if due:
        work.deed(Recollect(group, lobby.label, tuple(due[: sharing.ORPHANS_AT_ONCE])))


def recollected(
    work: Work, group: bytes, items: Sequence[tuple[str, bytes, bytes]], missing: Sequence[Line]
) -> tuple[Line, ...]:
    """The store gives originals: those that are kept back are posted. Those of the ``missing`` that are not."""
    lobby = work.lobby(group)
    due = set(_due(work, lobby)) if lobby is not None and work.session(group) is not None else set()
    if lobby is None or not due:
        return tuple(missing)
    out = dict[str, dict[Line, bytes]]()
    for author, identity, data in items:
        for one in _open(work, lobby, (author, identity)):
            out.setdefault(one, {})[author, identity] = data
    posted = dict(lobby.healing.posted)
    for one, words in out.items():
        for batch in sharing.batches(words.values()):
            number = work.post(one, Handshake(group, Writer().vector(batch, Writer.opaque).done()))
        posted |= {(*line, one): number for line in words}
    gone = due.intersection(missing)
    apart = {line: to for line, to in lobby.healing.apart.items() if line not in gone}
    lobby = replace(lobby, healing=replace(lobby.healing, apart=apart, posted=posted))
    work.keep_lobby(lobby, reworded=True)
    work.pending |= len(_due(work, lobby)) > 0
    return tuple(one for one in missing if one not in gone)


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
