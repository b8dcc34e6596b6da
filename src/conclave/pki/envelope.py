"""Envelopes: what a peer leaves in another's mailbox at the authority, which learns nothing from it but a size.

Inside stand encoded link frames, the sender's certificate, and a signature by its ``im`` key over all of it and the
recipient's name. It is padded to one of ``BUCKETS`` and sealed to the recipient's last-resort key package by the
functions handed in. Opening gives an ``OpenedEnvelope`` once the seal, the certificate and the signature hold, in
this order. Left out: repetition and order, which the frames' own numbers tell; and whose key package it is sealed to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conclave.crypto.signature import ED25519
from conclave.errors import DecodeError, LocalError, RemoteError, VerificationError
from conclave.pki.certificate import CERTIFICATE_BYTES, moment
from conclave.pki.credentials import Credentials
from conclave.pki.names import Device, Handle
from conclave.pki.trust import Trust
from conclave.pki.verify import GRACE_SECONDS, verify_credential
from conclave.values import dataclass, field
from conclave.wire.codec import Reader, Writer

VERSION = 1
LABEL = b"conclave mailbox 1"
BUCKETS = tuple(1024 * kib for kib in (1, 4, 16, 64, 120, 512, 1544))
"""Sizes that what is sealed may have (bytes). The largest takes a welcome to a lobby of a thousand."""
SEALED_BYTES = 1552 * 1024
"""Largest envelope: the largest bucket with what sealing adds."""
ITEM_BYTES = 1540 * 1024
"""Largest frame, and most bytes of all frames in one envelope, each with 4 bytes for its length."""
ITEMS_MOST = 1024
CHAIN_MOST = 3
SIGNATURE_BYTES = 64

Seal = Callable[[bytes, bytes, bytes], bytes]
"""(label, context, plaintext) -> sealed."""
Open = Callable[[bytes, bytes, bytes], bytes]
"""(label, context, sealed) -> plaintext; raises a ``RemoteError`` where it does not open."""


@dataclass(frozen=True, slots=True)
class OpenedEnvelope:
    """What was in it, proven to be from ``device`` of ``sender``. ``sent`` is UNIX seconds by the sender's clock."""

    sender: Handle
    device: Device
    sent: float
    items: tuple[bytes, ...] = field(repr=False)


def fits(items: Sequence[bytes]) -> bool:
    """Whether one envelope takes these frames."""
    return len(items) <= ITEMS_MOST and sum(len(item) + 4 for item in items) <= ITEM_BYTES


def seal_envelope(
    credentials: Credentials, recipient: Handle, items: Sequence[bytes], now: float, seal: Seal
) -> bytes:
    """Sign frames with the ``im`` key of ``credentials``, pad them, and seal them for ``recipient``.

    Raises ``LocalError`` where they do not fit, or the certificate is not valid now: nobody would open it.
    """
    if not items or not fits(items):
        raise LocalError("an envelope takes some frames, and not more than its largest size")
    certificate = credentials.certificate
    if not certificate.not_before <= now <= certificate.not_after:
        raise LocalError(
            "your own certificate is not valid now: what is signed with it would not be believed",
            remedy="check this machine's clock; renew the certificate while the authority can be reached",
        )
    writer = Writer().uint8(VERSION).vector((certificate.der,), Writer.opaque).uint64(int(now * 1000))
    signed = writer.vector(items, Writer.opaque).done()
    plain = Writer().raw(signed).opaque(ED25519.sign(credentials.key.raw(), _to_sign(recipient, signed))).done()
    size = next(bucket for bucket in BUCKETS if bucket >= len(plain))
    return seal(LABEL, recipient.encode(), plain.ljust(size, b"\0"))


def open_envelope(sealed: bytes, recipient: Handle, trust: Trust, now: float, keys: Sequence[Open]) -> OpenedEnvelope:
    """Open an envelope for us with the first of ``keys`` that fits, and prove who sent it.

    The certificate may have ended up to ``GRACE_SECONDS`` ago where it was valid when the envelope was made, by the
    sender's word. Raises ``VerificationError``, with a ``reason`` of ``verify_peer``'s, ``bad-signature`` or
    ``unopened``, or ``DecodeError``.
    """
    if len(sealed) > SEALED_BYTES:
        raise DecodeError(f"an envelope of {len(sealed)} bytes; at most {SEALED_BYTES} are read")
    plain = _unseal(sealed, recipient, keys)
    if len(plain) not in BUCKETS:
        raise DecodeError(f"an envelope padded to {len(plain)} bytes")
    reader = Reader(plain)
    if (version := reader.uint8()) != VERSION:
        raise DecodeError(f"an envelope of version {version}", remedy="use a newer version of Conclave")
    chain = reader.vector(lambda each: each.opaque(CERTIFICATE_BYTES), CHAIN_MOST * (CERTIFICATE_BYTES + 4))
    sent = reader.uint64() / 1000
    items = reader.vector(_item, ITEM_BYTES)
    signed, signature = reader.since(0), reader.opaque(SIGNATURE_BYTES)
    if not 0 < len(items) <= ITEMS_MOST or not 0 < len(chain) <= CHAIN_MOST:
        raise DecodeError(f"an envelope with {len(items)} frames under {len(chain)} certificates")
    if any(reader.fixed(reader.remaining)):
        raise DecodeError("an envelope's padding is not zero")
    sender = verify_credential(chain, trust, now, GRACE_SECONDS)
    ED25519.verify(sender.public[-32:], _to_sign(recipient, signed), signature)  # RFC 8410: an SPKI ends in the key
    if not sender.not_before <= sent <= sender.not_after:
        raise VerificationError(
            f"{sender.handle}'s envelope was made on {_when(sent)}, when its certificate was not valid",
            reason="not-yet-valid" if sent < sender.not_before else "expired",
            remedy="its sender's clock is wrong",
        )
    return OpenedEnvelope(sender.handle, sender.device, sent, items)


def _unseal(sealed: bytes, recipient: Handle, keys: Sequence[Open]) -> bytes:
    for key in keys:
        try:
            return key(LABEL, recipient.encode(), sealed)
        except RemoteError:
            continue
    raise VerificationError(
        "an envelope is sealed to no key of ours",
        reason="unopened",
        remedy="its sender used an old key, or it is not for this device; the sender's device sends it again",
    )


def _item(reader: Reader) -> bytes:
    if not (item := reader.opaque(ITEM_BYTES)):
        raise DecodeError("an envelope with an empty frame")
    return item


def _to_sign(recipient: Handle, signed: bytes) -> bytes:
    return Writer().raw(LABEL).text(recipient).raw(signed).done()


def _when(sent: float) -> str:
    return moment(min(sent, 1e11))
