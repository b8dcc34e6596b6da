"""What a leader knows of those who follow its order: how far each is, and what to send it.

A follower is *live* while everything that is ordered is pushed to it at once. It stops being live when it lags by
more than the window or its link goes; nothing is pushed then, so a slow follower costs its leader nothing and the
others notice nothing. It comes back by fetching: the fetch that reaches the head makes it live again, because
whatever is ordered later follows the replayed entries on the same link.

Whoever left or was removed stays a follower up to the entry that says so (``until``), and then is forgotten. None of
this is kept on disk: it is learnt again from the followers' heads. Left out: the order itself (``lobby.order``),
posts and history (``chat``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from conclave.lobby.shelf import Shelf

FETCH_ENTRIES = 256
"""Entries replayed for one fetch."""
PATIENCE_DOUBLINGS = 5
"""A follower that is linked but does not move is asked after 1, 2, 4 ... 32 times the waiting time."""


@dataclass(frozen=True, slots=True)
class Follower:
    """One who gets the order, entries ``since`` to ``until`` (0: no end), and what this link has done for it."""

    since: int = 1
    until: int = 0
    linked: bool = False
    live: bool = False
    have: int = 0  # committed there, as far as we know
    sent: int = 0  # while not live: what was replayed, or told of, on this link
    moved: float = 0.0  # UNIX seconds of the last sign of progress, or of our last question
    asked: int = 0  # questions since then


Followers = Shelf[str, Follower]


def audience(followers: Followers, seq: int, window: int) -> tuple[Followers, tuple[str, ...], bool]:
    """Who gets entry ``seq``, just ordered, pushed, and whether anybody linked is to get it.

    Who lags by more than ``window`` entries is live no longer.
    """
    pushed: list[str] = []
    lagging: list[tuple[str, Follower]] = []
    awaited = False
    for handle, one in followers.items():
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
        followers = followers.put(handle, replace(one, live=False, sent=seq - 1))
    return followers, tuple(pushed), awaited


def admit(followers: Followers, handle: str, seq: int, now: float, *, linked: bool) -> Followers:
    """``handle`` was let in by entry ``seq``, and follows from the next one on."""
    return followers.put(handle, Follower(seq + 1, linked=linked, live=linked, have=seq, moved=now))


def part(followers: Followers, handle: str, seq: int) -> Followers:
    """Entry ``seq`` says that ``handle`` is out."""
    one = followers.get(handle)
    return followers if one is None or one.until else followers.put(handle, replace(one, until=seq))


def link(followers: Followers, handle: str, seq: int, now: float, *, up: bool) -> Followers:
    """The link to ``handle`` came or went: in either case what was pushed may be lost."""
    one = followers.get(handle)
    if one is None:
        return followers
    return followers.put(
        handle, replace(one, linked=up, live=False, sent=one.until or seq, moved=now, asked=0)
    )  # the head, told right away, counts as sent


def heard(followers: Followers, handle: str, have: int, seq: int, now: float) -> tuple[Followers, bool, bool]:
    """``handle`` has everything up to ``have``: the followers, whether to send it our head, whether it has all."""
    one = followers.get(handle)
    if one is None:
        return followers, False, False
    goal = one.until or seq
    have = max(one.have, min(have, goal))
    live = one.live or (one.linked and have == goal)
    tell = not live and one.sent <= have < goal
    sent = goal if tell else max(one.sent, have)
    if have > one.have or live != one.live or tell:
        one = replace(one, have=have, live=live, sent=sent, moved=now, asked=0)
        followers = followers.put(handle, one)
    return followers, tell, have == goal and one.until > 0


def rewound(followers: Followers, handle: str) -> Followers:
    """``handle`` went back to where its order and ours part: what it has is to be learnt anew."""
    one = followers.get(handle)
    return followers if one is None else followers.put(handle, replace(one, have=0, live=False))


def fetched(
    followers: Followers, handle: str, first: int, count: int, seq: int, now: float
) -> tuple[Followers, int, int]:
    """What to replay for a fetch: the followers, the first entry and how many (0: nothing).

    Nobody gets what was said before it entered, or after it left.
    """
    one = followers.get(handle)
    if one is None:
        return followers, 0, 0
    goal = one.until or seq
    first = max(first, one.since)
    last = min(goal, first + min(count, FETCH_ENTRIES) - 1)
    if last < first:
        return followers, 0, 0
    have = max(one.have, first - 1)
    after = replace(one, have=have, sent=last, live=one.linked and last == goal, moved=now, asked=0)
    return followers.put(handle, after), first, last - first + 1


def unmoved(followers: Followers, seq: int, now: float, after: float) -> tuple[Followers, list[str], bool]:
    """Who is linked, behind, and silent for ``after`` seconds or more; and whether anybody linked is behind."""
    silent: list[str] = []
    behind = False
    for handle, one in list(followers.items()):
        if not one.linked or one.have >= (one.until or seq):
            continue
        behind = True
        if abs(now - one.moved) >= after * (1 << min(one.asked, PATIENCE_DOUBLINGS)):
            silent.append(handle)
            followers = followers.put(handle, replace(one, moved=now, asked=one.asked + 1))
    return followers, silent, behind
