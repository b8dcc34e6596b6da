"""Key packages of members (RFC 9420 section 10): a stock of single-use ones, and one of last resort.

A device publishes them, so that others can start a conversation with somebody who is away. To the authority they are
opaque bytes; whoever is given one verifies whose it is. The single-use ones are given in order, each once, ever: the
removal is committed before the answer. The last-resort one is given when there is no other, and to who only wants to
seal something. Left out: how often who may take (``net.packages``).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from conclave.authority.audit import Actor, entry, on_refusal
from conclave.authority.members import Member, demand_active, find_member
from conclave.authority.ports import Reads, Store, Transaction
from conclave.authority.records import Action
from conclave.errors import Refused
from conclave.pki.names import Handle
from conclave.values import dataclass, field

PACKAGE_BYTES = 16 * 1024
STOCK_MOST = 100
"""Most single-use key packages of one person."""
STOCK_LOW = 10
"""Below this, the owner is told."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A key package given away. ``last``: it is the last-resort one; ``left``: single-use ones in stock now."""

    owner: Handle
    data: bytes = field(repr=False)
    last: bool
    left: int


def publish(
    store: Store, member: Member, packages: Sequence[bytes], last: bytes, now: float, origin: str, *, replace: bool
) -> Future[int]:
    """Add to a member's stock, set its last-resort key package unless ``last`` is empty; how many are in stock then.

    ``replace`` drops what was in stock: for a device that does not have the keys any more. Publishing the same again
    changes nothing. Refused: ``package-size``, ``stock-full``, ``suspended``.
    """
    actor = Actor(member.handle, origin)

    def decision(transaction: Transaction) -> int:
        demand_active(transaction.account(member.handle))
        if not all(0 < len(package) <= PACKAGE_BYTES for package in packages) or len(last) > PACKAGE_BYTES:
            raise Refused(
                f"a key package has 1 to {PACKAGE_BYTES} bytes", reason="package-size", remedy="make smaller ones"
            )
        if replace:
            transaction.drop_stock(member.handle)
        for package in packages:
            transaction.add_package(member.handle, member.device, package, now)
        if last:
            transaction.set_last_package(member.handle, member.device, last, now)
        stocked = transaction.stock(member.handle)
        if stocked > STOCK_MOST:
            raise Refused(
                f"at most {STOCK_MOST} key packages are kept, and these would make it {stocked}",
                reason="stock-full",
                remedy="publish fewer, or replace the stock",
            )
        what = f"{member.device}: {len(packages)} and {'a' if last else 'no'} last one{', replacing' * replace}"
        transaction.record(entry(actor, Action.PACKAGES, what, now))
        return stocked

    return store.decide(decision, on_refusal(actor, Action.PACKAGES, member.device, now))


def take(store: Store, asker: Member, owner: str, *, single: bool) -> Future[Taken]:
    """Give one of ``owner``'s key packages: the oldest single-use one where ``single``, else that of last resort.

    Refused: ``suspended``, ``unknown-user``, ``expelled-user``, ``no-package``.
    """

    def decision(transaction: Transaction) -> Taken:
        demand_active(transaction.account(asker.handle))
        whose = find_member(transaction, owner)
        data = transaction.take_package(whose) if single else None
        left = transaction.stock(whose)
        if data is None:
            return Taken(whose, _last(transaction, whose), last=True, left=left)
        return Taken(whose, data, last=False, left=left)

    return store.decide(decision)


def peek(reads: Reads, owner: str) -> bytes:
    """Give ``owner``'s last-resort key package, which stays.

    Raises ``Refused``: ``unknown-user``, ``expelled-user``, ``no-package``.
    """
    return _last(reads, find_member(reads, owner))


def _last(reads: Reads, owner: Handle) -> bytes:
    data = reads.last_package(owner)
    if data is None:
        raise Refused(
            f"{owner} has published no key package yet",
            reason="no-package",
            remedy=f"{owner} must have been online once: conclave up",
        )
    return data
