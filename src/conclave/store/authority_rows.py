"""The authority's records as rows: every SQL statement of ``authority.ports``' reads and writes.

Left out: connections, transactions and threads (``store.authority``), and what waits for people
(``authority_waiting``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conclave.authority.records import (
    Account,
    Action,
    AuditEntry,
    Expelled,
    Invitation,
    Issued,
    Online,
    Withdrawn,
)
from conclave.pki.names import Device, Handle, device_label
from conclave.pki.profile import Profile
from conclave.store.authority_waiting import WaitingReads, WaitingWrites

_ACCOUNT = "handle, name, created, password, suspended, suspended_at, seen"
_ISSUED = "serial, handle, device, profile, public, not_before, not_after, der, revoked, reason"


def _account(row: tuple[Any, ...]) -> Account:
    return Account(Handle(row[0]), *row[1:])


def _issued(row: tuple[Any, ...]) -> Issued:
    serial, handle, device, profile, *rest = row
    return Issued(int(serial, 16), Handle(handle), Device(device), Profile(profile), *rest)


class SqlReads(WaitingReads):
    """``authority.ports.Reads`` over one connection."""

    def setting(self, name: str) -> str | None:
        """See ``Reads``."""
        row = self._one("SELECT value FROM settings WHERE name = ?", name)
        return None if row is None else str(row[0])

    def account(self, handle: str) -> Account | None:
        """See ``Reads``."""
        row = self._one(f"SELECT {_ACCOUNT} FROM accounts WHERE handle = ?", handle)  # noqa: S608 - a constant
        return None if row is None else _account(row)

    def accounts(self, query: str, limit: int) -> Sequence[Account]:
        """See ``Reads``."""
        wanted = query.casefold()
        rows = self._all(
            f"SELECT {_ACCOUNT} FROM accounts WHERE instr(search, ?1) > 0"  # noqa: S608 - a constant
            " ORDER BY substr(handle, 1, length(?1)) <> ?1, handle LIMIT ?2",
            wanted,
            limit,
        )
        return [_account(row) for row in rows]

    def invitation(self, token_hash: bytes) -> Invitation | None:
        """See ``Reads``."""
        row = self._one(
            "SELECT token_hash, handle, created, expires, device FROM invitations WHERE token_hash = ?", token_hash
        )
        if row is None:
            return None
        return Invitation(row[0], Handle(row[1]), row[2], row[3], None if row[4] is None else Device(row[4]))

    def spent(self, token_hash: bytes, profile: Profile) -> Issued | None:
        """See ``Reads``."""
        row = self._one(
            f"SELECT {_ISSUED} FROM certificates WHERE serial ="  # noqa: S608 - a constant
            " (SELECT serial FROM spendings WHERE token_hash = ? AND profile = ?)",
            token_hash,
            profile,
        )
        return None if row is None else _issued(row)

    def issued(self, serial: int) -> Issued | None:
        """See ``Reads``."""
        row = self._one(f"SELECT {_ISSUED} FROM certificates WHERE serial = ?", f"{serial:x}")  # noqa: S608
        return None if row is None else _issued(row)

    def issued_to(self, handle: str) -> Sequence[Issued]:
        """See ``Reads``."""
        rows = self._all(
            f"SELECT {_ISSUED} FROM certificates WHERE handle = ? ORDER BY rowid DESC",  # noqa: S608
            handle,
        )
        return [_issued(row) for row in rows]

    def issued_for_key(self, public: bytes) -> Issued | None:
        """See ``Reads``."""
        row = self._one(
            f"SELECT {_ISSUED} FROM certificates WHERE public = ? ORDER BY rowid DESC LIMIT 1",  # noqa: S608
            public,
        )
        return None if row is None else _issued(row)

    def devices(self, handle: str) -> Sequence[Device]:
        """See ``Reads``."""
        rows = self._all("SELECT device FROM devices WHERE handle = ? ORDER BY number", handle)
        return [Device(row[0]) for row in rows]

    def devices_lacking(self, handle: str, profile: Profile, since: float) -> Sequence[Device]:
        """See ``Reads``."""
        rows = self._all(
            "SELECT device FROM devices AS d WHERE handle = ? AND by_password AND created >= ? AND NOT EXISTS"
            " (SELECT 1 FROM certificates AS c WHERE c.handle = d.handle AND c.device = d.device AND profile = ?)"
            " ORDER BY number",
            handle,
            since,
            profile,
        )
        return [Device(row[0]) for row in rows]

    def withdrawn(self, valid_after: float) -> Sequence[Withdrawn]:
        """See ``Reads``."""
        rows = self._all(
            "SELECT serial, handle, revoked, reason FROM certificates WHERE revoked IS NOT NULL AND not_after > ?1"
            " UNION ALL SELECT serial, c.handle, suspended_at, 'certificateHold' FROM accounts AS a"
            " JOIN certificates AS c ON c.handle = a.handle"
            " WHERE suspended <> '' AND revoked IS NULL AND not_after > ?1 ORDER BY 1",
            valid_after,
        )
        return [Withdrawn(int(serial, 16), Handle(handle), at, reason) for serial, handle, at, reason in rows]

    def expelled(self, since: float, limit: int) -> Sequence[Expelled]:
        """See ``Reads``."""
        rows = self._all(
            "SELECT handle, suspended_at AS at, 'certificateHold' FROM accounts WHERE suspended <> ''"
            " UNION ALL SELECT handle, at, reason FROM"  # the reason of the last: SQLite takes it from max's row
            " (SELECT handle, max(revoked) AS at, reason FROM certificates INDEXED BY certificates_by_revocation"
            " WHERE revoked >= ? AND profile = 'tls' GROUP BY handle) AS last"
            " WHERE handle NOT IN (SELECT handle FROM accounts WHERE suspended <> '') AND NOT EXISTS"
            " (SELECT 1 FROM certificates AS good WHERE good.handle = last.handle AND good.profile = 'tls'"
            " AND good.revoked IS NULL AND good.not_after > last.at) ORDER BY at DESC, handle LIMIT ?",
            since,
            limit,
        )
        return [Expelled(Handle(handle), at, reason) for handle, at, reason in rows]

    def is_expelled(self, handle: str) -> bool:
        """See ``Reads``."""
        row = self._one(
            "SELECT suspended <> '' OR EXISTS (SELECT 1 FROM"
            " (SELECT max(revoked) AS at FROM certificates WHERE handle = ?1 AND profile = 'tls') AS last"
            " WHERE at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM certificates"
            " WHERE handle = ?1 AND profile = 'tls' AND revoked IS NULL AND not_after > last.at))"
            " FROM accounts WHERE handle = ?1",
            handle,
        )
        return row is not None and bool(row[0])

    def revocation_list(self) -> bytes | None:
        """See ``Reads``."""
        row = self._one("SELECT der FROM revocation_list")
        return None if row is None else bytes(row[0])

    def online(self, handle: str | None = None) -> Sequence[Online]:
        """See ``Reads``."""
        rows = self._all(
            "SELECT handle, device, address, since FROM presence WHERE ?1 IS NULL OR handle = ?1"
            " ORDER BY since DESC, handle, device",
            handle,
        )
        return [Online(Handle(row[0]), Device(row[1]), row[2], row[3]) for row in rows]

    def audit(self, after: int, limit: int) -> Sequence[AuditEntry]:
        """See ``Reads``."""
        rows = self._all(
            "SELECT at, who, action, what, origin, outcome, id FROM audit WHERE id > ? ORDER BY id LIMIT ?",
            after,
            limit,
        )
        return [AuditEntry(at, who, Action(action), *rest) for at, who, action, *rest in rows]

    def audit_end(self) -> int:
        """See ``Reads``."""
        row = self._one("SELECT coalesce(max(id), 0) FROM audit")
        return int(row[0]) if row else 0


class SqlTransaction(SqlReads, WaitingWrites):
    """``authority.ports.Transaction``; the store opens and ends it. SQLite's errors pass, for the store to judge."""

    def set_setting(self, name: str, value: str) -> None:
        """See ``Transaction``."""
        self._do("INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", name, value)

    def add_account(self, account: Account) -> bool:
        """See ``Transaction``."""
        values = (account.handle, account.name, _search(account), account.created, account.password)
        last = (account.suspended, account.suspended_at, account.seen)
        sql = "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        return self._do(sql, *values, *last) == 1

    def update_account(self, account: Account) -> None:
        """See ``Transaction``."""
        self._do(
            "UPDATE accounts SET name = ?, search = ?, password = ?, suspended = ?, suspended_at = ?, seen = ?"
            " WHERE handle = ?",
            account.name,
            _search(account),
            account.password,
            account.suspended,
            account.suspended_at,
            account.seen,
            account.handle,
        )

    def add_invitation(self, invitation: Invitation) -> None:
        """See ``Transaction``."""
        self._do(
            "INSERT INTO invitations VALUES (?, ?, ?, ?, ?)",
            invitation.token_hash,
            invitation.handle,
            invitation.created,
            invitation.expires,
            invitation.device,
        )

    def add_device(self, handle: Handle, now: float, *, by_password: bool) -> Device:
        """See ``Transaction``."""
        row = self._one("SELECT coalesce(max(number), 0) + 1 FROM devices WHERE handle = ?", handle)
        number = int(row[0]) if row else 1
        device = device_label(number)
        self._do("INSERT INTO devices VALUES (?, ?, ?, ?, ?)", handle, device, number, now, by_password)
        return device

    def spend(self, token_hash: bytes, issued: Issued) -> None:
        """See ``Transaction``."""
        self._do("UPDATE invitations SET device = ? WHERE token_hash = ?", issued.device, token_hash)
        self._do("INSERT INTO spendings VALUES (?, ?, ?)", token_hash, issued.profile, f"{issued.serial:x}")

    def add_issued(self, issued: Issued) -> None:
        """See ``Transaction``."""
        self._do(
            f"INSERT INTO certificates ({_ISSUED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            f"{issued.serial:x}",
            issued.handle,
            issued.device,
            issued.profile,
            issued.public,
            issued.not_before,
            issued.not_after,
            issued.der,
            issued.revoked,
            issued.reason,
        )

    def revoke(self, serial: int, now: float, reason: str) -> None:
        """See ``Transaction``."""
        sql = "UPDATE certificates SET revoked = ?, reason = ? WHERE serial = ? AND revoked IS NULL"
        self._do(sql, now, reason, f"{serial:x}")

    def set_revocation_list(self, der: bytes) -> None:
        """See ``Transaction``."""
        self._do("INSERT INTO revocation_list VALUES (1, ?) ON CONFLICT DO UPDATE SET der = excluded.der", der)

    def set_online(self, entry: Online) -> None:
        """See ``Transaction``."""
        self._do(
            "INSERT INTO presence VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET address = excluded.address, since = excluded.since",
            entry.handle,
            entry.device,
            entry.address,
            entry.since,
        )

    def set_offline(self, handle: Handle, device: Device, now: float) -> None:
        """See ``Transaction``."""
        self._do("DELETE FROM presence WHERE handle = ? AND device = ?", handle, device)
        self._do("UPDATE accounts SET seen = ? WHERE handle = ?", now, handle)

    def record(self, entry: AuditEntry) -> None:
        """See ``Transaction``."""
        sql = "INSERT INTO audit (at, who, action, what, origin, outcome) VALUES (?, ?, ?, ?, ?, ?)"
        self._do(sql, entry.at, entry.who, entry.action, entry.what, entry.origin, entry.outcome)


def _search(account: Account) -> str:
    return f"{account.handle}\n{account.name.casefold()}"
