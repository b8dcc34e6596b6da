"""How the core's states are written: small records under plain keys, each with its version in the first byte.

``desk``: busy or not. ``peer/<handle>``: both streams, the pair and its groups (``chat.peer_records``).
``lobby/<group>``: what changes when people come and go. ``place/<group>``: where the order stands and who
has what, rewritten with what is said. ``out/<lobby or peer>/…``: what we say, until it has its place. ``staged/``:
our commit under way. ``mls/<group>/…``: keys, in two parts. ``package/<reference>``: key packages of ours.
``met/<handle>``: which certificates somebody showed (``chat.pairs.certificates``). ``safety/<handle>``: what was
compared with it before, and of what people were warned (``chat.pairs.safety``). Left out: links, windows and what
followers have, which are learnt again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from conclave.chat.effects import DropState, PutState
from conclave.chat.lobby_state import (
    PAYLOAD_NAME_BYTES,
    Ears,
    Flying,
    Healing,
    Intents,
    Lobby,
    Mailed,
    Mark,
    Stage,
    Step,
    Voice,
)
from conclave.chat.words.content import Unsaid
from conclave.errors import DecodeError
from conclave.lobby.order import Order
from conclave.lobby.shelf import Shelf
from conclave.mls.group import State
from conclave.values import replace
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.limits import HANDLE_BYTES, HASH_BYTES, ID_BYTES, TEXT_BYTES
from conclave.wire.order import EntryKind, read_runs, write_runs

VERSION = 2
DESK_KEY = "desk"
PEER_KEY = "peer/"
LOBBY_KEY = "lobby/"
PLACE_KEY = "place/"
OUT_KEY = "out/"
STAGED_KEY = "staged/"
SESSION_KEY = "mls/"
EPOCH = "/epoch"
TRAFFIC = "/traffic"
PACKAGE_KEY = "package/"
MET_KEY = "met/"
SAFETY_KEY = "safety/"

T = TypeVar("T")


def read(data: bytes, item: Callable[[Reader], T], version: int = VERSION) -> T:
    """A state whose first byte is its version. Raises ``DecodeError``."""

    def versioned(r: Reader) -> T:
        if r.uint8() != version:
            raise DecodeError("a state of an unknown version")
        try:
            return item(r)
        except ValueError as error:
            raise DecodeError("a state with an unknown value") from error

    return decode(data, versioned)


def encode_busy(*, busy: bool) -> bytes:
    """The state under ``desk``."""
    return bytes((VERSION, busy))


def decode_busy(data: bytes) -> bool:
    """The inverse of ``encode_busy``. Raises ``DecodeError``."""
    return bool(read(data, Reader.uint8))


# --- lobbies ---


def _handle(r: Reader) -> str:
    return r.text(HANDLE_BYTES)


def _reason(r: Reader) -> tuple[str, str]:
    return r.text(HANDLE_BYTES), r.text(TEXT_BYTES)


def encode_lobby(lobby: Lobby) -> bytes:
    """The state under ``lobby/<group>``."""
    w = Writer().uint8(VERSION).uint8(lobby.stage).text(lobby.name).text(lobby.label).text(lobby.inviter)
    w.vector(lobby.asked, Writer.text).uint8(lobby.hushed).uint64(int(lobby.ended)).uint32(lobby.timer)
    w.optional(lobby.lead, lambda each, run: write_runs(each, (run,)))
    w.vector(sorted(lobby.invited), Writer.text)
    intents, healing = lobby.intents, lobby.healing
    w.vector(intents.adds.items(), lambda each, it: each.text(it[0]).opaque(it[1]))
    w.vector(intents.removes.items(), lambda each, it: each.text(it[0]).text(it[1])).uint8(intents.update)
    w.optional(intents.deputies, lambda each, them: each.vector(them, Writer.text))
    w.uint8(healing.step).uint64(healing.common)
    w.optional(healing.pull or None, lambda each, them: each.uint64(them[0][0] - 1).uint64(them[-1][1] + 1))
    w.vector(healing.orphans, lambda each, it: each.text(it[0]).fixed(it[1], ID_BYTES))
    w.vector(healing.entered.items(), lambda each, it: each.text(it[0]).uint64(it[1]))
    w.vector(healing.gone.items(), lambda each, it: each.text(it[0]).uint64(it[1][0]).text(it[1][1]))
    w.vector(sorted(healing.owed), Writer.text)
    w.vector(healing.known.items(), lambda each, it: each.fixed(it[0], ID_BYTES).text(it[1][0]).opaque(it[1][1]))
    w.vector(sorted(healing.anew), Writer.text)
    w.vector(healing.met.items(), lambda each, it: each.text(it[0]).uint64(it[1]))
    w.uint64(healing.terms).uint64(healing.terms_at).uint64(lobby.timed)
    w.vector(lobby.timers_before, lambda each, it: each.uint32(it[0]).uint64(it[1]))
    w.vector(sorted(intents.judged), Writer.text).uint64(healing.had).uint64(lobby.forsaken)
    w.uint8(healing.forked)
    w.vector(((one, at) for one, at in intents.judged.items() if at), _write_number)
    w.vector(lobby.timers_ours, Writer.uint64).text(lobby.former).vector(lobby.inviters, Writer.text)
    w.vector(((one, at) for one, at in lobby.invites.items() if one in lobby.invited), _write_number)
    w.vector(healing.pull, write_range)
    unseen = [(one, ranges) for one, ranges in healing.unseen.items() if ranges]
    since = lobby.since if lobby.asking else 0  # once they are answered it is of no use
    apart = [(line, handles) for line, handles in healing.apart.items() if handles]
    if lobby.timers_heard or healing.places or since or unseen or apart:  # of most there is none
        w.vector(lobby.timers_heard, Writer.uint64)
        w.vector([healing.places.get(one, 0) for one in healing.orphans], Writer.uint64)
        w.uint64(since).vector(unseen, lambda each, it: each.text(it[0]).vector(it[1], write_range))
        w.vector(apart, write_apart)
        w.vector([healing.posted.get((*line, one), 0) for line, to in apart for one in to], Writer.uint64)
        w.vector([line in healing.handed for line, _ in apart], Writer.uint8)
    return w.done()


def _lobby(group: bytes, r: Reader) -> Lobby:
    stage, name, label, inviter = Stage(r.uint8()), r.text(TEXT_BYTES), r.text(TEXT_BYTES), r.text(HANDLE_BYTES)
    asked, hushed, ended, timer = r.vector(_handle), bool(r.uint8()), float(r.uint64()), r.uint32()
    lead = r.optional(read_runs)
    invited = frozenset(r.vector(_handle))
    adds = dict(r.vector(lambda each: (each.text(HANDLE_BYTES), each.opaque())))
    removes, update = dict(r.vector(_reason)), bool(r.uint8())
    intents = Intents(adds, removes, r.optional(lambda each: each.vector(_handle)), update)
    step, common, ends = Step(r.uint8()), r.uint64(), r.optional(read_range)
    orphans = r.vector(lambda each: (each.text(HANDLE_BYTES), each.fixed(ID_BYTES)))
    entered = dict(r.vector(lambda each: (each.text(HANDLE_BYTES), each.uint64())))
    gone = dict(r.vector(lambda each: (each.text(HANDLE_BYTES), (each.uint64(), each.text(TEXT_BYTES)))))
    owed = frozenset(r.vector(_handle))
    known = dict(
        r.vector(lambda each: (each.fixed(ID_BYTES), (each.text(HANDLE_BYTES), each.opaque(ID_BYTES))))
    )  # fmt: skip
    anew, met = frozenset[str](), dict[str, int]()
    if r.remaining:  # a home from before has none
        anew, met = frozenset(r.vector(_handle)), dict(r.vector(_number))
    reach = (r.uint64(), r.uint64()) if r.remaining else (0, 0)
    timed = r.uint64() if r.remaining else 0
    before = r.vector(lambda each: (each.uint32(), each.uint64())) if r.remaining else ()
    judged = dict.fromkeys(r.vector(_handle) if r.remaining else (), 0)
    had = r.uint64() if r.remaining else 0
    forsaken = r.uint64() if r.remaining else 0
    forked = bool(r.uint8()) if r.remaining else False
    intents = replace(intents, judged=judged | dict(r.vector(_number) if r.remaining else ()))
    ours = r.vector(Reader.uint64) if r.remaining else ()
    former = r.text(HANDLE_BYTES) if r.remaining else ""
    inviters = r.vector(_handle) if r.remaining else ()
    invites = dict(r.vector(_number) if r.remaining else ())
    whole = ((ends[0] + 1, ends[1] - 1),) if ends is not None and ends[0] + 1 < ends[1] else ()
    pull = r.vector(read_range) if r.remaining else whole  # a home from before has the first and the last alone
    heard = r.vector(Reader.uint64) if r.remaining else ()
    stood = zip(orphans, r.vector(Reader.uint64), strict=True) if r.remaining else ()
    places = {one: seq for one, seq in stood if seq}
    since = r.uint64() if r.remaining else 0
    unseen = dict(r.vector(lambda each: (each.text(HANDLE_BYTES), each.vector(read_range))) if r.remaining else ())
    apart = dict(r.vector(read_apart) if r.remaining else ())
    to = [(*line, one) for line, handles in apart.items() for one in handles]
    numbers = r.vector(Reader.uint64) if r.remaining else ()
    posted = {one: number for one, number in zip(to, numbers, strict=False) if number}
    marks = r.vector(Reader.uint8) if r.remaining else ()
    handed = frozenset(line for line, mark in zip(apart, marks, strict=False) if mark)
    healing = Healing(
        step, common, pull, orphans, entered, gone, owed, known, met, anew, *reach, had, forked, places, unseen,
        apart, posted, handed,
    )  # fmt: skip
    return Lobby(
        group, name, label, stage, inviter, asked, hushed, ended, None, lead[0] if lead else None, invited, intents,
        healing, timer, timed, before, ours, forsaken, former, inviters, invites, heard, since,
    )  # fmt: skip


def place_part(lobby: Lobby) -> tuple[Any, ...]:
    """What changes with what is said; equal where nothing is to be written."""
    order, voice, ears = lobby.order, lobby.voice, lobby.ears
    at = None if order is None else (order.hash, order.runs)
    return (at, voice.next, voice.count, ears.counts, ears.marks, ears.read, ears.lost, ears.words, lobby.mailed)


def _write_number(w: Writer, item: tuple[str, int]) -> None:
    w.text(item[0]).uint64(item[1])


def _number(r: Reader) -> tuple[str, int]:
    return r.text(HANDLE_BYTES), r.uint64()


def write_range(w: Writer, ends: tuple[int, int]) -> None:
    """A range of entries."""
    w.uint64(ends[0]).uint64(ends[1])


def read_range(r: Reader) -> tuple[int, int]:
    """The inverse of ``write_range``."""
    return r.uint64(), r.uint64()


def write_apart(w: Writer, item: tuple[tuple[str, bytes], tuple[str, ...]]) -> None:
    """Author and id of a line, and who is to be given it."""
    (author, identity), handles = item
    w.text(author).fixed(identity, ID_BYTES).vector(handles, Writer.text)


def read_apart(r: Reader) -> tuple[tuple[str, bytes], tuple[str, ...]]:
    """The inverse of ``write_apart``."""
    return (r.text(HANDLE_BYTES), r.fixed(ID_BYTES)), r.vector(_handle)


def _write_mark(w: Writer, item: tuple[str, Mark]) -> None:
    handle, mark = item
    w.text(handle).uint64(mark.has).uint64(mark.read).vector(mark.missing, write_range)


def _mark(r: Reader) -> tuple[str, Mark]:
    return r.text(HANDLE_BYTES), Mark(r.uint64(), r.uint64(), r.vector(read_range))


def _write_mailed(w: Writer, handle: str, one: Mailed) -> None:
    w.text(handle).uint64(one.upto).uint64(one.first).uint64(one.until)


def _mailed(r: Reader) -> tuple[str, Mailed]:
    return r.text(HANDLE_BYTES), Mailed(r.uint64(), r.uint64(), r.uint64())


def _write_order(w: Writer, order: Order) -> None:
    w.uint64(order.seq).fixed(order.hash, HASH_BYTES).uint64(order.epoch).uint64(order.base)
    write_runs(w, order.runs).vector(order.numbers.items(), _write_number)


def encode_place(lobby: Lobby) -> bytes:
    """The state under ``place/<group>``."""
    voice, ears = lobby.voice, lobby.ears
    w = Writer().uint8(VERSION).optional(lobby.order, _write_order).uint64(voice.next).uint64(voice.count)
    w.vector(ears.counts.items(), _write_number).vector(ears.marks.items(), _write_mark)
    w.uint64(ears.read).vector(ears.lost, write_range).uint64(ears.words)
    if lobby.mailed:  # nobody is away, mostly
        w.vector(lobby.mailed.items(), lambda each, it: _write_mailed(each, *it))
    return w.done()


def _shelf(items: tuple[tuple[str, T], ...]) -> Shelf[str, T]:
    shelf: Shelf[str, T] = Shelf()
    for key, value in items:
        shelf = shelf.put(key, value)
    return shelf


def decode_lobby(group: bytes, data: bytes, at: bytes) -> Lobby:
    """The inverse of ``encode_lobby`` and ``encode_place`` (empty where there is none). Raises ``DecodeError``."""

    def order(r: Reader) -> Order:
        seq, digest, epoch, base = r.uint64(), r.fixed(HASH_BYTES), r.uint64(), r.uint64()
        return Order(group, seq, digest, read_runs(r), epoch, _shelf(r.vector(_number)), base=base)

    def place(r: Reader) -> tuple[Order | None, Voice, Ears, dict[str, Mailed]]:
        where, voice = r.optional(order), Voice(r.uint64(), r.uint64())
        counts, marks = _shelf(r.vector(_number)), _shelf(r.vector(_mark))
        ears = Ears(counts, marks, r.uint64(), r.vector(read_range), r.uint64())
        return where, voice, ears, dict(r.vector(_mailed)) if r.remaining else {}

    lobby = read(data, lambda r: _lobby(group, r))
    if not at:
        return lobby
    where, voice, ears, mailed = read(at, place)
    return replace(lobby, order=where, voice=voice, ears=ears, mailed=mailed)


# --- what we say, until it has its place ---


def waiting_key(conversation: str, key: int) -> str:
    """Where content waits to be protected; ``conversation`` is a group in hex, or ``@`` and a handle."""
    return f"{OUT_KEY}{conversation}/w/{key:016x}"


def flying_key(group: bytes, number: int) -> str:
    """Where something handed in is kept until it is seen ordered."""
    return f"{OUT_KEY}{group.hex()}/f/{number:016x}"


def encode_unsaid(unsaid: Unsaid) -> bytes:
    """The state of content that waits."""
    return Writer().uint8(VERSION).fixed(unsaid.id, ID_BYTES).opaque(unsaid.content).done()


def decode_unsaid(key: str, data: bytes) -> Unsaid:
    """The inverse of ``encode_unsaid``. Raises ``DecodeError``."""
    return read(data, lambda r: Unsaid(int(key.rpartition("/")[2], 16), r.fixed(ID_BYTES), r.opaque()))


def encode_flying(flying: Flying) -> bytes:
    """The state of something handed in."""
    w = Writer().uint8(VERSION).uint8(flying.kind).uint64(flying.epoch).opaque(flying.id).opaque(flying.content)
    w.opaque(flying.payload).opaque(flying.original)
    for name in flying.former:
        w.fixed(name, PAYLOAD_NAME_BYTES)
    return w.done()


def decode_flying(key: str, data: bytes) -> Flying:
    """The inverse of ``encode_flying``. Raises ``DecodeError``."""

    def flying(r: Reader) -> Flying:
        kind, epoch = EntryKind(r.uint8()), r.uint64()
        number = int(key.rpartition("/")[2], 16)
        identity, content, payload, original = (r.opaque() for _ in range(4))
        former = []
        while r.remaining:
            former.append(r.fixed(PAYLOAD_NAME_BYTES))
        return Flying(number, kind, epoch, identity, content, payload, original, tuple(former))

    return read(data, flying)


def voice_records(lobby: Lobby, before: Lobby | None) -> Iterator[PutState | DropState]:
    """What is to be written of what is handed in: only what came, changed or went."""
    name = lobby.group.hex()
    old = before.voice if before is not None else Voice()
    new = lobby.voice
    if new.flying is not old.flying:
        had = {one.number: one for one in old.flying}
        for one in new.flying:
            if had.pop(one.number, None) is not one:
                yield PutState(flying_key(lobby.group, one.number), encode_flying(one))
        for number in had:
            yield DropState(flying_key(lobby.group, number))
    if new.staged is not old.staged:
        if new.staged is None:
            yield DropState(STAGED_KEY + name)
        else:
            yield PutState(STAGED_KEY + name, new.staged.encode())


# --- what a step writes of what it changed ---


def lobby_records(
    group: bytes, lobby: Lobby | None, before: Lobby | None, *, reworded: bool
) -> Iterator[PutState | DropState]:
    """What is to be written of a lobby, if it is still there; ``reworded``: more than its place changed."""
    key = group.hex()
    if lobby is None:
        if before is not None:
            yield DropState(LOBBY_KEY + key)
            yield DropState(PLACE_KEY + key)
            yield from voice_records(Lobby(group, "", "", before.stage), before)
        return
    if reworded:
        yield PutState(LOBBY_KEY + key, partial(encode_lobby, lobby))
    if before is None or place_part(before) != place_part(lobby):
        yield PutState(PLACE_KEY + key, partial(encode_place, lobby))
    if lobby.voice is not (before.voice if before is not None else None):
        yield from voice_records(lobby, before)


def session_records(group: bytes, state: State | None, before: State | None) -> Iterator[PutState | DropState]:
    """What is to be written of a conversation's keys, if they are still there."""
    key = SESSION_KEY + group.hex()
    if state is None:
        yield DropState(key + EPOCH)
        yield DropState(key + TRAFFIC)
        return
    if before is None or before.epoch is not state.epoch:
        yield PutState(key + EPOCH, state.epoch_part)
    yield PutState(key + TRAFFIC, lambda: state.traffic_part)
