"""A link without TLS: records in the clear, so that lessons on the default link can be seen to fail."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from conclave.lab.middle import Way
from conclave.lab.realm import Realm
from conclave.lab.tls_wire import HEADER_BYTES, SEALED, TAG_BYTES, RecordCutter

SHOWN = 22
_SLICE = 16 * 1024


def record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 3]) + len(body).to_bytes(2) + body


class NakedTunnel:
    """In the place of ``link.tls.Tunnel``: shows a certificate, and protects nothing."""

    realm = Realm()

    def __init__(self, context: ssl.SSLContext, *, server_side: bool) -> None:
        del context
        self.server_side = server_side
        self.up = self.ended = False
        own = self.realm.credentials("burak" if server_side else "ayse")
        self.outgoing = record(SHOWN, b"\x0b" + own.certificate.der)
        self.cutter = RecordCutter(Way.THERE)
        self.waiting: list[bytes] = []

    def shake(self, data: bytes | memoryview = b"") -> bytes | None:
        self.waiting += self.cutter.cut(bytes(data))
        if not self.waiting:
            return None
        self.up = True
        return self.waiting.pop(0)[HEADER_BYTES + 1 :]

    def read(self, data: bytes | memoryview = b"") -> Iterator[bytes]:
        self.waiting += self.cutter.cut(bytes(data))
        while self.waiting:
            one = self.waiting.pop(0)
            if one[0] == SEALED:
                yield one[HEADER_BYTES:-TAG_BYTES]

    def write(self, plain: bytes) -> bytes:
        return b"".join(
            record(SEALED, plain[at : at + _SLICE] + bytes(TAG_BYTES)) for at in range(0, len(plain), _SLICE)
        )

    def take(self) -> bytes:
        data, self.outgoing = self.outgoing, b""
        return data

    def end(self) -> None:
        self.up = False
