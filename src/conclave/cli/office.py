"""The authority's folder and what its commands do there, without words: ``<home>/authority/``.

``root.p12`` (move it offline), ``issuing.p12`` (what ``serve`` and ``sign`` need), ``root.pem`` (for strangers'
clients), ``authority.db`` and ``serve.lock``. Everything is 0600 in a folder of 0700. Left out: options and printing
(``authority``), and the server (``net.authority_server``).
"""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from conclave.authority.audit import Actor, entry
from conclave.authority.ports import Transaction
from conclave.authority.records import OPERATOR, Action
from conclave.cli.context import typed
from conclave.errors import NotReady, StorageError, UsageError
from conclave.pki.address import Address, parse_address
from conclave.pki.bundle import decode_pem, encode_base64
from conclave.pki.credentials import Issuer, as_issuer, open_credentials, seal_credentials
from conclave.pki.issue import make_issuing, make_root
from conclave.pki.names import Realm, parse_realm, realm_from_name
from conclave.pki.trust import Trust, pin_root
from conclave.store.authority import AuthorityStore
from conclave.values import dataclass

_DURATION = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LOCK_ATTEMPTS = 5
_LOCK_PAUSE = 0.1


def console() -> Actor:
    """Whoever typed the command."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return Actor(OPERATOR, f"console:{name}")


def parse_duration(text: str) -> float:
    """Read ``90s``, ``15m``, ``24h`` or ``10d`` as seconds. Raises ``LocalError``."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise UsageError(f"{text!r} is not a duration", remedy="write 90s, 15m, 24h or 10d")
    return float(int(match[1]) * _UNITS[match[2]])


def crl_pem(der: bytes) -> bytes:
    """A revocation list as PEM (RFC 7468 section 6)."""
    return b"-----BEGIN X509 CRL-----\n" + encode_base64(der) + b"-----END X509 CRL-----\n"


@dataclass(frozen=True, slots=True)
class Office:
    """An authority that was initialised. Close ``store``."""

    folder: Path
    store: AuthorityStore
    name: str
    trust: Trust

    @property
    def realm(self) -> Realm:
        """Whom the authority speaks for."""
        return self.trust.realm

    @property
    def root_sha256(self) -> bytes:
        """What invites pin."""
        return self.trust.root.fingerprint

    def issuer(self, passphrase: str) -> Issuer:
        """The issuing key. Raises ``LocalError`` for a wrong passphrase or a missing file."""
        path = self.folder / "issuing.p12"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise NotReady(f"the issuing key {path} cannot be read: {error.strerror}") from error
        return as_issuer(open_credentials(data, passphrase))

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where others reach the server, as ``serve`` noted it last; may be empty."""
        return tuple(parse_address(text) for text in (self.store.reads.setting("addresses") or "").split())

    def is_served(self) -> bool:
        """Whether ``serve`` runs now."""
        with (self.folder / "serve.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Be the one server of this folder. Raises ``LocalError`` where another runs."""
        with (self.folder / "serve.lock").open("a") as file:
            for attempt in range(_LOCK_ATTEMPTS):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:  # another server, or a command that just looks whether there is one
                    if attempt == _LOCK_ATTEMPTS - 1:
                        raise NotReady(
                            "this authority is served already", remedy="end the other serve first"
                        ) from error
                    time.sleep(_LOCK_PAUSE)
            yield


@contextmanager
def open_office(home: Path) -> Iterator[Office]:
    """Open the authority of a home. Raises ``LocalError`` where there is none, ``StorageError``."""
    folder = home / "authority"
    if not (folder / "authority.db").is_file():
        raise NotReady(
            f"there is no authority in {home}", remedy='conclave authority init --name "Ward 7", or another --home'
        )
    store = AuthorityStore(folder / "authority.db")
    try:
        authorities = decode_pem((store.reads.setting("authorities") or "").encode())
        trust = pin_root(authorities, bytes.fromhex(store.reads.setting("root_sha256") or ""))
        yield Office(folder, store, store.reads.setting("name") or "", trust)
    finally:
        store.close()


def init(home: Path, name: str, realm_text: str, passphrase: str, now: float) -> tuple[Realm, bytes, Path]:
    """Make an authority: realm, the root's SHA-256, folder. Nothing stands there until all of it does.

    Raises ``LocalError`` where there is one already or the name will not do, ``DecodeError`` for a bad realm,
    ``StorageError`` where the disk refuses.
    """
    folder = home / "authority"
    if folder.exists():
        raise NotReady(f"there is an authority in {home} already", remedy="use it, or another --home")
    realm = typed(parse_realm, realm_text) if realm_text else realm_from_name(name)
    root = make_root(name, realm, now)
    issuing = make_issuing(root, name, now)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix="authority-", dir=home))  # 0700
        try:
            write_private(partial / "root.p12", seal_credentials(root.credentials, passphrase))
            write_private(partial / "issuing.p12", seal_credentials(issuing.credentials, passphrase))
            write_private(partial / "root.pem", root.certificate.pem)
            store = AuthorityStore(partial / "authority.db")
            settings = {
                "name": name,
                "realm": realm,
                "root_sha256": root.certificate.fingerprint.hex(),
                "authorities": b"".join(c.pem for c in issuing.chain).decode(),
            }
            row = entry(console(), Action.INIT, realm, now)

            def decision(transaction: Transaction) -> None:
                for setting, value in settings.items():
                    transaction.set_setting(setting, value)
                transaction.record(row)

            with closing(store):
                store.decide(decision).result()
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    except OSError as error:
        raise StorageError(f"the authority could not be written to {home}: {error}") from error
    return realm, root.certificate.fingerprint, folder


def write_private(path: Path, data: bytes) -> None:
    """Write a file of 0600 that is whole or not there. Raises ``StorageError``."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(
            f"{path} could not be written: {error.strerror}", remedy="check disk and folder"
        ) from error
