"""Conversations' histories in memory: lines, what becomes of them, and what was said of them before they came.

The part of ``memory`` that knows lines. Every change puts what undoes it onto ``undo``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from conclave.chat.effects import (
    AddLine,
    AmendLine,
    EraseLine,
    ExpireLine,
    KeepOriginal,
    MarkLine,
    PassLine,
    Record,
    SetPin,
    SetReaction,
    UnplaceLines,
)
from conclave.chat.words.line import Line, LineKind
from conclave.chat.words.originals import other_words
from conclave.store.bounds import EARLY_KEPT, GONE_KEPT
from conclave.store.ports import LineName, StoredLine, name_of
from conclave.store.reactions import Times, reacted
from conclave.values import dataclass, field, replace

Undo = list[Callable[[], object]]
Name = tuple[str, bytes]
Key = tuple[type, str, str, Name]
"""Of what waits: its kind, who said it, the sign, and the line."""
Amendment = AmendLine | EraseLine | SetReaction | SetPin


@dataclass(frozen=True, slots=True)
class Kept:
    """A line with all that is kept of it."""

    stored: StoredLine
    key: int  # its first position
    original: bytes = b""
    edited: float = 0.0
    alone: bool = False  # the edit came outside the order
    times: Times = field(default_factory=dict)  # of its reactions
    pinned: float | None = None  # when the last was said of its pin


@dataclass(slots=True)
class History:
    """One conversation: its lines in order of arrival, at which index each is, and what waits for its line."""

    lines: list[Kept] = field(default_factory=list)
    at: dict[Name, int] = field(default_factory=dict)
    early: dict[Key, Amendment] = field(default_factory=dict)
    gone: dict[Name, int] = field(default_factory=dict)  # lines that disappeared, numbered in that order

    def find(self, sender: str, identity: bytes) -> Kept | None:
        """The line of that name."""
        at = self.at.get((sender, identity))
        return None if at is None else self.lines[at]

    def is_about_erased(self, line: Line) -> bool:
        """Whether a line says something of another whose words are gone."""
        if line.kind is not LineKind.ABOUT or line.reply is None:
            return False
        about = self.find(*line.reply)
        return line.reply in self.gone or (about is not None and about.stored.deleted)

    def shown(self) -> list[StoredLine]:
        """The lines that people see."""
        return [kept.stored for kept in self.lines if kept.stored.line.kind is not LineKind.ABOUT]

    def replace_from(self, at: int, tail: list[Kept]) -> None:
        """Put ``tail`` in place of the lines from index ``at`` on."""
        self.lines[at:] = tail
        self.at |= {(k.stored.line.sender, k.stored.line.id): at + n for n, k in enumerate(tail)}


def _replaces(record: AddLine, kept: Kept) -> bool:
    """Whether a line takes the place of other words under its name."""
    return record.ordered and not kept.stored.deleted and other_words(kept.original, record.original)


def _earlier(one: int, other: int) -> int:
    """Of two places of a line the first; 0 is none."""
    return min(one, other) if one and other else one or other


class Histories:
    """All conversations of a store."""

    def __init__(self) -> None:
        """Empty."""
        self._of: defaultdict[str, History] = defaultdict(History)
        self._last = 0
        self._expiring: dict[tuple[str, Name], float] = {}

    def copy(self) -> Histories:
        """The same lines, to be read when these are others."""
        same = Histories()
        same._of |= {name: History(list(one.lines), dict(one.at)) for name, one in self._of.items()}
        return same

    def get(self, conversation: str) -> History:
        """The conversation's history, or an empty one."""
        return self._of.get(conversation) or History()

    def items(self) -> Iterator[tuple[str, History]]:
        """Every conversation that has lines."""
        return ((name, history) for name, history in self._of.items() if history.lines)

    def add(self, record: AddLine, undo: Undo) -> None:
        """Append a line, or give the one that is there its place."""
        history, line = self._of[record.conversation], record.line
        name = (line.sender, line.id)
        there = history.at.get(name)
        if there is not None:
            kept = history.lines[there]
            old = kept.stored.line
            if _replaces(record, kept):
                self._replace(history, there, record, undo)
            elif line.seq and not old.seq:
                self._place(history, there, replace(old, seq=line.seq), undo)
            elif 0 < line.seq < old.seq:
                moved = replace(kept.stored, line=replace(old, seq=line.seq))
                self._put(history, there, replace(kept, stored=moved), undo)
            return
        self._last += 1
        history.at[name] = len(history.lines)
        history.lines.append(Kept(StoredLine(self._last, line), self._last, record.original))
        if line.expires > 0:
            self._expiring[record.conversation, name] = line.expires

        def forget() -> None:
            self._last -= 1
            history.lines.pop()
            del history.at[name]
            self._expiring.pop((record.conversation, name), None)

        undo.append(forget)
        if name in history.gone:
            self._set_gone(history, {one: at for one, at in history.gone.items() if one != name}, undo)
        if history.is_about_erased(line):
            self._put(history, len(history.lines) - 1, replace(history.lines[-1], original=b""), undo)
        waiting = {key: one for key, one in history.early.items() if (one.sender, one.id) == name}
        if waiting:
            self._set_early(history, {k: one for k, one in history.early.items() if k not in waiting}, undo)
            for one in waiting.values():
                self.amend(one, undo)

    def replaced(self, records: Sequence[Record]) -> frozenset[LineName]:
        """Which of the lines here would give way to others under their names."""
        lines = (record for record in records if isinstance(record, AddLine) and record.ordered)
        there = ((one, self.get(one.conversation).find(one.line.sender, one.line.id)) for one in lines)
        return frozenset(name_of(one) for one, kept in there if kept is not None and _replaces(one, kept))

    def _replace(self, history: History, there: int, record: AddLine, undo: Undo) -> None:
        """Put a line in the place of other words under its name, behind what came since."""
        line, name = record.line, (record.line.sender, record.line.id)
        status, before = history.lines[there].stored.line.status, dict(self._expiring)
        self._place(history, there, replace(line, status=status), undo)
        kept = history.lines[history.at[name]]
        original = b"" if history.is_about_erased(line) else record.original
        kept = replace(kept, stored=replace(kept.stored, edited=True), original=original, edited=0.0, alone=False)
        self._put(history, history.at[name], kept, undo)
        self._forget_edits(history, name, undo, by=line.sender)
        self._expiring.pop((record.conversation, name), None)
        if line.expires > 0:
            self._expiring[record.conversation, name] = line.expires
        undo.append(lambda: setattr(self, "_expiring", before))

    def mark(self, record: MarkLine, undo: Undo) -> None:
        """Say how far a line came, and its place."""
        history = self._of[record.conversation]
        at = history.at.get((record.sender, record.id))
        if at is None:
            return
        old = history.lines[at].stored.line
        line = replace(old, status=record.status, seq=_earlier(old.seq, record.seq))
        if record.seq and not old.seq:
            self._place(history, at, line, undo)
        else:
            self._put(
                history, at, replace(history.lines[at], stored=replace(history.lines[at].stored, line=line)), undo
            )

    def keep_original(self, record: KeepOriginal, undo: Undo) -> None:
        """Give a line what its author signed, once."""
        history = self._of[record.conversation]
        at = history.at.get((record.sender, record.id))
        if at is None:
            return
        kept = history.lines[at]
        if not kept.original and not kept.stored.deleted and not history.is_about_erased(kept.stored.line):
            self._put(history, at, replace(kept, original=record.original), undo)

    def amend(self, record: Amendment, undo: Undo) -> None:
        """Change a line that stands, or keep what was said of it until it comes."""
        history = self._of[record.conversation]
        at = history.at.get((record.sender, record.id))
        if at is None:
            if isinstance(record, EraseLine) or (record.sender, record.id) not in history.gone:
                self._set_early(history, _with_early(history.early, record), undo)
        elif not history.lines[at].stored.deleted:
            self._put(history, at, _amended(history.lines[at], record), undo)
            if isinstance(record, EraseLine):
                self._forget_edits(history, (record.sender, record.id), undo)

    def unplace(self, record: UnplaceLines, undo: Undo) -> None:
        """Take their places from lines."""
        history = self._of[record.conversation]
        for at, kept in enumerate(history.lines):
            if kept.stored.line.seq > record.seq:
                line = replace(kept.stored.line, seq=0)
                self._put(history, at, replace(kept, stored=replace(kept.stored, line=line)), undo)

    def expire(self, record: ExpireLine, undo: Undo) -> None:
        """Give a line a time to go, where it has none."""
        history = self._of[record.conversation]
        kept = history.find(record.sender, record.id)
        if kept is None or kept.stored.deleted or kept.stored.line.expires:
            return
        name = (record.sender, record.id)
        line = replace(kept.stored.line, expires=record.at)
        self._put(history, history.at[name], replace(kept, stored=replace(kept.stored, line=line)), undo)
        self._expiring[record.conversation, name] = record.at
        undo.append(lambda: self._expiring.pop((record.conversation, name), None))

    def drop_expired(self, now: float, undo: Undo) -> None:
        """Drop lines whose time has come."""
        gone = {key: expires for key, expires in self._expiring.items() if expires <= now}
        if not gone:
            return
        before = dict(self._expiring)
        self._expiring = {key: expires for key, expires in before.items() if key not in gone}
        undo.append(lambda: setattr(self, "_expiring", before))
        for conversation in {conversation for conversation, _ in gone}:
            old = self._of[conversation]
            names = [name for of, name in gone if of == conversation]
            new = History(early=old.early, gone=_with_gone(old.gone, names))
            kept = (k for k in old.lines if (conversation, (k.stored.line.sender, k.stored.line.id)) not in gone)
            new.replace_from(0, list(kept))
            self._of[conversation] = new
            undo.append(lambda conversation=conversation, old=old: self._of.__setitem__(conversation, old))  # type: ignore[misc]
            for name in names:
                self._forget_edits(new, name, [])

    def pass_by(self, record: PassLine, undo: Undo) -> None:
        """Forget what was said of a line that does not come."""
        history, name = self._of[record.conversation], (record.sender, record.id)
        if name not in history.at:
            self._set_gone(history, _with_gone(history.gone, [name]), undo)
            early = {key: one for key, one in history.early.items() if key[0] is EraseLine or key[3] != name}
            self._set_early(history, early, undo)
            self._forget_edits(history, name, undo)

    def _forget_edits(self, history: History, line: Name, undo: Undo, by: str = "") -> None:
        for at, kept in enumerate(history.lines):
            about = kept.stored.line
            if about.kind is LineKind.ABOUT and about.reply == line and by in ("", about.sender):
                self._put(history, at, replace(kept, original=b""), undo)

    def _place(self, history: History, at: int, line: Line, undo: Undo) -> None:
        """Put a line that got its place behind what came before it."""
        kept = history.lines[at]
        if at == len(history.lines) - 1:
            self._put(history, at, replace(kept, stored=replace(kept.stored, line=line)), undo)
            return
        tail = history.lines[at:]
        self._last += 1
        moved = replace(kept, stored=replace(kept.stored, position=self._last, line=line))
        history.replace_from(at, [*tail[1:], moved])

        def move_back() -> None:
            self._last -= 1
            history.replace_from(at, tail)

        undo.append(move_back)

    def _put(self, history: History, at: int, kept: Kept, undo: Undo) -> None:
        old = history.lines[at]
        history.lines[at] = kept
        undo.append(lambda: history.lines.__setitem__(at, old))

    def _set_gone(self, history: History, gone: dict[Name, int], undo: Undo) -> None:
        old = history.gone
        history.gone = gone
        undo.append(lambda: setattr(history, "gone", old))

    def _set_early(self, history: History, early: dict[Key, Amendment], undo: Undo) -> None:
        old = history.early
        history.early = early
        undo.append(lambda: setattr(history, "early", old))


