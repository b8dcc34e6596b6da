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

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from conclave.lobby.shelf import Shelf

FETCH_ENTRIES = 256
"""Entries replayed for one fetch."""
_NEVER = 1 << 64  # no entry has such a number
PATIENCE_DOUBLINGS = 5
"""A follower that is linked but does not move is asked after 1, 2, 4 ... 32 times the waiting time."""


class Follower(NamedTuple):
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
    there, live, since, least, ends = _linked(followers)
    if since <= seq <= ends and seq - least <= window:
        return followers, live, there
    pushed: list[str] = []
    awaited = False
    for handle, one in list(followers.items()):
        if not one.linked or seq < one.since or 0 < one.until < seq:
            continue
        awaited = True
        if one.live and seq - one.have > window:
            followers = followers.put(handle, one._replace(live=False, sent=seq - 1))
        elif one.live:
            pushed.append(handle)
    return followers, tuple(pushed), awaited


@lru_cache(16)  # many entries are ordered between two changes of the followers
def _linked(followers: Followers) -> tuple[bool, tuple[str, ...], int, int, int]:
    """Of the linked: whether any is, who is live, the latest start, the least that a live one has, the first end."""
    linked = [(handle, one) for handle, one in followers.items() if one.linked]
    live = tuple(handle for handle, one in linked if one.live)
    least = min((one.have for _, one in linked if one.live), default=_NEVER)
    since = max((one.since for _, one in linked), default=0)
    return bool(linked), live, since, least, min((one.until for _, one in linked if one.until), default=_NEVER)


def admit(followers: Followers, handle: str, seq: int, now: float, *, linked: bool) -> Followers:
    """``handle`` was let in by entry ``seq``, and follows from the next one on."""
    return followers.put(handle, Follower(seq + 1, linked=linked, live=linked, have=seq, moved=now))


def part(followers: Followers, handle: str, seq: int) -> Followers:
    """Entry ``seq`` says that ``handle`` is out."""
    one = followers.get(handle)
    return followers if one is None or one.until else followers.put(handle, one._replace(until=seq))


def link(followers: Followers, handle: str, seq: int, now: float, *, up: bool) -> Followers:
    """The link to ``handle`` came or went: in either case what was pushed may be lost."""
    one = followers.get(handle)
    if one is None:
        return followers
    return followers.put(
        handle, one._replace(linked=up, live=False, sent=one.until or seq, moved=now, asked=0)
    )  # the head, told right away, counts as sent


def heard(
    followers: Followers, haves: Iterable[tuple[str, int]], seq: int, now: float
) -> tuple[Followers, list[str], list[str]]:
    """Some have everything up to what each told: the followers, whom to send our head, and who is gone with all."""
    changed: dict[str, Follower] = {}
    tell: list[str] = []
    gone: list[str] = []
    for handle, told in haves:
        one = changed.get(handle) or followers.get(handle)
        if one is None:
            continue
        goal = one.until or seq
        have = max(one.have, min(told, goal))
        live = one.live or (one.linked and have == goal)
        ask = not live and one.sent <= have < goal
        if have > one.have or live != one.live or ask:
            sent = goal if ask else max(one.sent, have)
            changed[handle] = Follower(one.since, one.until, one.linked, live, have, sent, now)
        if ask:
            tell.append(handle)
        if have == goal and one.until > 0:
            gone.append(handle)
            changed.pop(handle, None)
            followers = followers.drop(handle)
    return followers.update(changed), tell, gone


def rewound(followers: Followers, handle: str) -> Followers:
    """``handle`` went back to where its order and ours part: what it has is to be learnt anew."""
    one = followers.get(handle)
    return followers if one is None else followers.put(handle, one._replace(have=0, live=False))


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
    after = one._replace(have=have, sent=last, live=one.linked and last == goal, moved=now, asked=0)
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
            followers = followers.put(handle, one._replace(moved=now, asked=one.asked + 1))
    return followers, silent, behind
