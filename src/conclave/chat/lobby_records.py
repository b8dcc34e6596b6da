"""How a lobby is written: ``lobby/<group>``, ``place/<group>``, and what is handed in (``records`` has the keys).

Left out: links, windows and what followers have, which are learnt again.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    Mark,
    Reach,
    Stage,
    Step,
    Voice,
)
from conclave.chat.records import LOBBY_KEY, OUT_KEY, PLACE_KEY, STAGED_KEY, VERSION, read
from conclave.chat.words.gaps import Gap
from conclave.lobby.order import Order
from conclave.lobby.shelf import Shelf
from conclave.values import replace
from conclave.wire.codec import Reader, Writer
from conclave.wire.limits import HANDLE_BYTES, HASH_BYTES, ID_BYTES, TEXT_BYTES
from conclave.wire.order import EntryKind, read_runs, write_runs

T = TypeVar("T")


def _handle(r: Reader) -> str:
    return r.text(HANDLE_BYTES)


def encode_lobby(lobby: Lobby) -> bytes:
    """The state under ``lobby/<group>``."""
    w = Writer().uint8(VERSION).uint8(lobby.stage).text(lobby.name).text(lobby.label)
    w.text(lobby.inviter).text(lobby.former).vector(lobby.inviters, Writer.text).vector(lobby.asked, Writer.text)
    w.uint64(lobby.since if lobby.asking else 0)  # once they are answered it is of no use
    w.uint8(lobby.hushed).uint64(int(lobby.ended)).uint64(lobby.forsaken)
    w.optional(lobby.lead, lambda each, run: write_runs(each, (run,)))
    w.vector(sorted(lobby.invited), Writer.text)
    w.vector(((one, at) for one, at in lobby.invites.items() if one in lobby.invited), write_number)
    w.uint32(lobby.timer).uint64(lobby.timed)
    w.vector(lobby.timers_before, lambda each, it: each.uint32(it[0]).uint64(it[1]))
    w.vector(lobby.timers_ours, Writer.uint64).vector(lobby.timers_heard, Writer.uint64)
    _write_intents(w, lobby.intents)
    _write_healing(w, lobby.healing)
    if lobby.names or lobby.healing.outlived:
        w.vector(lobby.names.items(), _write_name).vector(lobby.healing.outlived.items(), write_number)
    return w.done()


def _lobby(group: bytes, r: Reader) -> Lobby:
    lobby = Lobby(
        group,
        stage=r.enum(Stage),
        name=r.text(TEXT_BYTES),
        label=r.text(TEXT_BYTES),
        inviter=_handle(r),
        former=_handle(r),
        inviters=r.vector(_handle),
        asked=r.vector(_handle),
        since=r.uint64(),
        hushed=r.flag(),
        ended=float(r.uint64()),
        forsaken=r.uint64(),
        lead=next(iter(r.optional(read_runs) or ()), None),
        invited=frozenset(r.vector(_handle)),
        invites=dict(r.vector(read_number)),
        timer=r.uint32(),
        timed=r.uint64(),
        timers_before=r.vector(lambda each: (each.uint32(), each.uint64())),
        timers_ours=r.vector(Reader.uint64),
        timers_heard=r.vector(Reader.uint64),
        intents=_intents(r),
        healing=_healing(r),
    )
    if not r.remaining:  # of before they were kept, or of neither there is any
        return lobby
    names = dict(r.vector(lambda each: (_handle(each), each.text(TEXT_BYTES))))
    return replace(lobby, names=names, healing=replace(lobby.healing, outlived=dict(r.vector(read_number))))


def _write_name(w: Writer, item: tuple[str, str]) -> None:
    w.text(item[0]).text(item[1])


def _write_intents(w: Writer, intents: Intents) -> None:
    w.vector(intents.adds.items(), lambda each, it: each.text(it[0]).opaque(it[1]))
    w.vector(intents.removes.items(), lambda each, it: each.text(it[0]).text(it[1]))
    w.optional(intents.deputies, lambda each, them: each.vector(them, Writer.text))
    w.uint8(intents.update).vector(sorted(intents.judged.items()), write_number)


def _intents(r: Reader) -> Intents:
    return Intents(
        adds=dict(r.vector(lambda each: (_handle(each), each.opaque()))),
        removes=dict(r.vector(lambda each: (_handle(each), each.text(TEXT_BYTES)))),
        deputies=r.optional(lambda each: each.vector(_handle)),
        update=r.flag(),
        judged=dict(r.vector(read_number)),
    )


def _write_healing(w: Writer, healing: Healing) -> None:
    w.uint8(healing.step).uint64(healing.common).uint8(healing.forked).uint64(healing.had)
    w.uint64(healing.terms).uint64(healing.terms_at).vector(healing.pull, write_range)
    w.vector(((one, healing.places.get(one, 0)) for one in healing.orphans), write_place)
    w.vector(healing.entered.items(), write_number).vector(healing.met.items(), write_number)
    w.vector(healing.gone.items(), lambda each, it: each.text(it[0]).uint64(it[1][0]).text(it[1][1]))
    w.vector(sorted(healing.owed), Writer.text).vector(sorted(healing.anew), Writer.text)
    w.vector(healing.known.items(), lambda each, it: each.fixed(it[0], ID_BYTES).text(it[1][0]).opaque(it[1][1]))
    w.vector(((one, ranges) for one, ranges in healing.unseen.items() if ranges), write_ranges)
    apart = [(line, handles) for line, handles in healing.apart.items() if handles]
    w.vector(apart, write_apart)
    w.vector(((one, ranges) for one, ranges in healing.untold.items() if ranges), write_ranges)
    w.vector([healing.posted.get((*line, one), 0) for line, handles in apart for one in handles], Writer.uint64)
    w.vector([line in healing.handed for line, _ in apart], Writer.uint8)


def _healing(r: Reader) -> Healing:
    healing = Healing(
        step=r.enum(Step),
        common=r.uint64(),
        forked=r.flag(),
        had=r.uint64(),
        terms=r.uint64(),
        terms_at=r.uint64(),
        pull=r.vector(read_range),
    )
    stood = r.vector(read_place)
    healing = replace(
        healing,
        orphans=tuple(line for line, _ in stood),
        places={line: seq for line, seq in stood if seq},
        entered=dict(r.vector(read_number)),
        met=dict(r.vector(read_number)),
        gone=dict(r.vector(lambda each: (_handle(each), (each.uint64(), each.text(TEXT_BYTES))))),
        owed=frozenset(r.vector(_handle)),
        anew=frozenset(r.vector(_handle)),
        known=dict(r.vector(lambda each: (each.fixed(ID_BYTES), (_handle(each), each.opaque(ID_BYTES))))),
        unseen=dict(r.vector(read_ranges)),
        apart=dict(r.vector(read_apart)),
        untold=dict(r.vector(read_ranges)),
    )
    to = [(*line, one) for line, handles in healing.apart.items() for one in handles]
    posted = {one: number for one, number in zip(to, r.vector(Reader.uint64), strict=False) if number}
    handed = frozenset(line for line, mark in zip(healing.apart, r.vector(Reader.flag), strict=False) if mark)
    return replace(healing, posted=posted, handed=handed)


def place_part(lobby: Lobby) -> tuple[Any, ...]:
    """What changes with what is said; equal where nothing is to be written."""
    order, voice, ears = lobby.order, lobby.voice, lobby.ears
    at = None if order is None else (order.hash, order.runs)
    heard = ears.counts, ears.marks, ears.read, ears.lost, ears.words, ears.gaps
    return (at, voice.next, voice.count, heard, lobby.mailed)


def write_number(w: Writer, item: tuple[str, int]) -> None:
    """Somebody, and a number."""
    w.text(item[0]).uint64(item[1])


def read_number(r: Reader) -> tuple[str, int]:
    """The inverse of ``write_number``."""
    return _handle(r), r.uint64()


def write_range(w: Writer, ends: tuple[int, int]) -> None:
    """A range of entries."""
    w.uint64(ends[0]).uint64(ends[1])


def read_range(r: Reader) -> tuple[int, int]:
    """The inverse of ``write_range``."""
    return r.uint64(), r.uint64()


def _line(r: Reader) -> tuple[str, bytes]:
    return _handle(r), r.fixed(ID_BYTES)


def write_place(w: Writer, item: tuple[tuple[str, bytes], int]) -> None:
    """Author and id of a line, and where it stood."""
    (author, identity), seq = item
    w.text(author).fixed(identity, ID_BYTES).uint64(seq)


def read_place(r: Reader) -> tuple[tuple[str, bytes], int]:
    """The inverse of ``write_place``."""
    return _line(r), r.uint64()


def write_ranges(w: Writer, item: tuple[str, tuple[tuple[int, int], ...]]) -> None:
    """Somebody, and ranges of entries."""
    w.text(item[0]).vector(item[1], write_range)


def read_ranges(r: Reader) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The inverse of ``write_ranges``."""
    return _handle(r), r.vector(read_range)


