"""A peer's records as SQL statements with their rows, and rows as what they are read as.

Records of one table keep their order, and runs of the same statement go to the driver together. Left out: the
connection and the transaction (``peer``), the tables (``peer_schema``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from conclave.chat.effects import (
    AddLine,
    AddState,
    AmendLine,
    CutEntries,
    DropEntries,
    DropExpired,
    DropPosts,
    DropState,
    EraseLine,
    ExpireLine,
    KeepOriginal,
    MarkLine,
    PassLine,
    PutCertificate,
    PutEntry,
    PutPost,
    PutState,
    Record,
    SetPin,
    SetReaction,
    UnplaceLines,
)
from conclave.chat.words.line import Line, LineKind, Status
from conclave.store.bounds import NUMBER_MAX
from conclave.store.ports import Recorded, StoredLine
from conclave.store.reactions import Reactions, Times, reacted

LONG_BYTES = 64 * 1024
"""The end of a post that is longer is kept once where it follows another with the same one, as with a Welcome ..."""
HEAD_BYTES = 4 * 1024
"""... of which so much is the receiver's own: its secrets are some 1,300 bytes."""

Rows = list[tuple[Any, ...]]
Runs = list[tuple[str, Rows]]

PUT_STATE = "INSERT INTO states VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
ADD_STATE = "INSERT INTO states VALUES (?, ?) ON CONFLICT DO NOTHING"
DROP_STATE = "DELETE FROM states WHERE key = ?"
ADD_CONVERSATION = "INSERT INTO conversations (name) VALUES (?) ON CONFLICT DO NOTHING"

_NEXT = "(SELECT max(ifnull((SELECT max(position) FROM lines), 0), (SELECT position FROM watermark)) + 1)"
_BEHIND = f"""iif(
        seq = 0 AND position < (SELECT max(position) FROM lines l WHERE l.conversation = lines.conversation),
        {_NEXT}, position)"""  # noqa: S608
_NAMED = "conversation = (SELECT key FROM conversations WHERE name = ?1) AND sender = ?2 AND id = ?3"
_STANDS = f"{_NAMED} AND deleted = 0"
_ABOUT_ERASED = """kind = 'about' AND (
        EXISTS (SELECT 1 FROM lines l WHERE l.conversation = lines.conversation AND l.sender = lines.reply_author
            AND l.id = lines.reply_id AND l.deleted)
        OR EXISTS (SELECT 1 FROM gone g WHERE g.conversation = lines.conversation AND g.sender = lines.reply_author
            AND g.id = lines.reply_id))"""
ADD_LINE = f"""
    INSERT INTO lines (position, conversation, sender, id, kind, text, sent, stored, status, seq,
        reply_author, reply_id, expires, original)
    VALUES ({_NEXT}, (SELECT key FROM conversations WHERE name = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
        ?10, ?11, ?12, ?13)
    ON CONFLICT (conversation, sender, id) DO UPDATE SET seq = excluded.seq, position = {_BEHIND}
    WHERE excluded.seq > 0 AND (seq = 0 OR excluded.seq < seq)"""  # noqa: S608
