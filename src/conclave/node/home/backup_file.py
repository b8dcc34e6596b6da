"""A backup as a file: what is in front of it, and a database behind, sealed piece by piece under a passphrase.

The file is ``magic || size || envelope || pieces``. The envelope (``crypto.seal``) holds the manifest: who it is of,
whom they trust, the database's key, and the key of the pieces (``crypto.stream``). No private key of the device is in
it. Never more than a piece is held in memory. Left out: making and restoring one (``backup``).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

from conclave.crypto import stream
from conclave.crypto.seal import NONCE_BYTES, SALT_BYTES, Cost, derive, seal, unseal
from conclave.errors import DecodeError, NotReady, VerificationError
from conclave.store.vault import CRL_BYTES, DATABASE_KEY_BYTES, DER_BYTES, Trust, prepared
from conclave.values import dataclass, field
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.limits import HANDLE_BYTES, HASH_BYTES, TEXT_BYTES

MAGIC = b"conclave backup\n"
VERSION = 1
ENVELOPE_BYTES = 8 * 1024 * 1024
"""The longest envelope: a manifest with the largest revocation list."""

Progress = Callable[[int, int], None]
"""Told how many bytes of how many are done."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is of. ``made`` is UNIX seconds; ``size`` (bytes) and ``sha256`` are the database file's."""

    made: float
    handle: str
    realm: str
    device: str
    authorities: tuple[str, ...]
    trust: Trust
    database_key: bytes = field(repr=False)
    piece_key: bytes = field(repr=False)
    size: int
    sha256: bytes
    lines: int


def write_backup(
    file: BinaryIO, manifest: Manifest, database: BinaryIO, passphrase: str, cost: Cost, progress: Progress
) -> None:
    """Write all of it. ``manifest.piece_key`` must be fresh. Raises ``LocalError`` where ``database`` is another."""
    key = derive(prepared(passphrase), salt=os.urandom(SALT_BYTES), cost=cost)
    envelope = seal(key, _encode(manifest), nonce=os.urandom(NONCE_BYTES))
    file.write(Writer().raw(MAGIC).uint32(len(envelope)).raw(envelope).done())
    done = number = 0
    while True:
        piece = database.read(stream.PIECE_BYTES)
        done += len(piece)
        last = done >= manifest.size
        file.write(stream.seal_piece(manifest.piece_key, number, piece, last=last))
        progress(done, manifest.size)
        if last:
            return
        number += 1


def read_manifest(file: BinaryIO, passphrase: str) -> Manifest:
    """What stands in front. Raises ``DecodeError`` for what is no backup, ``LocalError`` for a wrong passphrase."""
    front = file.read(len(MAGIC) + 4)
    if not front.startswith(MAGIC) or len(front) < len(MAGIC) + 4:
        raise DecodeError("this is no backup of Conclave's", remedy="give the file that conclave backup wrote")
    size = int.from_bytes(front[len(MAGIC) :])
    if size > ENVELOPE_BYTES:
        raise DecodeError(f"a backup that begins with {size} bytes; at most {ENVELOPE_BYTES} are read")
    try:
        _, content = unseal(prepared(passphrase), file.read(size))
    except VerificationError as error:
        raise NotReady(
            "the backup stays closed: the passphrase is wrong, or the file was changed",
            remedy="give the passphrase that it was made under, or another copy of the file",
        ) from error
    return decode(content, _manifest)


def read_database(file: BinaryIO, manifest: Manifest, progress: Progress) -> Iterator[bytes]:
    """The database behind the manifest, in pieces. Raises ``VerificationError`` where one is not as it was written.

    Only when it has ended without an error is all that came before the database that was backed up.
    """
    digest = hashlib.sha256()
    done = number = 0
    while True:
        last = done + stream.PIECE_BYTES >= manifest.size
        try:
            piece = stream.open_piece(manifest.piece_key, number, file.read(stream.SEALED_BYTES), last=last)
        except VerificationError as error:
            raise _damaged() from error
        digest.update(piece)
        done += len(piece)
        yield piece
        progress(done, manifest.size)
        if last:
            break
        number += 1
    if done != manifest.size or digest.digest() != manifest.sha256 or file.read(1):
        raise _damaged()


def _damaged() -> VerificationError:
    return VerificationError(
        "the backup is damaged or cut short", reason="bad-backup", remedy="use another copy of it, or an earlier one"
    )


def _encode(manifest: Manifest) -> bytes:
    w = Writer().uint8(VERSION).uint64(round(manifest.made * 1000))
    w.text(manifest.handle).text(manifest.realm).text(manifest.device).vector(manifest.authorities, Writer.text)
    w.opaque(manifest.trust.root).opaque(manifest.trust.issuing).opaque(manifest.trust.crl)
    w.fixed(manifest.database_key, DATABASE_KEY_BYTES).fixed(manifest.piece_key, stream.KEY_BYTES)
    return w.uint64(manifest.size).fixed(manifest.sha256, HASH_BYTES).uint64(manifest.lines).done()


def _manifest(r: Reader) -> Manifest:
    version = r.uint8()
    if version != VERSION:
        raise DecodeError(
            f"a backup of version {version}; this program knows {VERSION}", remedy="use a newer version of Conclave"
        )
    return Manifest(
        r.uint64() / 1000,
        r.text(HANDLE_BYTES),
        r.text(TEXT_BYTES),
        r.text(HANDLE_BYTES),
        r.vector(lambda each: each.text(TEXT_BYTES), 16 * TEXT_BYTES),
        Trust(r.opaque(DER_BYTES), r.opaque(DER_BYTES), r.opaque(CRL_BYTES)),
        r.fixed(DATABASE_KEY_BYTES),
        r.fixed(stream.KEY_BYTES),
        r.uint64(),
        r.fixed(HASH_BYTES),
        r.uint64(),
    )
