"""Taking back: certificates for good, accounts until they are resumed; and the list that tells everybody.

A command in any process marks the database, and from then on the authority refuses the certificate; the process that
holds the issuing key sees the mark and issues the list. Certificates of a suspended account stand on it as
``certificateHold`` (RFC 5280 section 5.3.1), so that peers refuse them with the authority away, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future

from conclave.authority.audit import Actor, entry, on_refusal
from conclave.authority.ports import Reads, Store, Transaction
from conclave.authority.records import OPERATOR, Account, Action, Expelled, Issued
from conclave.authority.settings import AuthoritySettings
from conclave.errors import ConclaveError, Refused, UsageError
from conclave.pki.credentials import Issuer
from conclave.pki.names import Handle, quote
from conclave.pki.policy import DAY
from conclave.pki.revocation import Reason, RevocationList, Revoked, make_crl, read_crl
from conclave.values import dataclass, replace

KEPT_SECONDS = 366 * DAY
"""For how long an expired certificate stays on the list: its mail may be taken still for two weeks, and lobbies whose
members were all away longer put its owner out when they are back (RFC 5280 section 3.3 asks for one list)."""
SUSPENSION_CHARACTERS = 200
EXPELLED_SECONDS = 30 * DAY
"""For how long members are told whom a revocation has shut out: longer than a lobby's leader is away."""
EXPELLED_MOST = 1000


def revoke(store: Store, target: str, reason: Reason, now: float, actor: Actor) -> Future[list[Issued]]:
    """Revoke what ``target`` names: a serial number (hexadecimal), a handle, or ``handle/device``.

    Of a handle or device, all certificates that have not expired. Gives those that were good until now. Refused:
    ``unknown-target`` where nothing is named so, ``nothing-to-revoke``. Raises ``LocalError`` for a reason that only
    a suspension may have.
    """
    if reason in {Reason.certificate_hold, Reason.remove_from_crl}:
        raise UsageError(
            "a hold is a suspension", remedy="conclave authority suspend HANDLE, and later resume HANDLE"
        )

    def decision(transaction: Transaction) -> list[Issued]:
        good = [c for c in _named(transaction, target) if c.revoked is None and c.not_after > now]
        if not good:
            raise Refused(
                f"nothing of {quote(target)} is left to revoke: all of it is revoked or expired",
                reason="nothing-to-revoke",
                remedy="see: conclave authority users",
            )
        for issued in good:
            transaction.revoke(issued.serial, now, reason.value)
            transaction.drop_packages(issued.handle, issued.device)  # signed with what does not count any more
            what = f"{issued.handle}/{issued.device} {issued.profile} {issued.serial:x}: {reason.value}"
            transaction.record(entry(actor, Action.REVOKE, what, now))
        return good

    return store.decide(decision, on_refusal(actor, Action.REVOKE, quote(target), now))


def _named(transaction: Transaction, target: str) -> Sequence[Issued]:
    handle, slash, device = target.partition("/")
    if transaction.account(handle) is not None:
        named = transaction.issued_to(handle)
        return [c for c in named if c.device == device] if slash else named
    try:
        issued = transaction.issued(int(target.replace(":", ""), 16))
    except ValueError:
        issued = None
    if issued is None:
        raise Refused(
            f"there is no certificate, account or device {quote(target)}",
            reason="unknown-target",
            remedy="give a serial number, a handle, or handle/device; see: conclave authority users",
        )
    return [issued]


def suspend(store: Store, handle: Handle, why: str, now: float, actor: Actor) -> Future[Account]:
    """Refuse everything to an account until ``resume``. Refused: ``unknown-user``."""
    told = " ".join(why.split()) or "no reason given"
    if len(told) > SUSPENSION_CHARACTERS or not told.isprintable():
        raise UsageError(
            "the reason is too long or cannot be printed", remedy=f"use at most {SUSPENSION_CHARACTERS} characters"
        )
    return _mark(store, handle, told, now, actor, Action.SUSPEND)


def resume(store: Store, handle: Handle, now: float, actor: Actor) -> Future[Account]:
    """End a suspension. Refused: ``unknown-user``."""
    return _mark(store, handle, "", now, actor, Action.RESUME)


def _mark(store: Store, handle: Handle, why: str, now: float, actor: Actor, action: Action) -> Future[Account]:
    def decision(transaction: Transaction) -> Account:
        account = transaction.account(handle)
        if account is None:
            raise Refused(
                f"there is no account {quote(handle)}",
                reason="unknown-user",
                remedy="see: conclave authority users",
            )
        marked = replace(account, suspended=why, suspended_at=now if why else 0.0)
        transaction.update_account(marked)
        transaction.record(entry(actor, action, f"{handle}: {why}" if why else handle, now))
        return marked

    return store.decide(decision, on_refusal(actor, action, handle, now))


def expelled(reads: Reads, now: float) -> Sequence[Expelled]:
    """Whom members are to remove: the suspended, and of late the revoked who have no other device to come with.

    The latest first, at most ``EXPELLED_MOST``.
    """
    return reads.expelled(now - EXPELLED_SECONDS, EXPELLED_MOST)


@dataclass(frozen=True, slots=True)
class RevocationLists:
    """The list of the authority that holds ``issuer``'s key."""

    store: Store
    issuer: Issuer
    settings: AuthoritySettings

    def current(self, now: float, *, renew: bool = False) -> Future[RevocationList]:
        """The list as the database has it now: made anew where it differs, or has become old, or ``renew``.

        ``thisUpdate`` of a new one is later than that of every one before, across processes and restarts.
        """

        def decision(transaction: Transaction) -> RevocationList:
            wanted = {w.serial: Revoked(w.serial, w.at, w.reason) for w in transaction.withdrawn(now - KEPT_SECONDS)}
            previous = self._read(transaction.revocation_list())
            if previous is not None and not renew:
                fresh = now - previous.this_update < self.settings.crl_seconds
                if fresh and _reasons(previous.entries.values()) == _reasons(wanted.values()):
                    return previous
            made = make_crl(self.issuer, wanted.values(), now, previous)
            transaction.set_revocation_list(made.der)
            what = f"number {made.number}, {len(wanted)} certificates"
            transaction.record(entry(Actor(OPERATOR, "authority"), Action.CRL, what, now))
            return made

        return self.store.decide(decision)

    def _read(self, der: bytes | None) -> RevocationList | None:
        if der is None:
            return None
        try:
            return read_crl(der, (self.issuer.certificate,))
        except ConclaveError:  # that of an issuing authority which this one has replaced
            return None


def _reasons(entries: Iterable[Revoked]) -> dict[int, str]:
    return {e.serial: e.reason for e in entries}
