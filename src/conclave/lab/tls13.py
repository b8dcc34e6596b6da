"""TLS 1.3 for an attacker: opens and seals records with a traffic secret, if he has one (RFC 8446 sections 5, 7).

He is given secrets of *his own* connections only, and in lessons on stolen keys those that he is said to have.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conclave.crypto.aead import AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, Aead
from conclave.crypto.kdf import SHA256, SHA384, Kdf
from conclave.lab.tls_wire import HEADER_BYTES, SEALED, TAG_BYTES
from conclave.values import dataclass

SUITES: dict[int, tuple[Kdf, Aead]] = {
    0x1301: (SHA256, AES_128_GCM),
    0x1302: (SHA384, AES_256_GCM),
    0x1303: (SHA256, CHACHA20_POLY1305),
}
"""RFC 8446 appendix B.4."""
IV_BYTES = 12


def suite_of(server_hello: bytes) -> tuple[Kdf, Aead]:
    """Hash and AEAD that a ServerHello record names."""
    at = HEADER_BYTES + 38
    at += 1 + server_hello[at]
    return SUITES[int.from_bytes(server_hello[at : at + 2])]


def expand_label(kdf: Kdf, secret: bytes, label: str, context: bytes, length: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446 section 7.1)."""
    name = b"tls13 " + label.encode()
    info = length.to_bytes(2) + bytes([len(name)]) + name + bytes([len(context)]) + context
    return kdf.expand(secret, info, length)


@dataclass(frozen=True, slots=True)
class Sealer:
    """One direction's keys under one traffic secret."""

    kdf: Kdf
    aead: Aead
    secret: bytes

    def _nonce(self, number: int) -> bytes:
        iv = expand_label(self.kdf, self.secret, "iv", b"", IV_BYTES)
        return bytes(a ^ b for a, b in zip(iv, number.to_bytes(IV_BYTES), strict=True))

    @property
    def _key(self) -> bytes:
        return expand_label(self.kdf, self.secret, "key", b"", self.aead.key_size)

    def open(self, record: bytes, number: int) -> tuple[int, bytes]:
        """True type and plaintext of the record numbered ``number`` from 0. Raises ``VerificationError``."""
        inner = self.aead.open(self._key, self._nonce(number), record[HEADER_BYTES:], record[:HEADER_BYTES])
        inner = inner.rstrip(b"\x00")
        return inner[-1], inner[:-1]

    def seal(self, plain: bytes, kind: int, number: int) -> bytes:
        """A record (RFC 8446 section 5.2)."""
        size = len(plain) + 1 + TAG_BYTES
        head = bytes([SEALED, 3, 3]) + size.to_bytes(2)
        return head + self.aead.seal(self._key, self._nonce(number), plain + bytes([kind]), head)

    def finished(self, transcript: bytes) -> bytes:
        """``verify_data`` of a Finished message over a transcript's hash (RFC 8446 section 4.4.4)."""
        key = expand_label(self.kdf, self.secret, "finished", b"", self.kdf.size)
        return self.kdf.mac(key, transcript)


@contextmanager
def key_log() -> Iterator[Path]:
    """A file for ``ssl.SSLContext.keylog_filename``, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="conclave-lab-") as folder:
        path = Path(folder, "keys")
        path.touch(0o600)
        yield path


def logged(path: Path) -> dict[str, bytes]:
    """The secrets of the last connection in a key log, by their names there."""
    lines = (line.split() for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return {name: bytes.fromhex(secret) for name, _, secret in lines}
