"""Hybrid public key encryption, base mode, single shot, with the exporter (RFC 9180).

Sealing and opening are the library's wherever it has the KEM (all but X448, which goes through ``Schedule`` below);
the exporter, which the library lacks, is ours. Left out: the PSK and authenticated modes, and contexts of more than
one message, for which MLS has no use. The library's seal draws its own ephemeral key.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke

from conclave.crypto.aead import AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, NONCE_SIZE, Aead
from conclave.crypto.kdf import SHA256, SHA384, SHA512, Kdf
from conclave.crypto.kem import Kem
from conclave.errors import VerificationError
from conclave.values import dataclass

_KDFS = {SHA256.code: hpke.KDF.HKDF_SHA256, SHA384.code: hpke.KDF.HKDF_SHA384, SHA512.code: hpke.KDF.HKDF_SHA512}
_AEADS = {
    AES_128_GCM.code: hpke.AEAD.AES_128_GCM,
    AES_256_GCM.code: hpke.AEAD.AES_256_GCM,
    CHACHA20_POLY1305.code: hpke.AEAD.CHACHA20_POLY1305,
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """What RFC 9180 section 5.1 derives: key and nonce of the first message, secret of the exporter."""

    key: bytes
    nonce: bytes
    exporter_secret: bytes


@dataclass(frozen=True)
class Hpke:
    """HPKE of one KEM, KDF and AEAD."""

    kem: Kem
    kdf: Kdf
    aead: Aead

    @cached_property
    def _suite(self) -> bytes:
        return b"HPKE" + self.kem.code.to_bytes(2) + self.kdf.code.to_bytes(2) + self.aead.code.to_bytes(2)

    @cached_property
    def _native(self) -> Any:
        kem = self.kem.native
        return None if kem is None else hpke.Suite(kem, _KDFS[self.kdf.code], _AEADS[self.aead.code])

    def seal(
        self, public: bytes, info: bytes, plaintext: bytes, random: Callable[[int], bytes]
    ) -> tuple[bytes, bytes]:
        """SealBase (RFC 9180 section 6.1) without associated data: encapsulation and ciphertext."""
        if self._native is not None:
            sealed = self._native.encrypt(plaintext, self.kem.load_public(public), info)
            return sealed[: self.kem.enc_size], sealed[self.kem.enc_size :]
        shared, enc = self.kem.encapsulate(public, random)
        schedule = self.schedule(shared, info)
        return enc, self.aead.seal(schedule.key, schedule.nonce, plaintext, b"")

    def open(self, private: bytes, info: bytes, enc: bytes, ciphertext: bytes) -> bytes:
        """OpenBase (RFC 9180 section 6.1). Raises ``VerificationError`` where the ciphertext does not open."""
        if len(enc) != self.kem.enc_size:
            raise VerificationError("an HPKE encapsulation of the wrong size", reason="bad-signature")
        if self._native is not None:
            try:
                opened: bytes = self._native.decrypt(enc + ciphertext, self.kem.load_private(private), info)
            except (InvalidTag, ValueError) as error:
                raise VerificationError("an HPKE ciphertext does not open", reason="bad-signature") from error
            return opened
        schedule = self.schedule(self.kem.decapsulate(private, enc), info)
        return self.aead.open(schedule.key, schedule.nonce, ciphertext, b"")

    def send_export(
        self, public: bytes, info: bytes, context: bytes, length: int, random: Callable[[int], bytes]
    ) -> tuple[bytes, bytes]:
        """SendExportBase (RFC 9180 section 6.2): encapsulation and ``length`` bytes of secret."""
        shared, enc = self.kem.encapsulate(public, random)
        return enc, self.export(self.schedule(shared, info), context, length)

    def receive_export(self, private: bytes, info: bytes, enc: bytes, context: bytes, length: int) -> bytes:
        """ReceiveExportBase (RFC 9180 section 6.2): the secret that ``send_export`` made."""
        return self.export(self.schedule(self.kem.decapsulate(private, enc), info), context, length)

    def schedule(self, shared: bytes, info: bytes) -> Schedule:
        """KeyScheduleS and KeyScheduleR (RFC 9180 section 5.1) for mode base."""
        context = b"\x00" + self._extract(b"", b"psk_id_hash", b"") + self._extract(b"", b"info_hash", info)
        secret = self._extract(shared, b"secret", b"")
        return Schedule(
            self._expand(secret, b"key", context, self.aead.key_size),
            self._expand(secret, b"base_nonce", context, NONCE_SIZE),
            self._expand(secret, b"exp", context, self.kdf.size),
        )

    def export(self, schedule: Schedule, context: bytes, length: int) -> bytes:
        """Context.Export (RFC 9180 section 5.3)."""
        return self._expand(schedule.exporter_secret, b"sec", context, length)

    def _extract(self, salt: bytes, label: bytes, key_material: bytes) -> bytes:
        return self.kdf.extract(salt, b"HPKE-v1" + self._suite + label + key_material)

    def _expand(self, secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return self.kdf.expand(secret, length.to_bytes(2) + b"HPKE-v1" + self._suite + label + info, length)
