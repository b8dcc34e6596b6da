"""The tables of the authority, as migration steps that only ever grow (see ``schema``).

Serial numbers are hexadecimal text: 160 bits do not fit an SQLite integer. Times are UNIX seconds.
"""

from __future__ import annotations

from typing import Final

STEPS: Final = (
    """
    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE accounts (
        handle TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        search TEXT NOT NULL,
        created REAL NOT NULL,
        password TEXT NOT NULL,
        suspended TEXT NOT NULL,
        suspended_at REAL NOT NULL,
        seen REAL NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE devices (
        handle TEXT NOT NULL REFERENCES accounts,
        device TEXT NOT NULL,
        number INTEGER NOT NULL,
        created REAL NOT NULL,
        by_password INTEGER NOT NULL,
        PRIMARY KEY (handle, device),
        UNIQUE (handle, number)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE certificates (
        serial TEXT PRIMARY KEY,
        handle TEXT NOT NULL,
        device TEXT NOT NULL,
        profile TEXT NOT NULL,
        public BLOB NOT NULL,
        not_before REAL NOT NULL,
        not_after REAL NOT NULL,
        der BLOB NOT NULL,
        revoked REAL,
        reason TEXT NOT NULL,
        FOREIGN KEY (handle, device) REFERENCES devices
    ) STRICT;
    CREATE INDEX certificates_by_device ON certificates (handle, device, profile);
    CREATE INDEX certificates_by_key ON certificates (public);
    CREATE INDEX certificates_revoked ON certificates (not_after) WHERE revoked IS NOT NULL;

    CREATE TABLE invitations (
        token_hash BLOB PRIMARY KEY,
        handle TEXT NOT NULL REFERENCES accounts,
        created REAL NOT NULL,
        expires REAL NOT NULL,
        device TEXT
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE spendings (
        token_hash BLOB NOT NULL REFERENCES invitations,
        profile TEXT NOT NULL,
        serial TEXT NOT NULL REFERENCES certificates,
        PRIMARY KEY (token_hash, profile)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE revocation_list (id INTEGER PRIMARY KEY CHECK (id = 1), der BLOB NOT NULL) STRICT;

    CREATE TABLE presence (
        handle TEXT NOT NULL,
        device TEXT NOT NULL,
        address TEXT NOT NULL,
        since REAL NOT NULL,
        PRIMARY KEY (handle, device),
        FOREIGN KEY (handle, device) REFERENCES devices
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        who TEXT NOT NULL,
        action TEXT NOT NULL,
        what TEXT NOT NULL,
        origin TEXT NOT NULL,
        outcome TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
    CREATE TRIGGER audit_is_never_cut BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
    CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
    """,
    """
    CREATE INDEX certificates_by_revocation ON certificates (revoked) WHERE revoked IS NOT NULL;
    CREATE INDEX accounts_suspended ON accounts (suspended_at) WHERE suspended <> '';
    """,
)
