"""Key encapsulation for HPKE with raw keys: DHKEM (RFC 9180 section 4.1) and X-Wing (draft-connolly-cfrg-xwing-kem).

Ours is only what the library does not give: DeriveKeyPair, encapsulation apart from sealing (for the exporter), and
keys as bytes. The curves, ML-KEM and the hashes are the library's. Randomness is handed in, with one exception:
ML-KEM encapsulation draws its own. Left out: the HPKE key schedule (``crypto.hpke``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclave.crypto.kdf import SHA256, SHA384, SHA512, Kdf
from conclave.errors import DecodeError
from conclave.values import dataclass

LIBRARY = hpke.KEM


class Kem(Protocol):
    """One KEM of RFC 9180 section 4. Keys and encapsulations are bytes."""

    @property
    def code(self) -> int:
        """Its number in the HPKE registry."""

    @property
    def private_size(self) -> int:
        """Bytes of a private key."""

    @property
    def enc_size(self) -> int:
        """Bytes of an encapsulation."""

    @property
    def native(self) -> hpke.KEM | None:
        """Its name in the library; None where the library seals with no such KEM."""

    def derive(self, key_material: bytes) -> bytes:
        """DeriveKeyPair: the private key, raw, of key material with ``private_size`` bytes of entropy."""

    def public(self, private: bytes) -> bytes:
        """The raw public key of a raw private key."""

    def encapsulate(self, public: bytes, random: Callable[[int], bytes]) -> tuple[bytes, bytes]:
        """A fresh shared secret and the encapsulation of it."""

    def decapsulate(self, private: bytes, enc: bytes) -> bytes:
        """The shared secret of an encapsulation. Raises ``DecodeError`` where it is malformed."""

    def load_private(self, private: bytes) -> object:
        """The library's object for a raw private key."""

    def load_public(self, public: bytes) -> object:
        """The library's object for a raw public key. Raises ``DecodeError`` where it is none."""


def _labeled_extract(kdf: Kdf, suite: bytes, salt: bytes, label: bytes, key_material: bytes) -> bytes:
    return kdf.extract(salt, b"HPKE-v1" + suite + label + key_material)


