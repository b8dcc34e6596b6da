"""The leader's half of a lobby: it gives every entry its number, and knows how far each follower is.

A follower is *live* while everything that is appended is pushed to it at once. It stops being live when it lags by
more than the window or its link goes; nothing is pushed then, so a slow follower costs its leader nothing and the
others notice nothing. It comes back by fetching: the fetch that reaches the head makes it live again, because
whatever is appended later follows the replayed entries on the same link.

Whoever left or was removed stays a follower up to the entry that says so (``until``), and then is forgotten.
What is known of links and of ``have`` is not kept on disk: it is learnt again after a restart, from the answer to
``Head``. Left out: who asked whom, posts and history (``chat``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from conclave.lobby import chain
from conclave.lobby.shelf import Shelf
from conclave.wire.frames import EntryKind, Head, Ordered, encode_ordered

FETCH_ENTRIES = 256
"""Entries replayed for one fetch."""
PATIENCE_DOUBLINGS = 5
"""A follower that is linked but does not move is asked after 1, 2, 4 ... 32 times the waiting time."""


@dataclass(frozen=True, slots=True)
class Follower:
    """One who gets the order: entries ``since`` to ``until`` (0: no end), and what this link has done for it."""

    since: int
    until: int = 0
    until_hash: bytes = b""
    linked: bool = False
    live: bool = False
    have: int = 0  # committed there, as far as we know
    sent: int = 0  # while not live: what was replayed, or told of, on this link
    moved: float = 0.0  # UNIX seconds of the last sign of progress, or of our last question
    asked: int = 0  # questions since then


@dataclass(frozen=True, slots=True)
class Leading:
    """A lobby that we lead. ``seq`` and ``hash`` are those of the last entry."""

    group: bytes
    name: str
    leader: str
    hash: bytes
    term: int = 1
    seq: int = 0
    followers: Shelf[str, Follower] = field(default_factory=Shelf)
    invited: frozenset[str] = frozenset()

    @property
    def roster(self) -> tuple[str, ...]:
        """The leader first, then every member."""
        return (self.leader, *sorted(h for h, one in self.followers.items() if not one.until))


def found(group: bytes, name: str, leader: str) -> Leading:
    """A lobby without entries."""
    return Leading(group, name, leader, chain.start(group, leader))


def append(
    leading: Leading, sender: str, identity: bytes, epoch: int, kind: EntryKind, payload: bytes
) -> tuple[Leading, Ordered, bytes]:
    """Give something the next number: the lobby after it, the entry, and the entry as it is stored and hashed."""
    entry = Ordered(
        leading.group, leading.term, leading.seq + 1, leading.hash, sender, identity, epoch, kind, payload
    )
    encoded = encode_ordered(entry)
    return replace(leading, seq=entry.seq, hash=chain.link(encoded)), entry, encoded


def audience(leading: Leading, window: int) -> tuple[Leading, list[str], bool]:
    """Who gets the entry just appended pushed, and whether anybody linked is to get it.

    Who lags by more than ``window`` entries is live no longer.
    """
    seq = leading.seq
    pushed: list[str] = []
    lagging: list[tuple[str, Follower]] = []
    awaited = False
    for handle, one in leading.followers.items():
        if not one.linked or 0 < one.until < seq:
            continue
        awaited = True
        if not one.live:
            continue
        if seq - one.have > window:
            lagging.append((handle, one))
        else:
            pushed.append(handle)
    for handle, one in lagging:
        leading = _put(leading, handle, replace(one, live=False, sent=seq - 1))
    return leading, pushed, awaited


def admit(leading: Leading, handle: str, now: float, *, linked: bool) -> Leading:
    """Make ``handle`` a follower from the next entry on, which will be the one that lets it in."""
    one = Follower(leading.seq + 1, linked=linked, live=linked, have=leading.seq, moved=now)
    return replace(_put(leading, handle, one), invited=leading.invited - {handle})


def part(leading: Leading, handle: str, *, at_once: bool) -> Leading:
    """The last entry said that ``handle`` left or was removed; ``at_once``: it does not even get that entry."""
    one = leading.followers.get(handle)
    if one is None or one.until:
        return leading
    if at_once:
        return forget(leading, handle)
    return _put(leading, handle, replace(one, until=leading.seq, until_hash=leading.hash))


def forget(leading: Leading, handle: str) -> Leading:
    """Nothing more for ``handle``."""
    return replace(leading, followers=leading.followers.drop(handle))


def close(leading: Leading) -> Leading:
    """The last entry closed the lobby: everybody follows up to it, nobody is asked any more."""
    for handle, one in leading.followers.items():
        if not one.until:
            leading = _put(leading, handle, replace(one, until=leading.seq, until_hash=leading.hash))
    return replace(leading, invited=frozenset())


def link(leading: Leading, handle: str, now: float, *, up: bool) -> Leading:
    """The link to ``handle`` came or went: in either case what was pushed may be lost."""
    one = leading.followers.get(handle)
    if one is None:
        return leading
    goal = one.until or leading.seq  # the head that is told right away
    return _put(leading, handle, replace(one, linked=up, live=False, sent=goal, moved=now, asked=0))


def heard(leading: Leading, handle: str, seq: int, now: float) -> tuple[Leading, bool, bool]:
    """``handle`` has everything up to ``seq``: the lobby, whether to send it ``Head``, and whether it has all."""
    one = leading.followers.get(handle)
    if one is None:
        return leading, False, False
    goal = one.until or leading.seq
    have = max(one.have, min(seq, goal))
    live = one.live or (one.linked and have == goal)
    tell = not live and one.sent <= have < goal
    sent = goal if tell else max(one.sent, have)
    if have > one.have or live != one.live or tell:
        one = replace(one, have=have, live=live, sent=sent, moved=now, asked=0)
        leading = _put(leading, handle, one)
    return leading, tell, have == goal and one.until > 0


def fetched(leading: Leading, handle: str, first: int, count: int, now: float) -> tuple[Leading, int, int]:
    """What to replay for a fetch: the lobby, the first entry and how many (0: nothing).

    Nobody gets what was said before it entered, or after it left.
    """
    one = leading.followers.get(handle)
    if one is None:
        return leading, 0, 0
    goal = one.until or leading.seq
    first = max(first, one.since)
    last = min(goal, first + min(count, FETCH_ENTRIES) - 1)
    if last < first:
        return leading, 0, 0
    have = max(one.have, first - 1)
    after = replace(one, have=have, sent=last, live=one.linked and last == goal, moved=now, asked=0)
    return _put(leading, handle, after), first, last - first + 1


def head_for(leading: Leading, handle: str) -> Head | None:
    """How far the order goes for ``handle``; None where it does not follow."""
    one = leading.followers.get(handle)
    if one is None:
        return None
    if one.until:
        return Head(leading.group, leading.term, one.until, one.until_hash)
    return Head(leading.group, leading.term, leading.seq, leading.hash)


def unmoved(leading: Leading, now: float, after: float) -> tuple[Leading, list[str], bool]:
    """Who is linked, behind, and silent for ``after`` seconds or more; and whether anybody linked is behind."""
    silent: list[str] = []
    behind = False
    for handle, one in leading.followers.items():
        if not one.linked or one.have >= (one.until or leading.seq):
            continue
        behind = True
        if abs(now - one.moved) >= after * (1 << min(one.asked, PATIENCE_DOUBLINGS)):
            silent.append(handle)
            leading = _put(leading, handle, replace(one, moved=now, asked=one.asked + 1))
    return leading, silent, behind


def _put(leading: Leading, handle: str, one: Follower) -> Leading:
    return replace(leading, followers=leading.followers.put(handle, one))
