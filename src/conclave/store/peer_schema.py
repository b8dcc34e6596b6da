"""The tables of a peer's database. Steps are only ever added: see ``store.schema``."""

from __future__ import annotations

FIRST = 8
"""The version that the first step makes: databases of before are of no release (``docs/adr/0022``)."""

STEPS = (
    """
    CREATE TABLE states (
        key TEXT NOT NULL PRIMARY KEY,
        value BLOB NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE conversations (
        key INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        count INTEGER NOT NULL DEFAULT 0,     -- of the lines that people see
        last INTEGER NOT NULL DEFAULT 0       -- position of the latest of them
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
        reply_author TEXT,
        reply_id BLOB,
        expires REAL NOT NULL DEFAULT 0,      -- UNIX seconds; 0: never
        edited REAL,                          -- when its newest edit was said, or NULL
        deleted INTEGER NOT NULL DEFAULT 0,
        pinned INTEGER NOT NULL DEFAULT 0,
        pinned_at REAL,                       -- when the last was said of its pin, or NULL
        reactions TEXT NOT NULL DEFAULT '',   -- JSON: [[sign, by, ...], ...]
        reacted_at TEXT NOT NULL DEFAULT '',  -- JSON: {by: [floor, {sign: at, ...}], ...}
        original BLOB NOT NULL DEFAULT x'',
        UNIQUE (conversation, sender, id)
    );
    CREATE INDEX lines_of_conversation ON lines (conversation, position);
    CREATE INDEX lines_in_order ON lines (conversation, seq) WHERE seq > 0;
    CREATE INDEX lines_pinned ON lines (conversation, position) WHERE pinned = 1;
    CREATE INDEX lines_expiring ON lines (expires) WHERE expires > 0;
    CREATE INDEX lines_about ON lines (conversation, reply_author, reply_id) WHERE kind = 'about';

    CREATE TABLE watermark (position INTEGER NOT NULL);               -- one row: the greatest that went with its line
    INSERT INTO watermark VALUES (0);
    CREATE TRIGGER line_kept BEFORE DELETE ON lines WHEN old.expires = 0 BEGIN
        SELECT raise(ABORT, 'lines of history that do not expire are never deleted');
    END;

    -- The index takes what goes out of its pages at once, which is dear: so a line that moves keeps its key in it,
    -- which is its first position.
    CREATE TABLE moved (key INTEGER PRIMARY KEY, position INTEGER NOT NULL UNIQUE);
    CREATE VIEW indexed (key, text) AS
        SELECT ifnull((SELECT m.key FROM moved m WHERE m.position = l.position), l.position), l.text FROM lines l;
    CREATE VIRTUAL TABLE words USING fts5 (
        text, content = 'indexed', content_rowid = 'key', tokenize = 'unicode61 remove_diacritics 2'
    );
    INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
    CREATE TRIGGER line_added AFTER INSERT ON lines BEGIN
        INSERT INTO words (rowid, text) VALUES (new.position, new.text);
        UPDATE conversations SET count = count + 1, last = new.position
            WHERE key = new.conversation AND new.kind <> 'about';
    END;
    CREATE TRIGGER line_erased AFTER UPDATE OF deleted ON lines BEGIN
        UPDATE lines SET original = x'' WHERE kind = 'about' AND conversation = new.conversation
            AND reply_author = new.sender AND reply_id = new.id;
    END;
    CREATE TRIGGER line_changed AFTER UPDATE OF text ON lines BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete',
            ifnull((SELECT key FROM moved WHERE position = old.position), old.position), old.text);
        INSERT INTO words (rowid, text) VALUES (
            ifnull((SELECT key FROM moved WHERE position = new.position), new.position), new.text);
    END;
    CREATE TRIGGER line_moved AFTER UPDATE OF position ON lines WHEN new.position <> old.position BEGIN
        INSERT INTO moved SELECT old.position, old.position
            WHERE NOT EXISTS (SELECT 1 FROM moved WHERE position = old.position);
        UPDATE moved SET position = new.position WHERE position = old.position;
        UPDATE conversations SET last = new.position WHERE key = new.conversation AND new.kind <> 'about';
    END;

    CREATE TABLE early (                      -- what was said of lines that have not come yet
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation TEXT NOT NULL,
        sender TEXT NOT NULL,
        id BLOB NOT NULL,
        kind TEXT NOT NULL,                   -- edit, delete, reaction or pin
        by TEXT NOT NULL,
        sign TEXT NOT NULL,
        state INTEGER NOT NULL,               -- whether a reaction or a pin is set
        at REAL NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (conversation, sender, id, kind, by, sign)
    );
    CREATE INDEX early_of_one ON early (conversation, by, number);
    CREATE TRIGGER early_bounded AFTER INSERT ON early BEGIN
        DELETE FROM early WHERE conversation = new.conversation AND by = new.by AND number <= (
            SELECT number FROM early WHERE conversation = new.conversation AND by = new.by
            ORDER BY number DESC LIMIT 1 OFFSET 64);
    END;
    CREATE TRIGGER early_deleted AFTER INSERT ON early WHEN new.kind = 'delete' BEGIN
        DELETE FROM early WHERE conversation = new.conversation AND sender = new.sender AND id = new.id
            AND kind <> 'delete';
    END;

    CREATE TABLE gone (                       -- lines that disappeared, or would have before they came: the last ones
        conversation INTEGER NOT NULL REFERENCES conversations,
        number INTEGER NOT NULL,              -- in order, within the conversation
        sender TEXT NOT NULL,
        id BLOB NOT NULL,
        PRIMARY KEY (conversation, number),
        UNIQUE (conversation, sender, id)
    ) WITHOUT ROWID;
    CREATE TRIGGER gone_added AFTER INSERT ON gone BEGIN
        UPDATE lines SET original = x'' WHERE kind = 'about' AND conversation = new.conversation
            AND reply_author = new.sender AND reply_id = new.id;
        DELETE FROM early WHERE conversation = (SELECT name FROM conversations WHERE key = new.conversation)
            AND sender = new.sender AND id = new.id AND kind <> 'delete';
        DELETE FROM gone WHERE conversation = new.conversation AND number <= new.number - 16384;
    END;
    CREATE TRIGGER line_back AFTER INSERT ON lines BEGIN
        DELETE FROM gone WHERE conversation = new.conversation AND sender = new.sender AND id = new.id;
    END;
    CREATE TRIGGER edit_added AFTER INSERT ON lines WHEN new.kind = 'about' AND new.reply_id NOTNULL BEGIN
        UPDATE lines SET original = x'' WHERE position = new.position AND (EXISTS (SELECT 1 FROM lines l WHERE
            l.conversation = new.conversation AND l.sender = new.reply_author AND l.id = new.reply_id AND l.deleted)
            OR EXISTS (SELECT 1 FROM gone g WHERE
            g.conversation = new.conversation AND g.sender = new.reply_author AND g.id = new.reply_id));
    END;
    CREATE TRIGGER line_gone AFTER DELETE ON lines BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete',
            ifnull((SELECT key FROM moved WHERE position = old.position), old.position), old.text);
        DELETE FROM moved WHERE position = old.position;
        UPDATE watermark SET position = old.position WHERE position < old.position;
        INSERT INTO gone
            SELECT old.conversation, ifnull(max(number), 0) + 1, old.sender, old.id FROM gone
            WHERE conversation = old.conversation ON CONFLICT DO NOTHING;
        UPDATE conversations SET count = count - 1, last = ifnull((SELECT position FROM lines
            WHERE conversation = old.conversation AND kind <> 'about' ORDER BY position DESC LIMIT 1), 0)
        WHERE key = old.conversation AND old.kind <> 'about';
    END;

    CREATE TABLE tails (                      -- ends of long posts: a Welcome to many is the same but for its head
        key INTEGER PRIMARY KEY,
        tail BLOB NOT NULL
    );
    CREATE TABLE posts (
        peer TEXT NOT NULL,
        number INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        body BLOB NOT NULL,
        tail INTEGER,
        PRIMARY KEY (peer, number)
    ) WITHOUT ROWID;
    CREATE INDEX posts_by_tail ON posts (tail) WHERE tail NOTNULL;
    CREATE TRIGGER post_gone AFTER DELETE ON posts WHEN old.tail NOTNULL BEGIN
        DELETE FROM tails WHERE key = old.tail AND NOT EXISTS (SELECT 1 FROM posts WHERE tail = old.tail);
    END;

    CREATE TABLE entries (
        lobby BLOB NOT NULL CHECK (length(lobby) = 16),
        seq INTEGER NOT NULL,
        entry BLOB NOT NULL,
        PRIMARY KEY (lobby, seq)
    ) WITHOUT ROWID;

    CREATE TABLE certificates (
        fingerprint BLOB NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 32),
        der BLOB NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE lines ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;  -- whether its newest edit came outside the order
    ALTER TABLE early ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;
    """,
)
"""Step *n*, from 0, makes version ``FIRST + n``."""
