"""A member's half of a lobby: it follows the leader's order, and believes nothing that does not fit the chain.

An entry is *next*, *repeated* or *ahead*; only the next one is taken, after its term, sender and previous hash were
checked. Ahead means that something is missing: the member fetches, one bounded fetch at a time. Left out: history,
and what the words say (``chat``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from conclave.errors import VerificationError
from conclave.lobby import chain
from conclave.lobby.leader import FETCH_ENTRIES
from conclave.lobby.roster import Change, Turn, decode_change
from conclave.wire.frames import EntryKind, Fetch, Have, Head, Ordered, encode_ordered


class Place(Enum):
    """Where an entry stands to what we have."""

    REPEATED = "repeated"
    NEXT = "next"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class Following:
    """A lobby that we are in. ``seq`` and ``hash`` are those of the last entry that we took."""

    group: bytes
    leader: str
    term: int
    seq: int
    hash: bytes
    roster: frozenset[str]
    head: int = 0  # the furthest entry that we heard of
    fetching: int = 0  # last entry of the fetch under way; 0: none
    asked: float = 0.0  # UNIX seconds of that fetch


def place(following: Following, seq: int) -> Place:
    """Where the entry of that number stands."""
    if seq <= following.seq:
        return Place.REPEATED
    return Place.NEXT if seq == following.seq + 1 else Place.AHEAD


def follow(following: Following, entry: Ordered, most: int) -> tuple[Following, Change | None]:
    """Take the next entry: the lobby after it, and the change of roster that it is, if any.

    ``most`` is how many may be in, the leader among them: an entry that lets in one more is refused.
    Raises ``VerificationError`` or ``DecodeError`` for an entry that the leader may not have written so.
    """
    if entry.term != following.term:
        raise VerificationError(
            f"an entry of term {entry.term}, where term {following.term} runs", reason="wrong-term"
        )
    if entry.previous != following.hash:
        raise VerificationError(
            f"entry {entry.seq} does not follow what we have: {following.leader} shows two different orders",
            reason="forked",
            remedy="compare your histories with the others, and open a new lobby",
        )
    if entry.sender not in following.roster:
        raise VerificationError(
            f"entry {entry.seq} is from {entry.sender[:80]!r}, who is not in", reason="not-a-member"
        )
    change = None
    roster = following.roster
    if entry.kind is EntryKind.ROSTER:
        if entry.sender != following.leader:
            raise VerificationError("only the leader changes the roster", reason="not-the-leader")
        change = decode_change(entry.payload)
        if change.turn is Turn.ENTERED:
            roster = roster | {change.handle}
            if len(roster) > most:
                raise VerificationError(
                    f"{following.leader} lets in more than {most} people",
                    reason="lobby-full",
                    remedy="leave the lobby",
                )
        elif change.turn is not Turn.CLOSED:
            roster = roster - {change.handle}
    done = following.fetching and entry.seq >= min(following.fetching, max(following.head, entry.seq))
    return (
        replace(
            following,
            seq=entry.seq,
            hash=chain.link(encode_ordered(entry)),
            roster=roster,
            head=max(following.head, entry.seq),
            fetching=0 if done else following.fetching,
        ),
        change,
    )


def told(following: Following, head: Head) -> Following:
    """The leader says how far the order goes. Raises ``VerificationError`` where that contradicts what we have."""
    if head.term != following.term:
        raise VerificationError(
            f"the head of term {head.term}, where term {following.term} runs", reason="wrong-term"
        )
    if head.seq == following.seq and head.hash != following.hash:
        raise VerificationError(
            f"{following.leader} shows others a different order than us",
            reason="forked",
            remedy="compare your histories with the others, and open a new lobby",
        )
    if head.seq < following.seq:
        raise VerificationError(
            f"{following.leader} has lost entries that we have", reason="forked", remedy="open a new lobby"
        )
    return noticed(following, head.seq)


def noticed(following: Following, seq: int) -> Following:
    """There is an entry of that number."""
    return following if seq <= following.head else replace(following, head=seq)


def missing(following: Following, now: float, after: float) -> tuple[Following, Fetch | None]:
    """The fetch to send now, if something is missing and none is under way for less than ``after`` seconds."""
    if following.head <= following.seq:
        return following, None
    if following.fetching > following.seq and abs(now - following.asked) < after:
        return following, None
    fetch = Fetch(following.group, following.seq + 1, FETCH_ENTRIES)
    return replace(following, fetching=following.seq + FETCH_ENTRIES, asked=now), fetch


def have(following: Following) -> Have:
    """What we tell the leader that we have."""
    return Have(following.group, following.seq)
