"""Our key packages: a stock at the authority, so that a conversation with us can begin while we are away.

A key package's private keys are on disk before it is published, and are erased when somebody has used it; those of
the last-resort one, which serves when the stock is used up, when its successor has been published for a while. Left
out: the authority (``node.mailroom``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.effects import Publish
from conclave.chat.work import Work
from conclave.errors import DecodeError, LocalError
from conclave.mls import group as mls
from conclave.mls.group import OwnKeyPackage
from conclave.wire.packages import Package

LAST_KEPT = 2
"""Last-resort packages whose keys we hold: what was sealed to the one before is still under way."""


def fresh(work: Work) -> bytes:
    """A new key package of ours to hand out, as an ``MLSMessage``. Raises ``LocalError`` without a certificate."""
    own = groups.package(work)
    work.keep_package(mls.reference(own.package), own)
    _shed(work)
    return mls.write_key_package(own.package)


def _shed(work: Work) -> None:
    """The oldest of too many go, and those that have ended."""
    single = [(package.package.leaf.lifetime[1], ref) for ref, package in work.packages() if ref not in work.last]
    single.sort()
    excess = len(single) - work.settings.packages
    for at, (until, ref) in enumerate(single):
        if at < excess or until < work.now:
            work.drop_package(ref)


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
    packages = tuple(fresh(work) for _ in range(count))
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


def asked(work: Work) -> Package | None:
    """A key package for a peer that is linked; None where we have no certificate for it."""
    try:
        return Package(fresh(work))
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
