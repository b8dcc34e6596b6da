"""TLS 1.3 without sockets: ciphertext in, plaintext out, and back (``ssl.MemoryBIO``).

The context brings the policy: versions, certificates, that both sides must show one. This module checks what a
context cannot demand (the ALPN name was agreed, a certificate was shown) and translates what OpenSSL says. Left out:
whose certificate it is (the link's ``verify``), and every clock: OpenSSL judges validity by the system's own.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from conclave.errors import Refused, RemoteError, VerificationError
from conclave.wire.link import CloseReason

ALPN: Final = "conclave/1"
"""Name of the link's protocol in TLS (RFC 7301)."""

_SLICE = 16 * 1024
"""Largest plaintext of a record (RFC 8446 section 5.1). Input and output pass OpenSSL's memory buffers in slices of
this size, for these buffers never shrink: one burst would otherwise stay allocated for the life of the link."""

_VERDICTS: Final[dict[int, CloseReason]] = {  # X509_V_ERR_*
    2: CloseReason.UNKNOWN_AUTHORITY,  # issuer not found
    9: CloseReason.NOT_YET_VALID,
    10: CloseReason.EXPIRED,
    18: CloseReason.UNKNOWN_AUTHORITY,  # self-signed leaf
    19: CloseReason.UNKNOWN_AUTHORITY,  # self-signed root that is not ours
    20: CloseReason.UNKNOWN_AUTHORITY,  # issuer not found locally
    21: CloseReason.UNKNOWN_AUTHORITY,  # chain of one certificate
    23: CloseReason.REVOKED,
}

_ALERTS: Final[dict[str, CloseReason]] = {  # RFC 8446 section 6.2
    "UNKNOWN_CA": CloseReason.UNKNOWN_AUTHORITY,
    "CERTIFICATE_EXPIRED": CloseReason.EXPIRED,
    "CERTIFICATE_REVOKED": CloseReason.REVOKED,
    "BAD_CERTIFICATE": CloseReason.BAD_CERTIFICATE,
    "UNSUPPORTED_CERTIFICATE": CloseReason.BAD_CERTIFICATE,
    "CERTIFICATE_UNKNOWN": CloseReason.BAD_CERTIFICATE,
    "CERTIFICATE_REQUIRED": CloseReason.BAD_CERTIFICATE,
    "DECRYPT_ERROR": CloseReason.BAD_CERTIFICATE,
    "ACCESS_DENIED": CloseReason.BLOCKED,
    "PROTOCOL_VERSION": CloseReason.VERSION,
    "NO_APPLICATION_PROTOCOL": CloseReason.VERSION,
}

_SAID: Final[dict[CloseReason, str]] = {
    CloseReason.UNKNOWN_AUTHORITY: "was not issued by the authority trusted here",
    CloseReason.NOT_YET_VALID: "is not valid yet: compare the clocks of both machines",
    CloseReason.EXPIRED: "has expired: it must be renewed with the authority",
    CloseReason.REVOKED: "was revoked: its owner must enrol again",
    CloseReason.BAD_CERTIFICATE: "is missing or not good for a link",
}


def _translated(error: ssl.SSLError) -> VerificationError | Refused | RemoteError:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _VERDICTS.get(error.verify_code, CloseReason.BAD_CERTIFICATE)
        text = f"the other side's certificate {_SAID[reason]} ({error.verify_message})"
        return VerificationError(text, reason=reason.word)
    told = error.reason or ""
    if told == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return VerificationError("the other side showed no certificate", reason=CloseReason.BAD_CERTIFICATE.word)
    _, is_alert, alert = told.partition("ALERT_")
    if is_alert:
        reason = _ALERTS.get(alert, CloseReason.PROTOCOL)
        said = _SAID.get(reason)
        text = f"the other side says that our certificate {said}" if said else "the other side ended TLS"
        return Refused(f"{text} (alert {alert.lower()})", reason=reason.word)
    return RemoteError(f"the other side does not speak TLS as it should ({told.lower() or error})")


class Tunnel:
    """One TLS connection's state. ``context`` must be for this side's role."""

    __slots__ = ("_incoming", "_object", "_outgoing", "ended", "server_side", "up")

    def __init__(self, context: ssl.SSLContext, *, server_side: bool) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side)
        self.server_side = server_side
        self.up = False
        """Whether ``write`` reaches the other side: from the end of the handshake to ``end``, or to a fatal error."""
        self.ended = False
        """Whether the other side's close_notify arrived."""

    def shake(self, data: bytes | memoryview = b"") -> bytes | None:
        """Take ciphertext of the handshake; None until it is done, then the other side's leaf certificate (DER).

        Raises ``VerificationError`` for what the other side showed, ``Refused`` for what it says of us,
        ``RemoteError`` for anything else that is not TLS 1.3 with our ALPN name.
        """
        self._incoming.write(data)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLError as error:
            raise _translated(error) from error
        self.up = True
        if self._object.selected_alpn_protocol() != ALPN:
            raise RemoteError(f"the other side does not speak {ALPN}")
        leaf = self._object.getpeercert(binary_form=True)
        if leaf is None:
            raise VerificationError("the other side showed no certificate", reason=CloseReason.BAD_CERTIFICATE.word)
        return leaf

    def read(self, data: bytes | memoryview = b"") -> Iterator[bytes]:
        """Take ciphertext, give the plaintext of each record that is whole, until all is taken or ``ended``.

        Raises ``Refused`` for an alert, ``RemoteError`` for a record that was tampered with or is none.
        """
        incoming = self._incoming
        read = self._object.read
        at = 0
        while True:
            if data:
                part = data if len(data) <= _SLICE else memoryview(data)[at : at + _SLICE]
                at += incoming.write(part)
            while incoming.pending:
                try:
                    plain = read(_SLICE)
                except ssl.SSLWantReadError:
                    break
                except ssl.SSLZeroReturnError:
                    self.ended = True
                    return
                except ssl.SSLError as error:
                    self.up = False
                    raise _translated(error) from error
                if not plain:
                    self.ended = True
                    return
                yield plain
            if at >= len(data):
                return

    def write(self, plain: bytes) -> bytes:
        """The ciphertext for ``plain``, behind whatever TLS itself has to say."""
        if len(plain) <= _SLICE:
            self._object.write(plain)
            return self._outgoing.read()
        view = memoryview(plain)
        parts = []
        at = 0
        while at < len(plain):
            at += self._object.write(view[at : at + _SLICE])
            parts.append(self._outgoing.read())
        return b"".join(parts)

    def take(self) -> bytes:
        """What TLS itself has to say: the handshake, alerts, close_notify."""
        return self._outgoing.read()

    def end(self) -> None:
        """Say close_notify, where TLS is far enough for it; nothing can be written after."""
        if self.up:
            self.up = False
            with suppress(ssl.SSLError):  # it is said at once; then OpenSSL would wait for the other side's
                self._object.unwrap()
