"""Mailboxes: what a member leaves for another who is away, sealed, until it is fetched and acknowledged.

The authority sees who leaves how much for whom, and when; envelopes are opaque to it (``pki.envelope``). Deposits and
removals are committed before they are answered. What was not fetched within the lifetime is dropped. Left out:
telling the recipient (``net.presence``).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from conclave.authority.members import Member, demand_active, find_member
from conclave.authority.ports import Reads, Store, Transaction
from conclave.authority.records import Held, Mail
from conclave.authority.settings import AuthoritySettings
from conclave.errors import Refused
from conclave.pki.envelope import SEALED_BYTES
from conclave.pki.names import Handle
from conclave.values import dataclass

SHARE = 3
"""One sender has at most one part in so many of a mailbox."""
FETCH_MOST = 64
"""Envelopes in one answer."""
FETCH_BYTES = 2 * 1024 * 1024
"""Bytes of envelopes in one answer."""
DONE_MOST = 256
"""Acknowledgements in one request."""
PURGE_MOST = 500
"""Envelopes that one decision purges: no other waits long behind it."""


@dataclass(frozen=True, slots=True)
class Deposited:
    """An envelope lies in ``recipient``'s mailbox, with ``count`` in all."""

    id: int
    recipient: Handle
    count: int


def deposit(
    store: Store, sender: Member, recipient: str, data: bytes, now: float, settings: AuthoritySettings
) -> Future[Deposited]:
    """Leave an envelope for somebody.

    Refused: ``envelope-size``, ``unknown-user``, ``expelled-user``, ``suspended``, ``mailbox-full``.
    """

    def decision(transaction: Transaction) -> Deposited:
        if not 0 < len(data) <= SEALED_BYTES:
            raise Refused(
                f"an envelope has 1 to {SEALED_BYTES} bytes", reason="envelope-size", remedy="send less at once"
            )
        demand_active(transaction.account(sender.handle))
        to = find_member(transaction, recipient)
        transaction.purge(now - settings.mail_seconds, now - settings.package_seconds, PURGE_MOST)
        _demand_room(transaction, sender.handle, to, len(data), settings)
        number = transaction.add_mail(to, sender.handle, data, now)
        return Deposited(number, to, transaction.held(recipient=to).envelopes)

    return store.decide(decision)


def fetch(reads: Reads, owner: Member, after: int, limit: int, now: float, settings: AuthoritySettings) -> list[Mail]:
    """The owner's envelopes after the id ``after``, oldest first: at most ``limit``, and ``FETCH_BYTES``."""
    most = max(1, min(limit, FETCH_MOST))
    return list(reads.mail(owner.handle, after, now - settings.mail_seconds, most, FETCH_BYTES))


def acknowledge(store: Store, owner: Member, ids: Sequence[int]) -> Future[tuple[int, int]]:
    """Drop envelopes that the owner has on its own disk: how many were dropped, how many are left.

    Ids that are not the owner's are passed over: a lost answer makes them common, and others' stay theirs.
    """

    def decision(transaction: Transaction) -> tuple[int, int]:
        dropped = transaction.drop_mail(owner.handle, ids)
        return dropped, transaction.held(recipient=owner.handle).envelopes

    return store.decide(decision)


def purge(store: Store, now: float, settings: AuthoritySettings) -> Future[int]:
    """Drop what nobody fetched in time, at most ``PURGE_MOST`` envelopes; how many it were."""
    mail, packages = now - settings.mail_seconds, now - settings.package_seconds
    return store.decide(lambda transaction: transaction.purge(mail, packages, PURGE_MOST))


def _demand_room(reads: Reads, sender: Handle, to: Handle, size: int, settings: AuthoritySettings) -> None:
    most = Held(settings.mail_envelopes, settings.mail_bytes)
    share = Held(max(1, most.envelopes // SHARE), most.bytes // SHARE)
    waits = f"it is tried again, and goes through once {to} has been online"
    for held, limit, whose in (
        (reads.held(recipient=to), most, f"{to}'s mailbox"),
        (reads.held(recipient=to, sender=sender), share, f"your part of {to}'s mailbox"),
        (reads.held(sender=sender), Held(0, settings.mail_sender_bytes), "what you may have waiting for everybody"),
        (reads.held(), Held(0, settings.mail_total_bytes), "the authority's room for mail"),
    ):
        if held.bytes + size > limit.bytes or 0 < limit.envelopes <= held.envelopes:
            raise Refused(f"{whose} is full", reason="mailbox-full", remedy=waits)
