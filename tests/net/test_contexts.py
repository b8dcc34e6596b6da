"""The contexts against each other, through memory: who gets in, and who does not."""

from __future__ import annotations

import os
import ssl
import time
from pathlib import Path

import pytest

from conclave.net.contexts import (
    authority_client_context,
    authority_server_context,
    bootstrap_context,
    link_client_context,
    link_server_context,
)
from conclave.pki.policy import GrantSettings
from conclave.pki.profile import Profile
from tests.pki.ward import Ward, make_ward

NOW = time.time()  # OpenSSL looks at the clock itself
AUTHORITY = "authority.ward-7.internal"


@pytest.fixture(scope="module")
def ward() -> Ward:
    return make_ward(now=NOW)


class Pair:
    """Two ends joined through memory."""

    def __init__(self, client: ssl.SSLContext, server: ssl.SSLContext, name: str | None) -> None:
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.bios = (up, down)
        self.client = client.wrap_bio(down, up, server_side=False, server_hostname=name)
        self.server = server.wrap_bio(up, down, server_side=True)

    def join(self) -> None:
        """Shake hands to the end, the server's word included."""
        waiting = [self.client, self.server]
        for _ in range(8):
            for end in tuple(waiting):
                try:
                    end.do_handshake()
                    waiting.remove(end)
                except ssl.SSLWantReadError:
                    continue
        assert not waiting
        self.server.write(b"in")
        assert self.client.read(2) == b"in"


def join(client: ssl.SSLContext, server: ssl.SSLContext, name: str | None = None) -> Pair:
    pair = Pair(client, server, name)
    pair.join()
    return pair


def test_two_peers_link(ward: Ward) -> None:
    ayse, burak = ward.enrol("ayse", now=NOW), ward.enrol("burak", now=NOW)
    pair = join(link_client_context(ayse, ward.trust), link_server_context(burak, ward.trust))
    assert pair.client.version() == "TLSv1.3"
    assert pair.client.selected_alpn_protocol() == pair.server.selected_alpn_protocol() == "conclave/1"
    assert pair.server.getpeercert(binary_form=True) == ayse.certificate.der
    assert pair.client.getpeercert(binary_form=True) == burak.certificate.der
    assert pair.client.compression() is None


def test_no_session_to_resume(ward: Ward) -> None:
    ayse, burak = ward.enrol("ayse", now=NOW), ward.enrol("burak", now=NOW)
    for server in (
        link_server_context(burak, ward.trust),
        authority_server_context(ward.server(now=NOW), ward.trust),
    ):
        assert server.num_tickets == 0
    pair = join(link_client_context(ayse, ward.trust), link_server_context(burak, ward.trust))
    session = pair.client.session
    assert session is None or not session.has_ticket


def test_tls_1_2_is_not_spoken(ward: Ward) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        join(old, authority_server_context(ward.server(now=NOW), ward.trust))


@pytest.mark.parametrize("wrong", ["other realm", "none", "im", "expired"])
def test_a_link_wants_a_good_certificate_of_both(ward: Ward, wrong: str) -> None:
    burak = ward.enrol("burak", now=NOW)
    other = make_ward(now=NOW)
    if wrong == "none":
        bare = authority_client_context(ward.trust)
        bare.check_hostname = False
        bare.set_alpn_protocols(["conclave/1"])
        with pytest.raises(ssl.SSLError):
            join(bare, link_server_context(burak, ward.trust))
        return
    bad = {
        "other realm": lambda: other.enrol("ayse", now=NOW),
        "im": lambda: ward.enrol("ayse", Profile.IM, now=NOW),
        "expired": lambda: ward.enrol("ayse", now=NOW - 100, settings=GrantSettings(60, 0)),
    }[wrong]()
    with pytest.raises(ssl.SSLError):
        join(link_client_context(bad, ward.trust), link_server_context(burak, ward.trust))
    with pytest.raises(ssl.SSLError):
        join(link_client_context(burak, ward.trust), link_server_context(bad, ward.trust))


def test_the_authority_takes_clients_with_and_without_certificate(ward: Ward) -> None:
    server = authority_server_context(ward.server(now=NOW), ward.trust)
    ayse = ward.enrol("ayse", now=NOW)
    pair = join(authority_client_context(ward.trust, ayse), server, AUTHORITY)
    assert pair.server.getpeercert(binary_form=True) == ayse.certificate.der
    assert join(authority_client_context(ward.trust), server, AUTHORITY).server.getpeercert() is None
    with pytest.raises(ssl.SSLError):
        join(authority_client_context(ward.trust, make_ward(now=NOW).enrol("ayse", now=NOW)), server, AUTHORITY)


def test_the_client_checks_the_authority_and_its_name(ward: Ward) -> None:
    client = authority_client_context(ward.trust)
    with pytest.raises(ssl.SSLCertVerificationError):
        join(client, authority_server_context(ward.server(now=NOW), ward.trust), "authority.other.internal")
    with pytest.raises(ssl.SSLCertVerificationError):  # a member does not pass for the authority
        join(client, authority_server_context(ward.enrol("ayse", now=NOW), ward.trust), AUTHORITY)
    impostor = make_ward(now=NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        join(client, authority_server_context(impostor.server(now=NOW), impostor.trust), AUTHORITY)
    assert join(bootstrap_context(), authority_server_context(impostor.server(now=NOW), impostor.trust))


def test_the_key_leaves_no_file(ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    ayse = ward.enrol("ayse", now=NOW)
    link_client_context(ayse, ward.trust)
    monkeypatch.delattr(os, "memfd_create", raising=False)
    context = link_client_context(ayse, ward.trust)
    join(context, link_server_context(ayse, ward.trust))
    assert list(tmp_path.iterdir()) == []