def _amended(kept: Kept, record: Amendment) -> Kept:
    stored = kept.stored
    match record:
        case AmendLine():
            if stored.line.kind is not LineKind.TEXT:
                return kept
            counts = (not record.alone, record.at, record.text)
            if stored.edited and (not kept.alone, kept.edited, stored.line.text) >= counts:
                return kept
            stored = replace(stored, line=replace(stored.line, text=record.text), edited=True)
            return replace(kept, stored=stored, edited=record.at, alone=record.alone)
        case EraseLine():
            line = replace(stored.line, text="", reply=None)
            return Kept(StoredLine(stored.position, line, deleted=True), kept.key)
        case SetReaction():
            reactions, times = reacted(stored.reactions, kept.times, record.by, record.sign, record.at, on=record.on)
            return replace(kept, stored=replace(stored, reactions=reactions), times=times)
        case SetPin():
            if kept.pinned is not None and (record.at, not record.on) <= (kept.pinned, not stored.pinned):
                return kept
            return replace(kept, stored=replace(stored, pinned=record.on), pinned=record.at)


def _with_gone(gone: dict[Name, int], names: Iterable[Name]) -> dict[Name, int]:
    """What disappeared, with these: the last ones."""
    gone = dict(gone)
    for name in names:
        gone.setdefault(name, next(reversed(gone.values()), 0) + 1)
    last = next(reversed(gone.values()), 0)
    return {name: number for name, number in gone.items() if number > last - GONE_KEPT}


def _rank(record: Amendment) -> tuple[bool, float, str, bool]:
    """Of what was said of the same, the greatest counts."""
    match record:
        case AmendLine():
            return (not record.alone, record.at, record.text, False)
        case EraseLine():
            return (True, 0.0, "", False)
        case SetReaction() | SetPin():
            return (True, record.at, "", not record.on)


def _with_early(early: dict[Key, Amendment], record: Amendment) -> dict[Key, Amendment]:
    """What waits, with ``record``: the newest of the same; where there is an erasure only that."""
    line = (record.sender, record.id)
    kind, by, sign = type(record), record.sender, ""
    if isinstance(record, SetReaction):
        by, sign = record.by, record.sign
    elif isinstance(record, SetPin):
        by = ""
    key = (kind, by, sign, line)
    old = early.get(key)
    if (EraseLine, record.sender, "", line) in early:
        return early
    if old is not None and _rank(old) >= _rank(record):
        return early
    early = {**early, key: record}
    if isinstance(record, EraseLine):
        early = {k: one for k, one in early.items() if k == key or (one.sender, one.id) != line}
    of_one = [k for k in early if k[1] == by]
    return {k: one for k, one in early.items() if k not in of_one[:-EARLY_KEPT]}
