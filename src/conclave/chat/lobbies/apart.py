"""Words that are kept back from who came in behind them: to who was in they are given alone, outside the order.

Where halves meet, what one of them said is said again in the order, and everybody who is in by then reads it. Who
came in after it was said is not to; who was in then, and may lack it, is posted its author's own signed words, with
the names of those who are to have them too: who gets them passes them on to those who come once their giver is gone.
Left out: what is kept back (``chat.lobbies.coming_in``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from conclave.chat import groups
from conclave.chat.deeds import Recollect
from conclave.chat.delivery import Fate
from conclave.chat.lobbies import sharing
from conclave.chat.lobby_state import Lobby
from conclave.chat.words.content import decode_content, read_originals
from conclave.chat.work import Work
from conclave.errors import RemoteError
from conclave.values import replace
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.limits import HANDLE_BYTES
from conclave.wire.posts import Handshake

Line = tuple[str, bytes]
"""Author and id."""
HANDED_MOST = 256
"""So many that were given us are passed on, the latest; over links alone: they would fill a mailbox many times."""
_NEVER = 1 << 64
"""More than the number of any post."""


def _open(work: Work, lobby: Lobby, line: Line) -> list[str]:
    """To whom a line can be posted now. Whether it is kept back is not known yet while it has a place."""
    healing, most = lobby.healing, work.settings.outbox_posts
    if line in healing.places:
        return []
    to = [
        one for one in healing.apart.get(line, ()) if (*line, one) not in healing.posted and one not in work.expelled
    ]
    return [one for one in to if work.peer(one).out.count < most and (line not in healing.handed or _here(work, one))]


def _here(work: Work, handle: str) -> bool:
    return work.peer(handle).linked


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
        lobby = replace(lobby, healing=replace(healing, apart=left, handed=healing.handed & left.keys()))
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
    out = dict[tuple[str, tuple[str, ...]], dict[Line, bytes]]()
    for author, identity, data in items:
        for one in _open(work, lobby, (author, identity)):
            to = lobby.healing.apart[author, identity]
            out.setdefault((one, to), {})[author, identity] = data
    posted = dict(lobby.healing.posted)
    for (one, to), words in out.items():
        for batch in sharing.batches(words.values()):
            message = Writer().vector(batch, Writer.opaque).vector(to, Writer.text).done()
            number = work.post(one, Handshake(group, message))
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
    items, to = decode(words.message, lambda r: (read_originals(r), r.vector(_handle)))
    lines = {data: line for data in items if (line := _line(work, lobby, data)) is not None}
    if handle not in people:
        others = {*people} - {work.me}
        items, to = tuple(data for data in items if data in lines and lines[data][0] in others), ()
        if not items:
            return Fate.DECLINED
    sharing.take(work, lobby, handle, [(0, data) for data in items], ordered=False)
    _handed(work, work.lobby(words.group) or lobby, handle, lines.values(), [one for one in to if one in people])
    return Fate.TAKEN


def _handle(r: Reader) -> str:
    return r.text(HANDLE_BYTES)


def _line(work: Work, lobby: Lobby, data: bytes) -> Line | None:
    """Which signed words of this lobby these are; None: nobody's."""
    try:
        author, plain, _ = sharing.read_signed(work, lobby, data)
        return author, decode_content(plain).id
    except RemoteError:
        return None


def _handed(work: Work, lobby: Lobby, by: str, lines: Iterable[Line], to: Sequence[str]) -> None:
    """``by`` gave us ``lines``, which are for ``to`` as well: who is linked it reaches too, as far as we know.

    Only who leads is known to all who follow: they may not have heard yet that ``by`` came in. That these were in
    when it was said is its word; it could give it to anybody itself.
    """
    healing = lobby.healing
    apart, handed = dict(healing.apart), healing.handed
    rest = [one for one in to if one != work.me and (lobby.leader == work.me or not _here(work, one))]
    for line in lines:
        if line not in apart:
            handed |= {line}
        apart[line] = tuple(one for one in dict.fromkeys((*apart.get(line, ()), *rest)) if one not in (by, line[0]))
    apart = {line: them for line, them in apart.items() if them}
    for line in [line for line in apart if line in handed][:-HANDED_MOST]:
        del apart[line]
    if apart != healing.apart:
        healing = replace(healing, apart=apart, handed=handed & apart.keys())
        work.keep_lobby(replace(lobby, healing=healing), reworded=True)
