"""What an onlooker can tell of TLS 1.3 bytes: records, and the two hellos that are in the clear (RFC 8446).

Left out: everything that is sealed; whoever has a secret opens it with ``lab.tls13``.
"""

from __future__ import annotations

from collections.abc import Iterable

from conclave.lab.fields import Span, cut_spans
from conclave.lab.middle import Way

HEADER_BYTES = 5
TAG_BYTES = 16
HANDSHAKE, SEALED, CLIENT_HELLO, SERVER_HELLO = 22, 23, 1, 2
_EXTENSIONS = {
    10: "supported_groups", 11: "ec_point_formats", 13: "signature_algorithms", 16: "alpn", 22: "encrypt_then_mac",
    23: "extended_master_secret", 35: "session_ticket", 43: "supported_versions", 45: "psk_key_exchange_modes",
    51: "key_share",
}  # fmt: skip
"""The IANA registry's names of those that OpenSSL sends."""


class RecordCutter:
    """Cuts a stream into TLS records (RFC 8446 section 5.1)."""

    def __init__(self, way: Way) -> None:
        del way
        self._waiting = b""

    def cut(self, data: bytes) -> Iterable[bytes]:
        """Every record that ``data`` completes."""
        self._waiting += data
        while len(self._waiting) >= HEADER_BYTES:
            size = HEADER_BYTES + int.from_bytes(self._waiting[3:5])
            if len(self._waiting) < size:
                return
            record, self._waiting = self._waiting[:size], self._waiting[size:]
            yield record


def record_name(record: bytes) -> str:
    """What a record is called: the hellos by name, everything else by its type."""
    if record[0] == HANDSHAKE:
        return {CLIENT_HELLO: "ClientHello", SERVER_HELLO: "ServerHello"}.get(record[5], "handshake record")
    return {20: "change_cipher_spec", 21: "alert"}.get(record[0], "sealed")


def record_spans(record: bytes) -> list[Span]:
    """The fields of a whole record as its sender made it."""
    head = cut_spans(("type", 1), ("version", 2), ("length", 2))
    if record[0] == HANDSHAKE and record[5] in (CLIENT_HELLO, SERVER_HELLO):
        return head + _hello(record)
    body = len(record) - HEADER_BYTES
    if record[0] == SEALED:
        return head + cut_spans(("sealed", body - TAG_BYTES), ("tag", TAG_BYTES), at=HEADER_BYTES)
    return head + cut_spans(("body", body), at=HEADER_BYTES)


def _hello(record: bytes) -> list[Span]:
    spans = cut_spans(("msg_type", 1), ("msg_length", 3), ("legacy_version", 2), ("random", 32), at=HEADER_BYTES)
    at = HEADER_BYTES + 38
    session = record[at] + 1
    spans += cut_spans(("session_id", session), at=at)
    at += session
    suites = 2 + int.from_bytes(record[at : at + 2]) if record[5] == CLIENT_HELLO else 2
    compression = 1 + record[at + suites] if record[5] == CLIENT_HELLO else 1
    spans += cut_spans(("cipher_suite", suites), ("compression", compression), ("extensions", 2), at=at)
    at += suites + compression + 2
    while at < len(record):
        number, size = int.from_bytes(record[at : at + 2]), 4 + int.from_bytes(record[at + 2 : at + 4])
        spans += cut_spans((_EXTENSIONS.get(number, f"extension {number}"), size), at=at)
        at += size
    return spans


def find_span(record: bytes, name: str) -> Span:
    """One field by its name. Raises ``LookupError``."""
    return next(span for span in record_spans(record) if span.name == name)
