"""TLS contexts: version, trust, key and who must show a certificate, for the authority and for links.

TLS 1.3 only, no session tickets (a resumed session would let a revoked client in), no compression, the realm's root
as the only trust anchor, strict RFC 5280 checks. A context is never changed: when certificates change, build
another. OpenSSL reads keys from files only, so they go through memory that looks like a file. Left out: revocation
and expected handles, which ``pki.verify`` judges on the peer's certificate after the handshake.
"""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile

from conclave.errors import LocalError
from conclave.pki.credentials import Credentials
from conclave.pki.trust import Trust

LINK_PROTOCOL = "conclave/1"
"""ALPN of links between peers (RFC 7301)."""
HTTP_PROTOCOL = "http/1.1"

Context = ssl.SSLContext
"""What the builders below give, for those who hand one on."""


def link_client_context(credentials: Credentials, trust: Trust) -> ssl.SSLContext:
    """For dialling peers. The name is not checked here: whose certificate it is, ``pki.verify`` tells."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, LINK_PROTOCOL, trust)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    _load(context, credentials)
    return context


def link_server_context(credentials: Credentials, trust: Trust) -> ssl.SSLContext:
    """For listening to peers: nobody gets in without a certificate of the realm."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, LINK_PROTOCOL, trust)
    context.verify_mode = ssl.CERT_REQUIRED
    _load(context, credentials)
    return context


def authority_server_context(credentials: Credentials, trust: Trust) -> ssl.SSLContext:
    """For the authority: who shows a certificate must show a good one; who has none yet may come to enrol."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, HTTP_PROTOCOL, trust)
    context.verify_mode = ssl.CERT_OPTIONAL
    _load(context, credentials)
    return context


def authority_client_context(trust: Trust, credentials: Credentials | None = None) -> ssl.SSLContext:
    """For calling the authority, whose name is always checked; with our certificate where we have one."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, HTTP_PROTOCOL, trust)
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = True
    context.hostname_checks_common_name = False
    if credentials is not None:
        _load(context, credentials)
    return context


def bootstrap_context() -> ssl.SSLContext:
    """For the first ``cacerts`` alone, which is judged by the invite's fingerprint: verifies nothing."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, HTTP_PROTOCOL, None)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _context(protocol: int, application: str, trust: Trust | None) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_COMPRESSION
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    context.set_alpn_protocols([application])
    if trust is not None:
        # The issuing authorities help to build a path; only the root, being self-signed, can end one.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", ssl.VerifyFlags(0))
        context.load_verify_locations(cadata=b"".join(c.pem for c in trust.certificates).decode())
    return context


def _load(context: ssl.SSLContext, credentials: Credentials) -> None:
    """Hand key and chain to OpenSSL without leaving the key readable on a disk. Raises ``LocalError``."""
    try:
        if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - a check, not a path of ours
            _load_memory(context, credentials)
        else:
            _load_file(context, credentials)
    except (ssl.SSLError, OSError) as error:
        raise LocalError(
            f"the key of {credentials.certificate.label} could not be used for TLS: {error}",
            remedy="enrol this device again",
        ) from error


def _load_memory(context: ssl.SSLContext, credentials: Credentials) -> None:
    descriptor = os.memfd_create("conclave", os.MFD_CLOEXEC)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
        file.write(credentials.key.pem() + credentials.chain_pem)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")


def _load_file(context: ssl.SSLContext, credentials: Credentials) -> None:
    passphrase = secrets.token_hex(32)
    descriptor, path = tempfile.mkstemp(prefix="conclave-")  # 0600
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(credentials.key.pem(passphrase.encode()) + credentials.chain_pem)
        context.load_cert_chain(path, password=passphrase)
    finally:
        os.unlink(path)  # noqa: PTH108 - as mkstemp gave it
