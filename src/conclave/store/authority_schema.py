"""The tables of the authority, as migration steps that only ever grow (see ``schema``).

Serial numbers are hexadecimal text: 160 bits do not fit an SQLite integer. Times are UNIX seconds. A key package that
was taken leaves its digest, so that it is not published again. ``mail_held`` counts what waits, by triggers: a quota
costs one look however full the mailbox is.
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
    """
    CREATE TABLE packages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        handle TEXT NOT NULL REFERENCES accounts,
        device TEXT NOT NULL,
        at REAL NOT NULL,
        digest BLOB NOT NULL,
        data BLOB,
        UNIQUE (handle, digest)
    ) STRICT;
    CREATE INDEX packages_stocked ON packages (handle, id) WHERE data IS NOT NULL;
    CREATE INDEX packages_by_age ON packages (at);

    CREATE TABLE last_packages (
        handle TEXT PRIMARY KEY REFERENCES accounts,
        device TEXT NOT NULL,
        at REAL NOT NULL,
        data BLOB NOT NULL
    ) STRICT;
    CREATE INDEX last_packages_by_age ON last_packages (at);

    CREATE TABLE mail (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        recipient TEXT NOT NULL REFERENCES accounts,
        sender TEXT NOT NULL REFERENCES accounts,
        at REAL NOT NULL,
        size INTEGER NOT NULL,
        data BLOB NOT NULL
    ) STRICT;
    CREATE INDEX mail_by_recipient ON mail (recipient, id);
    CREATE INDEX mail_by_age ON mail (at);

    CREATE TABLE mail_held (scope TEXT PRIMARY KEY, envelopes INTEGER NOT NULL, bytes INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
    CREATE TRIGGER mail_comes AFTER INSERT ON mail
    BEGIN
        INSERT INTO mail_held VALUES
            ('all', 1, NEW.size),
            ('to ' || NEW.recipient, 1, NEW.size),
            ('from ' || NEW.sender, 1, NEW.size),
            ('to ' || NEW.recipient || ' from ' || NEW.sender, 1, NEW.size)
            ON CONFLICT DO UPDATE SET envelopes = envelopes + 1, bytes = bytes + excluded.bytes;
    END;
    CREATE TRIGGER mail_goes AFTER DELETE ON mail
    BEGIN
        UPDATE mail_held SET envelopes = envelopes - 1, bytes = bytes - OLD.size
            WHERE scope IN ('all', 'to ' || OLD.recipient, 'from ' || OLD.sender,
                            'to ' || OLD.recipient || ' from ' || OLD.sender);
        DELETE FROM mail_held WHERE envelopes = 0
            AND scope IN ('all', 'to ' || OLD.recipient, 'from ' || OLD.sender,
                          'to ' || OLD.recipient || ' from ' || OLD.sender);
    END;
    """,
)