ADD_ORDERED = f"{ADD_LINE} "
"""The same of a line to which others give way (``REPLACED``)."""
REPLACED = (
    f"""
    UPDATE lines SET text = ?5, sent = ?6, edited = 0, alone = 0, stored = ?7, seq = ?9, reply_author = ?10,
        reply_id = ?11, expires = ?12, original = ?13 WHERE {_STANDS} AND other_words(original, ?13)""",  # noqa: S608
    f"UPDATE lines SET kind = ?4 WHERE {_NAMED}",  # noqa: S608
    f"UPDATE lines SET original = x'' WHERE {_NAMED} AND {_ABOUT_ERASED}",  # noqa: S608
    """
    UPDATE lines SET original = x'' WHERE kind = 'about' AND sender = ?2 AND reply_author = ?2 AND reply_id = ?3
        AND conversation = (SELECT key FROM conversations WHERE name = ?1)""",
    f"""
    UPDATE lines SET position = {_NEXT}
    WHERE {_NAMED} AND position < (SELECT max(position) FROM lines l WHERE l.conversation = lines.conversation)""",  # noqa: S608
    """
    UPDATE conversations SET
        count = (SELECT count(*) FROM lines WHERE conversation = key AND kind <> 'about'),
        last = ifnull((SELECT max(position) FROM lines WHERE conversation = key AND kind <> 'about'), 0)
    WHERE name = ?1""",
)
"""Put a line in the place of one of its name that says something else; the first says whether there is one.

What is said of it from then on counts; what its author said of the other is kept no more.
"""
ADD_NEW_LINE = """
    INSERT INTO lines (position, conversation, sender, id, kind, text, sent, stored, status, seq,
        reply_author, reply_id, expires, original)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
"""The same of a line that is not here, with its position and the key of its conversation; fails for one that is."""
NEXT_POSITION = f"SELECT {_NEXT}"
KEY_OF = "SELECT key FROM conversations WHERE name = ?"
KNOWN_LINE = f"SELECT deleted FROM lines WHERE {_NAMED}"  # noqa: S608
MARK_LINE = f"UPDATE lines SET status = ?4 WHERE {_NAMED}"  # noqa: S608
PLACE_LINE = (
    f"UPDATE lines SET status = ?4, seq = iif(seq = 0 OR ?5 < seq, ?5, seq), position = {_BEHIND} WHERE {_NAMED}"  # noqa: S608
)
KEEP_ORIGINAL = f"""
    UPDATE lines SET original = ?4 WHERE {_STANDS} AND original = x'' AND NOT ({_ABOUT_ERASED})"""  # noqa: S608
AMEND_LINE = f"""
    UPDATE lines SET text = ?4, edited = ?5, alone = ?6
    WHERE {_STANDS} AND kind = 'text' AND (edited IS NULL OR (-alone, edited, text) < (-?6, ?5, ?4))"""  # noqa: S608
ERASE_LINE = f"""
    UPDATE lines SET text = '', edited = NULL, deleted = 1, pinned = 0, pinned_at = NULL, reactions = '',
        reacted_at = '', reply_author = NULL, reply_id = NULL, original = x'' WHERE {_STANDS}"""  # noqa: S608
SET_REACTION = f"""
    UPDATE lines SET reactions = reacted(reactions, reacted_at, ?4, ?5, ?6, ?7),
        reacted_at = times(reactions, reacted_at, ?4, ?5, ?6, ?7) WHERE {_STANDS}"""  # noqa: S608
SET_PIN = f"""
    UPDATE lines SET pinned = ?4, pinned_at = ?5
    WHERE {_STANDS} AND (pinned_at IS NULL OR (pinned_at, -pinned) < (?5, -?4))"""  # noqa: S608
EXPIRE_LINE = f"UPDATE lines SET expires = ?4 WHERE {_STANDS} AND expires = 0"  # noqa: S608
PASS_LINE = f"""
    INSERT INTO gone SELECT key, ifnull((SELECT max(number) FROM gone WHERE conversation = key), 0) + 1, ?2, ?3
        FROM conversations WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM lines WHERE {_NAMED})
    ON CONFLICT DO NOTHING"""  # noqa: S608
DROP_EXPIRED = "DELETE FROM lines WHERE expires > 0 AND expires <= ?"
_PAST = "conversation = (SELECT key FROM conversations WHERE name = ?) AND seq > 0 AND seq > ?"
UNPLACE_LINES = f"UPDATE lines SET seq = 0 WHERE {_PAST}"  # noqa: S608
LINES_AFTER = f"SELECT sender, id FROM lines WHERE {_PAST} ORDER BY seq, position"  # noqa: S608
KEEP_EARLY = f"""
    INSERT INTO early (conversation, sender, id, kind, by, sign, state, at, text, alone)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
    WHERE NOT EXISTS (SELECT 1 FROM lines WHERE {_NAMED}) AND NOT EXISTS (
        SELECT 1 FROM early WHERE conversation = ?1 AND sender = ?2 AND id = ?3 AND kind = 'delete')
        AND (?4 = 'delete' OR NOT EXISTS (SELECT 1 FROM gone WHERE {_NAMED}))
    ON CONFLICT (conversation, sender, id, kind, by, sign) DO UPDATE
    SET state = excluded.state, at = excluded.at, text = excluded.text, alone = excluded.alone
    WHERE (-alone, at, text, -state) < (-excluded.alone, excluded.at, excluded.text, -excluded.state)"""  # noqa: S608
EARLY = """
    SELECT kind, by, sign, state, at, text, alone FROM early
    WHERE conversation = ? AND sender = ? AND id = ? ORDER BY number"""
DROP_EARLY = "DELETE FROM early WHERE conversation = ? AND sender = ? AND id = ?"

PUT_POST = "INSERT INTO posts (peer, number, kind, body) VALUES (?, ?, ?, ?)"
PUT_TAIL = "INSERT INTO tails (tail) VALUES (?)"
PUT_HEAD = "INSERT INTO posts VALUES (?, ?, ?, ?, (SELECT max(key) FROM tails))"
POSTS = (
    "SELECT p.number, p.kind, p.body, t.tail FROM posts p LEFT JOIN tails t ON t.key = p.tail "
    "WHERE p.peer = ? AND p.number >= ? ORDER BY p.number LIMIT ?"
)
DROP_POSTS = "DELETE FROM posts WHERE peer = ? AND number <= ?"
PUT_ENTRY = "INSERT INTO entries VALUES (?, ?, ?)"
DROP_ENTRIES = "DELETE FROM entries WHERE lobby = ?"
CUT_ENTRIES = "DELETE FROM entries WHERE lobby = ? AND seq > ?"
PUT_CERTIFICATE = "INSERT INTO certificates VALUES (?, ?) ON CONFLICT DO NOTHING"

WIPING = frozenset({ERASE_LINE, DROP_EXPIRED, PASS_LINE, KEEP_EARLY})
"""Statements that leave words behind in older pages of the write-ahead log."""

LINE = (
    "l.position, l.id, l.sender, l.kind, l.text, l.sent, l.stored, l.status, l.seq, "
    "l.reply_author, l.reply_id, l.expires, l.edited NOTNULL, l.deleted, l.pinned, l.reactions"
)
LINES = f"SELECT {LINE} FROM lines l WHERE l.conversation = (SELECT key FROM conversations WHERE name = ?)"  # noqa: S608
RECORDED = LINES.replace(" FROM", ", l.original FROM", 1)
RECORDED_AFTER = f"{RECORDED} AND l.position > ? ORDER BY l.position LIMIT ?"
SEARCH = f"""
    SELECT c.name, {LINE} FROM words w LEFT JOIN moved m ON m.key = w.rowid
    JOIN lines l ON l.position = ifnull(m.position, w.rowid) JOIN conversations c ON c.key = l.conversation
    WHERE words MATCH ? ORDER BY w.rowid DESC LIMIT ?"""  # noqa: S608
HEADS = """
    WITH RECURSIVE lobbies (lobby) AS (
        SELECT min(lobby) FROM entries
        UNION ALL
        SELECT (SELECT min(lobby) FROM entries e WHERE e.lobby > l.lobby) FROM lobbies l WHERE l.lobby NOTNULL
    ), heads AS (SELECT lobby, (SELECT max(seq) FROM entries e WHERE e.lobby = l.lobby) seq FROM lobbies l)
    SELECT lobby, seq, entry FROM heads JOIN entries USING (lobby, seq)"""


def stored(row: Sequence[Any]) -> StoredLine:
    """A line from the columns of ``LINE``."""
    position, name, sender, kind, text, sent, arrived, status, seq, author, reply, expires, *state = row
    about = None if author is None else (author, reply)
    line = Line(name, sender, LineKind(kind), text, sent, arrived, Status(status), seq, about, expires)
    edited, deleted, pinned, reactions = state
    return StoredLine(position, line, bool(edited), bool(deleted), bool(pinned), _reactions(reactions))


def recorded(row: Sequence[Any]) -> Recorded:
    """A line with what was signed, from the columns of ``RECORDED``."""
    *line, original = row
    return Recorded(stored(line), original)


def _reactions(column: str) -> Reactions:
    return tuple(tuple(one) for one in json.loads(column)) if column else ()


def react(column: str, times: str, by: bytes, sign: bytes, on: int, at: float) -> str:
    """SQL's ``reacted``: the signs with a reaction put or taken off.

    Words come as UTF-8: the driver ends a text that a function is given at its first zero byte.
    """
    reactions, _ = reacted(_reactions(column), _times(times), by.decode(), sign.decode(), at, on=bool(on))
    return json.dumps(reactions) if reactions else ""


def time_reaction(column: str, times: str, by: bytes, sign: bytes, on: int, at: float) -> str:
    """SQL's ``times``: when what was said of each sign, with this."""
    _, after = reacted(_reactions(column), _times(times), by.decode(), sign.decode(), at, on=bool(on))
    return json.dumps(after) if after else ""


