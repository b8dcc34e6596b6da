"""The vault: one small file that holds, under a passphrase, everything by which this device is somebody.

That is the history's raw key, the device's private keys and certificate chains, what it trusts, and its identity's
settings. Keys and certificates are opaque DER here. The file (0600) is replaced whole: written beside, synced,
renamed, and the folder synced, so that a crash or a full disk leaves the old one or the new one. One process at a
time may hold a vault for writing: the node, or a command while no node runs. Left out: the envelope
(``crypto.seal``), what keys and certificates mean (``pki``).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unicodedata import normalize

from conclave.crypto.seal import NONCE_BYTES, SALT_BYTES, STANDARD, Cost, SealingKey, derive, recognise, seal, unseal
from conclave.errors import (
    DecodeError,
    LocalError,
    NotEnrolled,
    NotReady,
    StorageError,
    VerificationError,
    of_no_release,
)
from conclave.values import dataclass, field
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.limits import HANDLE_BYTES, TEXT_BYTES

NO_COPY = "put a copy of it there; or make another home of a backup: conclave --home DIR restore FILE, and join again"
"""A backup holds no vault."""
VERSION = 2
DER_BYTES = 64 * 1024
"""A key or a certificate."""
CRL_BYTES = 4 * 1024 * 1024
"""A revocation list of about 100,000 entries."""
VAULT_BYTES = 8 * 1024 * 1024
"""A larger file is not read."""
PROFILES_BYTES = 32 * DER_BYTES
PENDING_BYTES = PROFILES_BYTES + 32 * TEXT_BYTES
DATABASE_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Profile:
    """One purpose's key and certificate. The chain is empty until the authority has answered."""

    name: str  # ``tls``, ``im`` or ``classic``
    key: bytes = field(repr=False)  # PKCS#8 DER
    chain: tuple[bytes, ...] = ()  # X.509 DER, the device's certificate first


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom this device believes: X.509 DER; ``crl`` is the newest revocation list seen, or empty."""

    root: bytes
    issuing: bytes
    crl: bytes = b""


@dataclass(frozen=True, slots=True)
class Pending:
    """An enrolment that is under way: what the identity is replaced with once all of it was granted."""

    invite: bytes  # what tells the invite from another: a SHA-256, or empty without one
    root: bytes  # the SHA-256 of the root that the invite names, or empty
    authorities: tuple[str, ...]
    profiles: tuple[Profile, ...]  # without chains


@dataclass(frozen=True, slots=True)
class VaultContent:
    """What a vault holds. ``authorities`` are addresses, ``host:port``, the preferred one first.

    Before the first enrolment is complete, there are neither profiles nor trust; in a restored home, trust alone.
    """

    database_key: bytes = field(repr=False)  # 32 random bytes
    handle: str
    realm: str
    device: str
    authorities: tuple[str, ...]
    profiles: tuple[Profile, ...]
    trust: Trust
    pending: Pending | None = None

    def profile(self, name: str) -> Profile:
        """The profile of that name. Raises ``LocalError`` where there is none."""
        for profile in self.profiles:
            if profile.name == name:
                return profile
        raise NotReady(f"this device has no key for {name!r}", remedy="join again with a fresh invite")


class OpenVault:
    """A vault whose passphrase was given. ``content`` is what the file holds."""

    def __init__(self, path: Path, key: SealingKey, content: VaultContent) -> None:
        """Made by ``create`` and ``unlock``."""
        self._path = path
        self._key = key
        self.content = content

    def rewrite(self, content: VaultContent) -> None:
        """Replace what the file holds. Raises ``StorageError``; the old content then stands."""
        _replace(self._path, seal(self._key, _encode(content), nonce=os.urandom(NONCE_BYTES)))
        self.content = content

    def change_passphrase(self, passphrase: str, *, cost: Cost = STANDARD) -> None:
        """Seal under another passphrase from now on. Raises ``StorageError``; the old one then stands."""
        key = derive(prepared(passphrase), salt=os.urandom(SALT_BYTES), cost=cost)
        _replace(self._path, seal(key, _encode(self.content), nonce=os.urandom(NONCE_BYTES)))
        self._key = key


def create(path: Path, passphrase: str, content: VaultContent, *, cost: Cost = STANDARD) -> OpenVault:
    """Make the vault. Raises ``LocalError`` where one is there already, and ``StorageError``."""
    if path.exists():
        raise NotReady(f"{path} is there already", remedy="use another --home, or move the old one away")
    vault = OpenVault(path, derive(prepared(passphrase), salt=os.urandom(SALT_BYTES), cost=cost), content)
    vault.rewrite(content)
    return vault


def unlock(path: Path, passphrase: str) -> OpenVault:
    """Open the vault. Raises ``LocalError`` without one, with a wrong passphrase or for a newer program's vault."""
    envelope = _read(path)
    try:
        key, content = unseal(prepared(passphrase), envelope)
        return OpenVault(path, key, decode(content, _content))
    except VerificationError as error:
        raise NotReady(
            "the vault stays locked: the passphrase is wrong, or the file was changed",
            remedy="try again; where the passphrase is lost, join again with a fresh invite in another --home",
        ) from error
    except DecodeError as error:
        raise _no_vault(path, error) from error


