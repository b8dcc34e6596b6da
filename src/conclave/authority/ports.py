"""What the use cases need of a store. ``store.authority`` keeps these promises with SQLite.

A *decision* is a function of a transaction: it reads, judges, and writes; all its writes and its audit rows are
committed together or not at all. Decisions run one after the other, so what one has read stays true until it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar

from conclave.authority.records import (
    Account,
    AuditEntry,
    Expelled,
    Held,
    Invitation,
    Issued,
    Mail,
    Online,
    Withdrawn,
)
from conclave.errors import Refused
from conclave.pki.names import Device, Handle
from conclave.pki.profile import Profile

T = TypeVar("T")


class Reads(Protocol):
    """Questions. Each sees what is committed; within a decision, also what it has written itself."""

    def setting(self, name: str) -> str | None:
        """A named value of the authority's: realm, address, ..."""

    def account(self, handle: str) -> Account | None:
        """The account of a handle."""

    def accounts(self, query: str, limit: int) -> Sequence[Account]:
        """Accounts whose handle or name contains ``query``, those first whose handle starts with it."""

    def invitation(self, token_hash: bytes) -> Invitation | None:
        """The invitation of a token's SHA-256."""

    def spent(self, token_hash: bytes, profile: Profile) -> Issued | None:
        """What a token was spent on in a profile."""

    def issued(self, serial: int) -> Issued | None:
        """The certificate with a serial number."""

    def issued_to(self, handle: str) -> Sequence[Issued]:
        """All certificates of an account, newest first."""

    def issued_for_key(self, public: bytes) -> Issued | None:
        """The newest certificate for a public key (SHA-256 of its SubjectPublicKeyInfo)."""

    def devices(self, handle: str) -> Sequence[Device]:
        """The devices of an account, oldest first."""

    def devices_lacking(self, handle: str, profile: Profile, since: float) -> Sequence[Device]:
        """Devices opened by password at or after ``since`` that never had a certificate of ``profile``."""

    def withdrawn(self, valid_after: float) -> Sequence[Withdrawn]:
        """Revoked certificates, and those of suspended accounts, that expire after ``valid_after``; by serial."""

    def expelled(self, since: float, limit: int) -> Sequence[Expelled]:
        """Who is suspended, or had a ``tls`` certificate revoked since, and none that was good then or made later.

        The latest first; ``since`` is in UNIX seconds. A certificate that has merely expired since does not count
        against its owner.
        """

    def is_expelled(self, handle: str) -> bool:
        """Whether somebody is out now, by the rule of ``expelled``, however long ago that began."""

    def stock(self, handle: str) -> int:
        """How many single-use key packages of somebody wait to be taken."""

    def last_package(self, handle: str) -> bytes | None:
        """Somebody's last-resort key package."""

    def held(self, recipient: str = "", sender: str = "") -> Held:
        """What waits in mailboxes: in ``recipient``'s, from ``sender``, both, or (neither given) in all."""

    def mail(self, recipient: str, after: int, since: float, limit: int, size: int) -> Sequence[Mail]:
        """Envelopes with an id above ``after`` that came later than ``since``, oldest first.

        At most ``limit``, and ``size`` bytes, though one at least.
        """

    def has_expired(self, mail: float, packages: float) -> bool:
        """Whether there is mail, or a key package, of these times (UNIX seconds) or older."""

    def revocation_list(self) -> bytes | None:
        """The list issued last (DER)."""

    def online(self, handle: str | None = None) -> Sequence[Online]:
        """Who was online by the last word of the server, newest first."""

    def audit(self, after: int, limit: int) -> Sequence[AuditEntry]:
        """Rows of the log after position ``after``, oldest first."""

    def audit_end(self) -> int:
        """The last row's position, or 0."""


class Transaction(Reads, Protocol):
    """Writes of one decision."""

    def set_setting(self, name: str, value: str) -> None:
        """Keep a named value."""

    def add_account(self, account: Account) -> bool:
        """Make an account; false where the handle is taken."""

    def update_account(self, account: Account) -> None:
        """Replace an account's name, password, suspension and last sight."""

    def add_invitation(self, invitation: Invitation) -> None:
        """Keep an invitation."""

    def add_device(self, handle: Handle, now: float, *, by_password: bool) -> Device:
        """Open the account's next device: d1, d2, ..."""

    def spend(self, token_hash: bytes, issued: Issued) -> None:
        """Bind an invitation to the certificate's device, and the profile to the certificate."""

    def add_issued(self, issued: Issued) -> None:
        """Keep a certificate."""

    def revoke(self, serial: int, now: float, reason: str) -> None:
        """Mark a certificate as revoked; the first mark stays."""

    def set_revocation_list(self, der: bytes) -> None:
        """Replace the list."""

    def set_online(self, entry: Online) -> None:
        """Keep where a device is."""

    def set_offline(self, handle: Handle, device: Device, now: float) -> None:
        """Forget where a device is, and keep when it was last seen."""

    def add_package(self, handle: Handle, device: Device, data: bytes, now: float) -> None:
        """Stock a single-use key package, unless it is there, or was taken already."""

    def set_last_package(self, handle: Handle, device: Device, data: bytes, now: float) -> None:
        """Keep a last-resort key package in place of the one before."""

    def take_package(self, handle: str) -> bytes | None:
        """Take the oldest single-use key package out of the stock, and remember that it was taken."""

    def drop_stock(self, handle: Handle) -> None:
        """Drop the single-use key packages that wait."""

    def drop_packages(self, handle: Handle, device: Device) -> None:
        """Drop all key packages of a device."""

    def add_mail(self, recipient: Handle, sender: Handle, data: bytes, now: float) -> int:
        """Put an envelope into a mailbox; its id is greater than that of every one before."""

    def drop_mail(self, recipient: Handle, ids: Sequence[int]) -> int:
        """Drop those of the envelopes that lie in the recipient's mailbox; how many they were."""

    def purge(self, mail: float, packages: float, most: int) -> int:
        """Drop what is of these times (UNIX seconds) or older, of mail the oldest ``most``; how much mail it was."""

    def record(self, entry: AuditEntry) -> None:
        """Append to the log."""


class Store(Protocol):
    """The authority's memory, shared by the server and the commands of several processes."""

    @property
    def reads(self) -> Reads:
        """Direct reads, for the thread that opened the store."""

    def decide(
        self,
        decision: Callable[[Transaction], T],
        refused: Callable[[Transaction, Refused], None] | None = None,
    ) -> Future[T]:
        """Run a decision in a transaction of its own, in order; the future is done when it is on disk.

        Where it raises, nothing of it is kept. A ``Refused`` is then handed to ``refused`` with a fresh transaction,
        to be recorded. Raises, through the future, ``StorageError`` where the disk refuses.
        """

    def changes(self) -> int:
        """A number that moves whenever anybody, in any process, has committed."""

    def close(self) -> None:
        """Finish what was handed in and let go."""