def _times(column: str) -> Times:
    return {by: (floor, known) for by, (floor, known) in json.loads(column).items()} if column else {}


def amended(record: AmendLine | EraseLine | SetReaction | SetPin) -> Runs:
    """What keeps the record where its line has not come, and what changes the line where it has."""
    name = (record.conversation, record.sender, record.id)
    match record:
        case AmendLine():
            said = (record.text, record.at, int(record.alone))
            early = ("edit", record.sender, "", 1, record.at, record.text, int(record.alone))
            return [(KEEP_EARLY, [name + early]), (AMEND_LINE, [name + said])]
        case EraseLine():
            early = ("delete", record.sender, "", 1, 0.0, "", 0)
            return [(KEEP_EARLY, [name + early]), (ERASE_LINE, [name])]
        case SetReaction():
            early = ("reaction", record.by, record.sign, int(record.on), record.at, "", 0)
            row = (*name, record.by.encode(), record.sign.encode(), int(record.on), record.at)
            return [(KEEP_EARLY, [name + early]), (SET_REACTION, [row])]
        case SetPin():
            early = ("pin", "", "", int(record.on), record.at, "", 0)
            return [(KEEP_EARLY, [name + early]), (SET_PIN, [(*name, int(record.on), record.at)])]


def settled(name: tuple[str, str, bytes], row: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """The statement by which something kept early takes effect, from the columns of ``EARLY``."""
    kind, by, sign, state, at, text, alone = row
    match kind:
        case "edit":
            return AMEND_LINE, (*name, text, at, alone)
        case "delete":
            return ERASE_LINE, name
        case "reaction":
            return SET_REACTION, (*name, by.encode(), sign.encode(), state, at)
        case _:
            return SET_PIN, (*name, state, at)


def runs(records: Iterable[Record]) -> Runs:
    """The statements of a commit with their rows: in the order of the records within each table."""
    states: dict[str, PutState | AddState | None] = {}  # of a key only the last matters
    conversations: dict[str, None] = {}
    lines: Runs = []
    posts: Runs = []
    tail = b""  # of the last long post
    entries: Runs = []
    certificates: Rows = []
    for record in records:
        match record:
            case AddLine(conversation, line, original, ordered):
                conversations[conversation] = None
                _add(lines, ADD_ORDERED if ordered else ADD_LINE, _line(conversation, line, original))
            case MarkLine(conversation, sender, name, status, 0):
                _add(lines, MARK_LINE, (conversation, sender, name, status.value))
            case MarkLine(conversation, sender, name, status, seq):
                _add(lines, PLACE_LINE, (conversation, sender, name, status.value, seq))
            case PutPost(peer, number, kind, body) if len(body) < LONG_BYTES:
                _add(posts, PUT_POST, (peer, number, int(kind), body))
            case PutPost(peer, number, kind, body):
                if tail != body[HEAD_BYTES:]:
                    tail = body[HEAD_BYTES:]
                    _add(posts, PUT_TAIL, (tail,))
                _add(posts, PUT_HEAD, (peer, number, int(kind), body[:HEAD_BYTES]))
            case PutState(key):
                states[key] = record
            case DropState(key):
                states[key] = None
            case AddState(key, value):
                if states.setdefault(key, record) is None:
                    states[key] = PutState(key, value)
            case KeepOriginal(conversation, sender, name, original):
                _add(lines, KEEP_ORIGINAL, (conversation, sender, name, original))
            case AmendLine() | EraseLine() | SetReaction() | SetPin():
                for statement, (row,) in amended(record):
                    _add(lines, statement, row)
            case ExpireLine(conversation, sender, name, at):
                _add(lines, EXPIRE_LINE, (conversation, sender, name, at))
            case PassLine(conversation, sender, name):
                conversations[conversation] = None
                _add(lines, PASS_LINE, (conversation, sender, name))
            case DropExpired(now):
                _add(lines, DROP_EXPIRED, (now,))
            case UnplaceLines(conversation, seq):
                _add(lines, UNPLACE_LINES, (conversation, seq))
            case DropPosts(peer, number):
                tail = b""  # it may have gone with these
                _add(posts, DROP_POSTS, (peer, max(-1, min(number, NUMBER_MAX))))
            case PutEntry(group, seq, entry):
                _add(entries, PUT_ENTRY, (group, seq, entry))
            case DropEntries(group):
                _add(entries, DROP_ENTRIES, (group,))
            case CutEntries(group, seq):
                _add(entries, CUT_ENTRIES, (group, seq))
            case PutCertificate(der):
                certificates.append((hashlib.sha256(der).digest(), der))
    first: Runs = [
        (PUT_STATE, [(key, put.value) for key, put in states.items() if isinstance(put, PutState)]),
        (ADD_STATE, [(key, put.value) for key, put in states.items() if isinstance(put, AddState)]),
        (DROP_STATE, [(key,) for key, put in states.items() if put is None]),
        (ADD_CONVERSATION, [(name,) for name in conversations]),
        (PUT_CERTIFICATE, certificates),
    ]
    return [*(run for run in first if run[1]), *lines, *posts, *entries]


def _line(conversation: str, line: Line, original: bytes) -> tuple[Any, ...]:
    words = (line.sender, line.id, line.kind.value, line.text, line.sent, line.stored, line.status.value, line.seq)
    author, reply = line.reply if line.reply is not None else (None, None)
    return (conversation, *words, author, reply, line.expires, original)


def _add(runs: Runs, statement: str, row: tuple[Any, ...]) -> None:
    if runs and runs[-1][0] is statement:
        runs[-1][1].append(row)
    else:
        runs.append((statement, [row]))
