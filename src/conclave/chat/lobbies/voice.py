"""What we say in a lobby, as a value: waiting, flying, landed.

Left out: when things move on (``chat.lobbies.speaking``).
"""

from __future__ import annotations

from collections.abc import Callable

from conclave.chat import groups, records
from conclave.chat.effects import DropState, PutState
from conclave.chat.fifo import Fifo
from conclave.chat.lobby_state import Flying, Lobby, Voice
from conclave.chat.words.content import Body, Content, Receipt, Seen, Unsaid, decode_content, encode_content
from conclave.chat.work import Work
from conclave.values import replace
from conclave.wire.order import EntryKind

FORMER_KEPT = 16
"""Names of earlier ciphertexts of something that flies: an epoch makes one."""
RETRY_SECONDS = 3.0
"""A commit that could not be made, or was refused, is tried again after so long ..."""
RETRY_MOST_SECONDS = 60.0
"""... doubled, up to this, each time that the leader refuses one in the same epoch."""


def wait(work: Work, lobby: Lobby, identity: bytes, content: bytes) -> None:
    """Content that is to be said when it can."""
    last = lobby.voice.waiting.last()
    unsaid = Unsaid(last.key + 1 if last is not None else 1, identity, content)
    work.record(PutState(records.waiting_key(lobby.group.hex(), unsaid.key), records.encode_unsaid(unsaid)))
    work.keep_lobby(replace(lobby, voice=replace(lobby.voice, waiting=lobby.voice.waiting.push(unsaid))))


def say_content(work: Work, group: bytes, body: Body) -> None:
    """Something of ours that is no line of history, and that nobody misses when it is lost."""
    lobby = work.lobby(group)
    if lobby is not None:
        identity = groups.new_id(work)
        wait(work, lobby, identity, encode_content(Content(identity, 0, work.now, body)))
        work.stir(group)


def landed(lobby: Lobby, number: int, now: float) -> tuple[Lobby, Flying | None]:
    """Something of ours came back in the order: the lobby without it, and what it was."""
    voice = lobby.voice
    found = next((one for one in voice.flying if one.number == number), None)
    if found is None:
        return lobby, None
    rest = tuple(one for one in voice.flying if one.number != number)
    return replace(lobby, voice=replace(voice, flying=rest, moved=now)), found


def sealed_as(one: Flying, payload: bytes) -> bool:
    """Whether this is, or once was, the ciphertext of it; it has none until it is protected."""
    return payload == one.payload != b"" or groups.payload_name(payload) in one.former


def unsealed(one: Flying) -> Flying:
    """The same, to be protected anew under its number; what was handed in before may still be ordered."""
    former = (*one.former, groups.payload_name(one.payload))[-FORMER_KEPT:] if one.payload else one.former
    return replace(one, payload=b"", former=former)


def displaced(lobby: Lobby, one: Flying) -> Lobby:
    """Under the number of ``one`` something else was ordered: it flies on under the next, and is protected anew."""
    voice = lobby.voice
    anew = Flying(voice.next, one.kind, 0, one.id, one.content)
    return replace(lobby, voice=replace(voice, next=voice.next + 1, flying=(*voice.flying, anew)))


def without_commit(work: Work, voice: Voice) -> Voice:
    """The same without the commit that is under way: it does not count, and its number is filled with nothing."""
    nothing = encode_content(Content(groups.new_id(work), 0, work.now, Seen()))
    flying = tuple(
        Flying(one.number, EntryKind.MESSAGE, 0, content=nothing) if one.kind is EntryKind.COMMIT else one
        for one in voice.flying
    )
    at = min((one.number for one in voice.flying if one.kind is EntryKind.COMMIT), default=voice.next)
    return from_here(replace(voice, flying=flying, staged=None), at)


def sealed_before(voice: Voice, epoch: int) -> Voice:
    """The same where words that were sealed before ``epoch`` are to be protected anew."""
    old = [one.number for one in voice.flying if one.epoch < epoch and one.kind is not EntryKind.COMMIT]
    flying = tuple(unsealed(one) if one.number in old else one for one in voice.flying)
    return from_here(replace(voice, flying=flying), min(old, default=voice.next))


def from_here(voice: Voice, number: int) -> Voice:
    """The same where all from ``number`` on is to be handed in anew, by a link or by mail."""
    return replace(voice, sent=min(voice.sent, number - 1), mailed=min(voice.mailed, number - 1))


def put_off_commit(work: Work, lobby: Lobby, epoch: int) -> Lobby:
    """The same where the leader refuses our commit though none came first in ``epoch``: it may refuse the next."""
    known = lobby.refusals
    pause = min(2 * known.pause, RETRY_MOST_SECONDS) if known.epoch == epoch else RETRY_SECONDS
    known = replace(known, epoch=epoch, at=work.now + pause, pause=pause)
    return replace(lobby, watch=replace(lobby.watch, refusals=known))


def without_receipts(work: Work, lobby: Lobby) -> Voice:
    """What is to be said without receipts: they count entries of an order that does not count any more."""
    return without(work, lobby, lambda one: _is_receipt(one.content))


def without(work: Work, lobby: Lobby, unwanted: Callable[[Flying | Unsaid], bool]) -> Voice:
    """What is to be said without some of it. Of what flies the numbers are filled with nothing."""
    nothing = encode_content(Content(groups.new_id(work), 0, work.now, Seen()))
    flying = tuple(
        replace(unsealed(one), id=b"", content=nothing) if unwanted(one) else one for one in lobby.voice.flying
    )
    waiting: Fifo[Unsaid] = Fifo()
    for unsaid in lobby.voice.waiting:
        if unwanted(unsaid):
            work.record(DropState(records.waiting_key(lobby.group.hex(), unsaid.key)))
        else:
            waiting = waiting.push(unsaid)
    return replace(lobby.voice, flying=flying, waiting=waiting)


def _is_receipt(content: bytes) -> bool:
    return bool(content) and isinstance(decode_content(content).body, Receipt)


def fly_again(voice: Voice, number: int) -> Voice:
    """In another group: what flew is to be protected anew, from this number on; commits and fillers are not."""
    again = [one for one in voice.flying if one.id]
    flying = tuple(
        Flying(at, EntryKind.MESSAGE, 0, one.id, one.content) for at, one in enumerate(again, start=number)
    )
    return replace(voice, next=number + len(flying), flying=flying, staged=None, sent=0)