def write_apart(w: Writer, item: tuple[tuple[str, bytes], tuple[str, ...]]) -> None:
    """Author and id of a line, and who is to be given it."""
    (author, identity), handles = item
    w.text(author).fixed(identity, ID_BYTES).vector(handles, Writer.text)


def read_apart(r: Reader) -> tuple[tuple[str, bytes], tuple[str, ...]]:
    """The inverse of ``write_apart``."""
    return _line(r), r.vector(_handle)


def _write_mark(w: Writer, item: tuple[str, Mark]) -> None:
    handle, mark = item
    w.text(handle).uint64(mark.has).uint64(mark.read).vector(mark.missing, write_range)


def _mark(r: Reader) -> tuple[str, Mark]:
    return _handle(r), Mark(r.uint64(), r.uint64(), r.vector(read_range))


def _write_mailed(w: Writer, item: tuple[str, Reach]) -> None:
    handle, one = item
    w.text(handle).uint64(one.upto).uint64(one.first).uint64(one.until)


def _mailed(r: Reader) -> tuple[str, Reach]:
    return _handle(r), Reach(r.uint64(), r.uint64(), r.uint64())


def _write_gaps(w: Writer, item: tuple[str, tuple[Gap, ...]]) -> None:
    author, there = item
    w.text(author).vector(there, lambda each, gap: each.uint64(gap.first).uint64(gap.last))