def recognise_vault(path: Path) -> None:
    """Assert that this is a vault, as far as that shows without its passphrase. Raises ``LocalError``."""
    envelope = _read(path)
    try:
        recognise(envelope)
    except DecodeError as error:
        raise _no_vault(path, error) from error


def _no_vault(path: Path, error: DecodeError) -> LocalError:
    return NotReady(f"{path} is not a vault that can be read: {error}", remedy=NO_COPY)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            envelope = file.read(VAULT_BYTES + 1)
    except FileNotFoundError as error:
        raise NotEnrolled(f"no vault at {path}: nobody has joined here", remedy="conclave join INVITE") from error
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror}", remedy="make the file yours to read"
        ) from error
    if len(envelope) > VAULT_BYTES:
        raise NotReady(f"{path} is too large for a vault", remedy=NO_COPY)
    return envelope


def prepared(passphrase: str) -> bytes:
    """The passphrase as bytes, however its letters were composed: RFC 8265 section 4.2, without the width rules."""
    if not passphrase:
        raise NotReady("the passphrase is empty", remedy="give one of at least a few words")
    try:
        return normalize("NFC", passphrase).encode()
    except UnicodeEncodeError as error:
        raise NotReady("the passphrase is not UTF-8", remedy="check the terminal's or the file's encoding") from error


def _replace(path: Path, data: bytes) -> None:
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(beside).replace(path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StorageError(
            f"the vault could not be written: {error.strerror}",
            remedy="free some space, make the home yours to write, and try again; the old vault stands",
        ) from error


def _encode(content: VaultContent) -> bytes:
    w = Writer().uint16(VERSION).fixed(content.database_key, DATABASE_KEY_BYTES)
    w.text(content.handle).text(content.realm).text(content.device).vector(content.authorities, Writer.text)
    w.vector(content.profiles, _put_profile)
    w.opaque(content.trust.root).opaque(content.trust.issuing).opaque(content.trust.crl)
    data = w.vector(() if content.pending is None else (content.pending,), _put_pending).done()
    try:
        decode(data, _content)  # what could not be read again is not written
    except DecodeError as error:
        raise LocalError(f"a vault cannot hold this: {error}") from error
    return data


def _put_profile(w: Writer, profile: Profile) -> None:
    w.text(profile.name).opaque(profile.key).vector(profile.chain, Writer.opaque)


def _put_pending(w: Writer, pending: Pending) -> None:
    w.opaque(pending.invite).opaque(pending.root).vector(pending.authorities, Writer.text)
    w.vector(pending.profiles, _put_profile)


def _content(r: Reader) -> VaultContent:
    version = r.uint16()
    if version < VERSION:
        raise of_no_release()
    if version > VERSION:
        raise DecodeError(f"it has version {version}, this program knows {VERSION}")
    return VaultContent(
        database_key=r.fixed(DATABASE_KEY_BYTES),
        handle=r.text(HANDLE_BYTES),
        realm=r.text(TEXT_BYTES),
        device=r.text(HANDLE_BYTES),
        authorities=_addresses(r),
        profiles=_profiles(r),
        trust=Trust(r.opaque(DER_BYTES), r.opaque(DER_BYTES), r.opaque(CRL_BYTES)),
        pending=next(iter(r.vector(_pending, PENDING_BYTES)), None),
    )


def _addresses(r: Reader) -> tuple[str, ...]:
    return r.vector(lambda r: r.text(TEXT_BYTES), 16 * TEXT_BYTES)


def _profiles(r: Reader) -> tuple[Profile, ...]:
    return r.vector(
        lambda r: Profile(
            r.text(HANDLE_BYTES), r.opaque(DER_BYTES), r.vector(lambda r: r.opaque(DER_BYTES), 8 * DER_BYTES)
        ),
        PROFILES_BYTES,
    )


def _pending(r: Reader) -> Pending:
    return Pending(r.opaque(32), r.opaque(32), _addresses(r), _profiles(r))
