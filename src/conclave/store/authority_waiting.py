"""What waits at the authority for people who are away, as rows: key packages and mail (``authority.ports``)."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from conclave.authority.records import Held, Mail
from conclave.pki.names import Device, Handle
from conclave.store.authority_sql import Rows, Writes


class WaitingReads(Rows):
    """The reads of key packages and mail."""

    def stock(self, handle: str) -> int:
        """See ``Reads``."""
        row = self._one("SELECT count(*) FROM packages WHERE handle = ? AND data IS NOT NULL", handle)
        return int(row[0]) if row else 0

    def last_package(self, handle: str) -> bytes | None:
        """See ``Reads``."""
        row = self._one("SELECT data FROM last_packages WHERE handle = ?", handle)
        return None if row is None else bytes(row[0])

    def held(self, recipient: str = "", sender: str = "") -> Held:
        """See ``Reads``."""
        names = [f"{way} {who}" for way, who in (("to", recipient), ("from", sender)) if who]
        row = self._one("SELECT envelopes, bytes FROM mail_held WHERE scope = ?", " ".join(names) or "all")
        return Held(0, 0) if row is None else Held(*row)

    def mail(self, recipient: str, after: int, since: float, limit: int, size: int) -> Sequence[Mail]:
        """See ``Reads``."""
        where = "FROM mail WHERE recipient = ? AND id > ? AND at > ? ORDER BY id LIMIT ?"
        count, total = 0, 0
        for (each,) in self._all(f"SELECT size {where}", recipient, after, since, limit):
            total += each
            if count and total > size:
                break
            count += 1
        rows = self._all(f"SELECT id, recipient, sender, at, data {where}", recipient, after, since, count)
        return [Mail(id_, Handle(to), Handle(sender), at, data) for id_, to, sender, at, data in rows]

    def has_expired(self, mail: float, packages: float) -> bool:
        """See ``Reads``."""
        row = self._one(
            "SELECT EXISTS (SELECT 1 FROM mail WHERE at <= ?1) OR EXISTS (SELECT 1 FROM packages WHERE at <= ?2)"
            " OR EXISTS (SELECT 1 FROM last_packages WHERE at <= ?2)",
            mail,
            packages,
        )
        return row is not None and bool(row[0])


class WaitingWrites(Writes):
    """The writes of key packages and mail."""

    def add_package(self, handle: Handle, device: Device, data: bytes, now: float) -> None:
        """See ``Transaction``."""
        self._do(
            "INSERT INTO packages (handle, device, at, digest, data) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            handle,
            device,
            now,
            sha256(data).digest(),
            data,
        )

    def set_last_package(self, handle: Handle, device: Device, data: bytes, now: float) -> None:
        """See ``Transaction``."""
        self._do("INSERT OR REPLACE INTO last_packages VALUES (?, ?, ?, ?)", handle, device, now, data)

    def take_package(self, handle: str) -> bytes | None:
        """See ``Transaction``."""
        row = self._one(
            "SELECT id, data FROM packages WHERE handle = ? AND data IS NOT NULL ORDER BY id LIMIT 1", handle
        )
        if row is None:
            return None
        self._do("UPDATE packages SET data = NULL WHERE id = ?", row[0])
        return bytes(row[1])

    def drop_stock(self, handle: Handle) -> None:
        """See ``Transaction``."""
        self._do("DELETE FROM packages WHERE handle = ? AND data IS NOT NULL", handle)

    def drop_packages(self, handle: Handle, device: Device) -> None:
        """See ``Transaction``."""
        self._do("DELETE FROM packages WHERE handle = ? AND device = ? AND data IS NOT NULL", handle, device)
        self._do("DELETE FROM last_packages WHERE handle = ? AND device = ?", handle, device)

    def add_mail(self, recipient: Handle, sender: Handle, data: bytes, now: float) -> int:
        """See ``Transaction``."""
        row = self._one(
            "INSERT INTO mail (recipient, sender, at, size, data) VALUES (?, ?, ?, ?, ?) RETURNING id",
            recipient,
            sender,
            now,
            len(data),
            data,
        )
        return int(row[0]) if row else 0

    def drop_mail(self, recipient: Handle, ids: Sequence[int]) -> int:
        """See ``Transaction``."""
        return sum(self._do("DELETE FROM mail WHERE id = ? AND recipient = ?", id_, recipient) for id_ in ids)

    def purge(self, mail: float, packages: float, most: int) -> int:
        """See ``Transaction``."""
        for table in ("packages", "last_packages"):
            self._do(f"DELETE FROM {table} WHERE at <= ?", packages)  # noqa: S608 - a constant
        oldest = "SELECT id FROM mail WHERE at <= ? ORDER BY at LIMIT ?"
        return self._do(f"DELETE FROM mail WHERE id IN ({oldest})", mail, most)  # noqa: S608 - a constant
