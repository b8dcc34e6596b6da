"""Our key packages: a stock at the authority, so that a conversation with us can begin while we are away.

A key package's private keys are on disk before it is published, and are erased when somebody has used it; those of
the last-resort one, which serves when the stock is used up, when its successor has been published for a while.
Whoever asks us gets the same one until it was used, or a day passed, or for a group of two another link was opened,
and takes no room of others. Left out: the authority (``node.mail.mailroom``).
"""

from __future__ import annotations

from math import inf

from conclave.chat import groups
from conclave.chat.deeds import Publish
from conclave.chat.state import Holder
from conclave.chat.work import Work
from conclave.errors import DecodeError, LocalError
from conclave.mls import group as mls
from conclave.mls.group import OwnKeyPackage
from conclave.values import replace
from conclave.wire.packages import Package

LAST_KEPT = 2
"""Last-resort packages whose keys we hold: what was sealed to the one before is still under way."""
HANDED_SECONDS = 86_400.0
"""For so long the same person is handed the same key package."""
HANDED_KEPT = 2
"""Key packages that one person holds for one conversation: the one before may be in use already."""


def _fresh(work: Work, holder: Holder | None = None) -> OwnKeyPackage:
    """A new key package of ours. Raises ``LocalError`` without a certificate."""
    own = groups.package(work)
    reference = mls.reference(own.package)
    work.keep_package(reference, own, holder)
    _shed(work, reference)
    return own


def handed(work: Work, handle: str, group: bytes = b"") -> bytes:
    """The key package of ours that ``handle`` gets, to let us into a lobby or (no ``group``) for a group of two.

    Raises ``LocalError`` without a certificate.
    """
    holder = Holder(handle, group)
    held = sorted(
        (one.package.leaf.lifetime[0], ref) for ref, one in work.packages() if work.holder(ref) == holder
    )  # fmt: skip
    peer = work.peer(handle)
    # Over another link it may have lost its home, and what that one began with ours may lie in our mailbox.
    newest = work.package(peer.flight.handed if not group else held[-1][1] if held else b"")
    if newest is None or not _serves(work, newest):
        newest = _fresh(work, holder)
        for _, reference in held[: len(held) + 1 - HANDED_KEPT]:
            work.drop_package(reference)
    if not group:
        work.keep(replace(peer, flight=replace(peer.flight, handed=mls.reference(newest.package))))
    return mls.write_key_package(newest.package)


def _serves(work: Work, own: OwnKeyPackage) -> bool:
    """Whether it may be handed to the same person once more."""
    leaf = own.package.leaf
    young = leaf.lifetime[0] <= work.now < leaf.lifetime[0] + HANDED_SECONDS
    return young and work.own is not None and work.own.credential == leaf.credential


def holders(work: Work, group: bytes) -> list[str]:
    """Who holds a key package by which it may let us into a lobby."""
    found = (work.holder(reference) for reference, _ in work.packages())
    return sorted({one.handle for one in found if one is not None and one.group == group})


def taken_back(work: Work, group: bytes, handle: str = "", *, before: float = inf) -> None:
    """Nobody lets us into that lobby any more, or ``handle`` does not; or not by what was handed ``before``."""
    for reference, one in work.packages():
        holder = work.holder(reference)
        if holder is None or holder.group != group or handle not in ("", holder.handle):
            continue
        if one.package.leaf.lifetime[0] < before:
            work.drop_package(reference)


def _shed(work: Work, made: bytes) -> None:
    """Those that have ended go, and of each kind the oldest of too many, but never the one just ``made``.

    Nor do those go that are to let us into a lobby that we wait for: our people said so, once for each.
    """
    most = work.settings.packages
    stock, asked, answers = [], [], []
    for reference, package in work.packages():
        if reference in work.last:
            continue
        until, holder = package.package.leaf.lifetime[1], work.holder(reference)
        if until < work.now:
            work.drop_package(reference)
        elif holder is None:
            stock.append((until, reference))
        elif not holder.group:
            asked.append((until, reference))
        elif not _awaited(work, holder.group):
            answers.append((until, reference))
    # What waits at the authority are the youngest of its stock: whoever fetches there gets the older ones.
    rooms = ((stock, max(most // 2, work.settings.stock)), (asked, most // 4), (answers, most // 4))
    for some, room in rooms:
        some.sort(key=lambda one: (one[1] == made, one))
        for _, reference in some[: max(0, len(some) - max(1, room))]:
            work.drop_package(reference)


def _awaited(work: Work, group: bytes) -> bool:
    lobby = work.lobby(group)
    return lobby is not None and lobby.awaited


def stock_told(work: Work, count: int) -> None:
    """The authority has so many single-use ones of ours: fill up, and renew the last resort when its time comes."""
    if work.own is None:
        return
    missing = work.settings.stock - count
    newest = work.package(work.last[0]) if work.last else None
    stale = newest is None or newest.package.leaf.credential != work.own.credential
    if newest is not None:
        begin, end = newest.package.leaf.lifetime
        stale = stale or work.now > (begin + end) / 2
    if missing < work.settings.stock // 2 and not stale:
        return
    replace = newest is None or newest.package.leaf.credential != work.own.credential
    count = work.settings.stock if replace else max(0, missing)
    packages = tuple(mls.write_key_package(_fresh(work).package) for _ in range(count))
    if stale:
        _renew_last(work)
    newest = work.package(work.last[0])
    assert newest is not None
    work.deed(Publish(packages, mls.write_key_package(newest.package), replace))


def _renew_last(work: Work) -> None:
    own = groups.package(work)
    ref = mls.reference(own.package)
    work.keep_package(ref, own, last=True)
    for old in work.last[LAST_KEPT - 1 :]:
        work.drop_package(old)
    work.last = (ref, *work.last[: LAST_KEPT - 1])


def asked(work: Work, handle: str) -> Package | None:
    """A key package for a peer that is linked; None where it is not, or we have no certificate for it."""
    if not work.peer(handle).linked:
        return None
    try:
        return Package(handed(work, handle))
    except LocalError:
        return None


def for_welcome(work: Work, welcome: bytes) -> tuple[bytes, OwnKeyPackage]:
    """The key package of ours that a Welcome is for, and its reference. Raises ``DecodeError`` where none is."""
    for ref in mls.invited(welcome):
        own = work.package(ref)
        if own is not None:
            return ref, own
    raise DecodeError("a Welcome for none of our key packages", remedy="the other side begins anew")


def used(work: Work, reference: bytes) -> None:
    """A group was joined by it: its keys go, unless it is a last resort."""
    if reference not in work.last:
        work.drop_package(reference)
