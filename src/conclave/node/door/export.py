"""The record of a conversation as a file: what history keeps of it, signed by this device. Runs in a thread.

Left out: what a record looks like (``chat.words.transcript``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from conclave.chat.words.originals import read_kept
from conclave.chat.words.transcript import Entry, Header, write_transcript
from conclave.crypto.signature import ED25519
from conclave.errors import DecodeError, LocalError
from conclave.mls.group import read_original
from conclave.node.identity import Identity
from conclave.node.newfile import new_file
from conclave.pki.profile import Profile
from conclave.store.ports import Lines, PeerStore

PAGE = 500
"""Lines that are read at once."""


def export(store: PeerStore, identity: Identity, conversation: str, path: Path) -> dict[str, Any]:
    """Write the record of ``conversation`` to ``path``.

    Raises ``LocalError`` where nothing was said there, or a file is there already; ``StorageError`` where the disk
    refuses, or what is kept is damaged. No file is left then.
    """
    if not store.recorded(conversation, 0, 1):
        raise LocalError(
            f"there is no history of {conversation!r} here",
            remedy="conclave export @PEER or '#LOBBY', as conclave read takes it",
        )
    credentials = identity.credentials(Profile.IM)
    key = credentials.key.raw()
    lines = 0
    with store.unmoved() as history, new_file(path) as file:
        header = Header(
            conversation,
            identity.realm,
            _groups(history, conversation),
            identity.handle,
            credentials.certificate.der,
            time.time(),
            identity.trust.root.fingerprint,
            tuple(authority.der for authority in identity.trust.issuing),
        )
        for line in write_transcript(
            header, _entries(history, conversation), store.certificate, lambda data: ED25519.sign(key, data)
        ):
            file.write(line)
            lines += 1
    return {"conversation": conversation, "path": str(path), "lines": lines}


def _entries(history: Lines, conversation: str) -> Iterator[Entry]:
    after = 0
    while page := history.recorded(conversation, after, PAGE):
        for one in page:
            yield Entry(one.stored.line, one.original, one.stored.deleted)
        after = page[-1].stored.position


def _groups(history: Lines, conversation: str) -> tuple[bytes, ...]:
    """The groups in which it was said, in order: a lobby has one, a pair another each time that it begins anew."""
    found: dict[bytes, None] = {}
    for entry in _entries(history, conversation):
        if entry.original:
            with suppress(DecodeError):  # the writer will say what is wrong with it
                found[read_original(read_kept(entry.original)[0]).group_id] = None
    return tuple(found)