def _gaps(r: Reader) -> tuple[str, tuple[Gap, ...]]:
    return _handle(r), r.vector(lambda each: Gap(each.uint64(), each.uint64(), 0.0))


def _write_order(w: Writer, order: Order) -> None:
    w.uint64(order.seq).fixed(order.hash, HASH_BYTES).uint64(order.epoch).uint64(order.base)
    write_runs(w, order.runs).vector(order.numbers.items(), write_number)


def encode_place(lobby: Lobby) -> bytes:
    """The state under ``place/<group>``."""
    voice, ears = lobby.voice, lobby.ears
    w = Writer().uint8(VERSION).optional(lobby.order, _write_order).uint64(voice.next).uint64(voice.count)
    w.vector(ears.counts.items(), write_number).vector(ears.marks.items(), _write_mark)
    w.uint64(ears.read).vector(ears.lost, write_range).uint64(ears.words)
    w.vector(lobby.mailed.items(), _write_mailed)
    return (w.vector(ears.gaps.items(), _write_gaps) if ears.gaps else w).done()


def _shelf(items: tuple[tuple[str, T], ...]) -> Shelf[str, T]:
    shelf: Shelf[str, T] = Shelf()
    for key, value in items:
        shelf = shelf.put(key, value)
    return shelf


def decode_lobby(group: bytes, data: bytes, at: bytes) -> Lobby:
    """The inverse of ``encode_lobby`` and ``encode_place`` (empty where there is none). Raises ``DecodeError``."""

    def order(r: Reader) -> Order:
        seq, digest, epoch, base = r.uint64(), r.fixed(HASH_BYTES), r.uint64(), r.uint64()
        return Order(group, seq, digest, read_runs(r), epoch, _shelf(r.vector(read_number)), base=base)

    def place(r: Reader) -> tuple[Order | None, Voice, Ears, dict[str, Reach]]:
        where, voice = r.optional(order), Voice(r.uint64(), r.uint64())
        counts, marks = _shelf(r.vector(read_number)), _shelf(r.vector(_mark))
        ears = Ears(counts, marks, r.uint64(), r.vector(read_range), r.uint64())
        mailed = dict(r.vector(_mailed))
        return where, voice, replace(ears, gaps=dict(r.vector(_gaps)) if r.remaining else {}), mailed

    lobby = read(data, lambda r: _lobby(group, r))
    if not at:
        return lobby
    where, voice, ears, mailed = read(at, place)
    return replace(lobby, order=where, voice=voice, ears=ears, mailed=mailed)


# --- what is handed in ---


def flying_key(group: bytes, number: int) -> str:
    """Where something handed in is kept until it is seen ordered."""
    return f"{OUT_KEY}{group.hex()}/f/{number:016x}"


def encode_flying(flying: Flying) -> bytes:
    """The state of something handed in."""
    w = Writer().uint8(VERSION).uint8(flying.kind).uint64(flying.epoch).opaque(flying.id).opaque(flying.content)
    w.opaque(flying.payload).opaque(flying.original)
    return w.vector(flying.former, lambda each, name: each.fixed(name, PAYLOAD_NAME_BYTES)).done()


def decode_flying(key: str, data: bytes) -> Flying:
    """The inverse of ``encode_flying``. Raises ``DecodeError``."""

    def flying(r: Reader) -> Flying:
        return Flying(
            int(key.rpartition("/")[2], 16),
            kind=r.enum(EntryKind),
            epoch=r.uint64(),
            id=r.opaque(),
            content=r.opaque(),
            payload=r.opaque(),
            original=r.opaque(),
            former=r.vector(lambda each: each.fixed(PAYLOAD_NAME_BYTES)),
        )

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
