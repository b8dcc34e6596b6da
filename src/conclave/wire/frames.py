"""Every frame that two peers exchange over an open link.

A frame on a link is ``uint8 kind; opaque body<V>``. The kinds fall into five groups, a file each: the link's own
(``wire.link``), delivery (``wire.delivery``, and ``wire.posts`` for what a post carries), a lobby's order
(``wire.order``), key packages (``wire.packages``) and files (``wire.files``). Everything is bounded, and
``decode_frame`` raises only ``DecodeError``. Left out: who may send which frame when (``link``, ``chat.delivery``,
``lobby``).
"""

from __future__ import annotations

from collections.abc import Callable

from conclave.errors import DecodeError
from conclave.wire import delivery, files, link, order, packages
from conclave.wire.codec import Reader, Writer, decode, encode_varint

Frame = link.LinkFrame | delivery.DeliveryFrame | order.OrderFrame | packages.PackageFrame | files.FileFrame

_DECODERS: dict[int, Callable[[Reader], Frame]] = {
    **link.DECODERS,
    **delivery.DECODERS,
    **order.DECODERS,
    **packages.DECODERS,
    **files.DECODERS,
}


def decode_frame(kind: int, body: bytes | memoryview) -> Frame:
    """The frame whose kind and body were cut from a link's stream. Raises ``DecodeError``."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise DecodeError(f"frame kind {kind} is unknown")
    return decode(body, decoder)


def _body(frame: Frame) -> tuple[int, bytes]:
    if isinstance(frame, delivery.DeliveryFrame):
        return delivery.delivery_body(frame)
    if isinstance(frame, order.OrderFrame):
        return order.order_body(frame)
    if isinstance(frame, files.FileFrame):
        return files.file_body(frame)
    if isinstance(frame, link.LinkFrame):
        return link.link_body(frame)
    return packages.package_body(frame)


def encode_frame(frame: Frame) -> bytes:
    """The frame as it stands on a link: kind, length, body."""
    kind, body = _body(frame)
    return bytes((kind,)) + encode_varint(len(body)) + body


def encode_chunk(root: bytes, number: int, sealed: bytes) -> bytes:
    """``encode_frame`` of a ``wire.files.Chunk``, whose bytes are copied once."""
    body = Writer().fixed(root, files.DIGEST_BYTES).uint32(number).varint(len(sealed)).done()
    return b"".join((bytes((files.FileKind.CHUNK,)), encode_varint(len(body) + len(sealed)), body, sealed))