def _labeled_expand(kdf: Kdf, suite: bytes, secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return kdf.expand(secret, length.to_bytes(2) + b"HPKE-v1" + suite + label + info, length)


class _DhKem:
    """DHKEM(Group, HKDF) of RFC 9180 section 4.1, over the three operations that each group supplies."""

    def __init__(self, code: int, kdf: Kdf, private_size: int, enc_size: int, native: hpke.KEM | None) -> None:
        self.code = code
        self.private_size = private_size
        self.enc_size = enc_size
        self.native = native
        self._kdf = kdf
        self._suite = b"KEM" + code.to_bytes(2)

    def derive(self, key_material: bytes) -> bytes:
        """DeriveKeyPair of RFC 9180 section 7.1.3."""
        prk = _labeled_extract(self._kdf, self._suite, b"", b"dkp_prk", key_material)
        return self._candidate(prk)

    def _candidate(self, prk: bytes) -> bytes:
        return _labeled_expand(self._kdf, self._suite, prk, b"sk", b"", self.private_size)

    def public(self, private: bytes) -> bytes:
        """The raw public key of a raw private key."""
        raise NotImplementedError

    def _exchange(self, private: bytes, public: bytes) -> bytes:
        raise NotImplementedError

    def _shared(self, dh: bytes, enc: bytes, public: bytes) -> bytes:
        prk = _labeled_extract(self._kdf, self._suite, b"", b"eae_prk", dh)
        return _labeled_expand(self._kdf, self._suite, prk, b"shared_secret", enc + public, self._kdf.size)

    def encapsulate(self, public: bytes, random: Callable[[int], bytes]) -> tuple[bytes, bytes]:
        """Encap of RFC 9180 section 4.1, its ephemeral key derived from handed-in randomness."""
        ephemeral = self.derive(random(self.private_size))
        enc = self.public(ephemeral)
        return self._shared(self._exchange(ephemeral, public), enc, public), enc

    def decapsulate(self, private: bytes, enc: bytes) -> bytes:
        """Decap of RFC 9180 section 4.1."""
        return self._shared(self._exchange(private, enc), enc, self.public(private))


_P25519 = (1 << 255) - 19
_P448 = (1 << 448) - (1 << 224) - 1
_ORDER_EIGHT = (
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
SMALL_ORDER = {32: frozenset({0, 1, _P25519 - 1, *_ORDER_EIGHT}), 56: frozenset({0, 1, _P448 - 1})}
"""Coordinates of the points of small order, by size of the key: with such a key every secret is zero (RFC 7748)."""


def _refuse_small_order(public: bytes) -> None:
    prime, bits = (_P25519, 255) if len(public) == 32 else (_P448, 448)
    if (int.from_bytes(public, "little") & (1 << bits) - 1) % prime in SMALL_ORDER[len(public)]:
        raise DecodeError("a public key of small order")


class Montgomery(_DhKem):
    """DHKEM over X25519 or X448 (RFC 7748)."""

    def __init__(
        self,
        code: int,
        kdf: Kdf,
        keys: tuple[type[x25519.X25519PrivateKey], type[x25519.X25519PublicKey]]
        | tuple[type[x448.X448PrivateKey], type[x448.X448PublicKey]],
        size: int,
        native: hpke.KEM | None,
    ) -> None:
        super().__init__(code, kdf, size, size, native)
        self._private_key: Any = keys[0]
        self._public_key: Any = keys[1]

    def load_private(self, private: bytes) -> Any:
        """The library's object for a raw private key."""
        try:
            return self._private_key.from_private_bytes(private)
        except ValueError as error:
            raise DecodeError("not a private key of the suite's curve") from error

    def load_public(self, public: bytes) -> Any:
        """The library's object for a raw public key, which is not of small order."""
        try:
            key = self._public_key.from_public_bytes(public)
        except ValueError as error:
            raise DecodeError("not a public key of the suite's curve") from error
        _refuse_small_order(public)
        return key

    def public(self, private: bytes) -> bytes:
        """The raw public key of a raw private key."""
        raw: bytes = self.load_private(private).public_key().public_bytes_raw()
        return raw

    def _exchange(self, private: bytes, public: bytes) -> bytes:
        shared: bytes = self.load_private(private).exchange(self.load_public(public))
        return shared


class Weierstrass(_DhKem):
    """DHKEM over a NIST curve; public keys are uncompressed points, private keys field elements."""

    def __init__(self, code: int, kdf: Kdf, curve: ec.EllipticCurve, size: int, native: hpke.KEM) -> None:
        super().__init__(code, kdf, size, 2 * size + 1, native)
        self._curve = curve
        self._mask = 0x01 if curve.key_size == 521 else 0xFF

    def _candidate(self, prk: bytes) -> bytes:
        for counter in range(256):
            raw = _labeled_expand(self._kdf, self._suite, prk, b"candidate", counter.to_bytes(1), self.private_size)
            candidate = bytes([raw[0] & self._mask]) + raw[1:]
            try:
                self.load_private(candidate)
            except DecodeError:
                continue
            return candidate
        raise DecodeError("no key can be derived of this key material")

    def load_private(self, private: bytes) -> ec.EllipticCurvePrivateKey:
        """The library's object for a raw private key."""
        try:
            return ec.derive_private_key(int.from_bytes(private), self._curve)
        except ValueError as error:
            raise DecodeError("not a private key of the suite's curve") from error

    def load_public(self, public: bytes) -> ec.EllipticCurvePublicKey:
        """The library's object for a raw public key; the point is checked to be on the curve."""
        if public[:1] != b"\x04":
            raise DecodeError("not an uncompressed point")
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(self._curve, public)
        except ValueError as error:
            raise DecodeError("not a public key of the suite's curve") from error

    def public(self, private: bytes) -> bytes:
        """The uncompressed point of a field element."""
        return self.load_private(private).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def _exchange(self, private: bytes, public: bytes) -> bytes:
        return self.load_private(private).exchange(ec.ECDH(), self.load_public(public))


@dataclass(frozen=True, slots=True)
class XWing:
    """X-Wing: ML-KEM-768 and X25519 under one 32-byte seed (KEM 0x647a)."""

    code: int = 0x647A
    private_size: int = 32
    enc_size: int = 1088 + 32
    native: hpke.KEM | None = LIBRARY.MLKEM768_X25519

    def derive(self, key_material: bytes) -> bytes:
        """DeriveKeyPair of draft-ietf-hpke-pq: a labelled SHAKE256 of the key material gives the seed."""
        label = b"DeriveKeyPair"
        suite = b"KEM" + self.code.to_bytes(2)
        labelled = key_material + b"HPKE-v1" + suite + len(label).to_bytes(2) + label + self.private_size.to_bytes(2)
        return _shake256(labelled, self.private_size)

    @staticmethod
    def _expand(private: bytes) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
        if len(private) != 32:
            raise DecodeError("not an X-Wing seed")
        halves = _shake256(private, 96)
        lattice = mlkem.MLKEM768PrivateKey.from_seed_bytes(halves[:64])
        return lattice, x25519.X25519PrivateKey.from_private_bytes(halves[64:])

    @staticmethod
    def _split(public: bytes) -> tuple[mlkem.MLKEM768PublicKey, x25519.X25519PublicKey]:
        if len(public) != 1184 + 32:
            raise DecodeError("not an X-Wing public key")
        try:
            lattice = mlkem.MLKEM768PublicKey.from_public_bytes(public[:1184])
        except ValueError as error:
            raise DecodeError("not an X-Wing public key") from error
        _refuse_small_order(public[1184:])
        return lattice, x25519.X25519PublicKey.from_public_bytes(public[1184:])

    def load_private(self, private: bytes) -> hpke.MLKEM768X25519PrivateKey:
        """The library's object for a seed."""
        return hpke.MLKEM768X25519PrivateKey(*self._expand(private))

    def load_public(self, public: bytes) -> hpke.MLKEM768X25519PublicKey:
        """The library's object for a raw public key of 1,216 bytes."""
        return hpke.MLKEM768X25519PublicKey(*self._split(public))

    def public(self, private: bytes) -> bytes:
        """The raw public key, 1,216 bytes, of a seed."""
        lattice, curve = self._expand(private)
        return lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

    def encapsulate(self, public: bytes, random: Callable[[int], bytes]) -> tuple[bytes, bytes]:
        """A shared secret and its encapsulation of 1,120 bytes. The ML-KEM half draws the library's randomness."""
        lattice, curve = self._split(public)
        ephemeral = x25519.X25519PrivateKey.from_private_bytes(random(32))
        lattice_secret, lattice_enc = lattice.encapsulate()
        curve_enc = ephemeral.public_key().public_bytes_raw()
        secret = _combine(lattice_secret, ephemeral.exchange(curve), curve_enc, public[1184:])
        return secret, lattice_enc + curve_enc

    def decapsulate(self, private: bytes, enc: bytes) -> bytes:
        """The shared secret of an encapsulation."""
        if len(enc) != self.enc_size:
            raise DecodeError("not an X-Wing encapsulation")
        lattice, curve = self._expand(private)
        curve_enc = enc[1088:]
        _refuse_small_order(curve_enc)
        curve_secret = curve.exchange(x25519.X25519PublicKey.from_public_bytes(curve_enc))
        public = curve.public_key().public_bytes_raw()
        return _combine(lattice.decapsulate(enc[:1088]), curve_secret, curve_enc, public)


def _combine(lattice_secret: bytes, curve_secret: bytes, curve_enc: bytes, curve_public: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA3_256())
    digest.update(lattice_secret + curve_secret + curve_enc + curve_public + b"\\.//^\\")
    return digest.finalize()


def _shake256(data: bytes, length: int) -> bytes:
    digest = hashes.Hash(hashes.SHAKE256(length))
    digest.update(data)
    return digest.finalize()


X25519 = Montgomery(0x0020, SHA256, (x25519.X25519PrivateKey, x25519.X25519PublicKey), 32, LIBRARY.X25519)
X448 = Montgomery(0x0021, SHA512, (x448.X448PrivateKey, x448.X448PublicKey), 56, None)
P256 = Weierstrass(0x0010, SHA256, ec.SECP256R1(), 32, LIBRARY.P256)
P384 = Weierstrass(0x0011, SHA384, ec.SECP384R1(), 48, LIBRARY.P384)
P521 = Weierstrass(0x0012, SHA512, ec.SECP521R1(), 66, LIBRARY.P521)
XWING = XWing()
