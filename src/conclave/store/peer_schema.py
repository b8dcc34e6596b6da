"""The tables of a peer's database. Steps are only ever added: see ``store.schema``."""

from __future__ import annotations

STEPS = (
    """
    CREATE TABLE states (
        key TEXT NOT NULL PRIMARY KEY,
        value BLOB NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE conversations (
        key INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        count INTEGER NOT NULL DEFAULT 0,
        last INTEGER NOT NULL DEFAULT 0       -- position of the latest line
    );

    CREATE TABLE lines (
        position INTEGER PRIMARY KEY,         -- in order of arrival, never reused
        conversation INTEGER NOT NULL REFERENCES conversations,
        sender TEXT NOT NULL,
        id BLOB NOT NULL CHECK (length(id) = 16),
        kind TEXT NOT NULL,
        text TEXT NOT NULL,
        sent REAL NOT NULL,                   -- UNIX seconds
        stored REAL NOT NULL,
        status TEXT NOT NULL,
        seq INTEGER NOT NULL,
        UNIQUE (conversation, sender, id)
    );
    CREATE INDEX lines_of_conversation ON lines (conversation, position);

    CREATE VIRTUAL TABLE words USING fts5 (
        text, content = 'lines', content_rowid = 'position', tokenize = 'unicode61 remove_diacritics 2'
    );
    CREATE TRIGGER line_added AFTER INSERT ON lines BEGIN
        INSERT INTO words (rowid, text) VALUES (new.position, new.text);
        UPDATE conversations SET count = count + 1, last = new.position WHERE key = new.conversation;
    END;
    CREATE TRIGGER line_changed AFTER UPDATE OF text ON lines BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.position, old.text);
        INSERT INTO words (rowid, text) VALUES (new.position, new.text);
    END;
    CREATE TRIGGER line_kept BEFORE DELETE ON lines BEGIN
        SELECT raise(ABORT, 'lines of history are never deleted');
    END;

    CREATE TABLE posts (
        peer TEXT NOT NULL,
        number INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (peer, number)
    ) WITHOUT ROWID;

    CREATE TABLE entries (
        lobby BLOB NOT NULL CHECK (length(lobby) = 16),
        seq INTEGER NOT NULL,
        entry BLOB NOT NULL,
        PRIMARY KEY (lobby, seq)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TRIGGER line_moved AFTER UPDATE OF position ON lines WHEN new.position <> old.position BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.position, old.text);
        INSERT INTO words (rowid, text) VALUES (new.position, new.text);
        UPDATE conversations SET last = new.position WHERE key = new.conversation;
    END;
    """,
)
"""Step *n* makes version *n*."""
