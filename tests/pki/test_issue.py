from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from conclave.errors import LocalError, VerificationError
from conclave.pki.bundle import encode_pem
from conclave.pki.certificate import Certificate
from conclave.pki.credentials import Credentials, as_issuer, open_credentials, seal_credentials
from conclave.pki.issue import issue, make_issuing, make_root
from conclave.pki.keys import generate_device_key, generate_key
from conclave.pki.names import Handle, parse_realm
from conclave.pki.policy import DAY, Grant, judge
from conclave.pki.profile import CLASSIC_SUITE, IM_URI, KeyKind, Profile
from conclave.pki.request import build_request, read_request
from conclave.values import replace
from tests.pki.ward import NOW, make_ward, rsa_key, ward

AT = str(int(NOW))


def openssl(tmp_path: Path, leaf: Certificate, *more: str) -> str:
    """What ``openssl verify`` says of a leaf below our root: a stranger's eye, at its strictest."""
    (tmp_path / "root.pem").write_bytes(ward().trust.root.pem)
    (tmp_path / "issuing.pem").write_bytes(encode_pem(ward().trust.issuing))
    (tmp_path / "leaf.pem").write_bytes(leaf.pem)
    files: list[str | Path] = [
        "-CAfile",
        tmp_path / "root.pem",
        "-untrusted",
        tmp_path / "issuing.pem",
        tmp_path / "leaf.pem",
    ]
    done: subprocess.CompletedProcess[str] = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-attime", AT, *more, *files],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_openssl_accepts_root_issuing_and_leaves(tmp_path: Path) -> None:
    tls = ward().enrol("ayse").certificate
    assert "OK" in openssl(tmp_path, tls, "-purpose", "sslclient")
    assert "OK" in openssl(tmp_path, tls, "-purpose", "sslserver", "-verify_hostname", "laptop.ayse.ward-7.internal")
    assert "OK" in openssl(tmp_path, ward().trust.issuing[0])
    assert "OK" in openssl(tmp_path, ward().trust.root)
    server = ward().server().certificate
    host = ("-verify_hostname", "authority.ward-7.internal")
    assert "OK" in openssl(tmp_path, server, "-purpose", "sslserver", *host)
    assert "OK" in openssl(tmp_path, server, "-purpose", "sslserver", "-verify_ip", "127.0.0.1")


def test_openssl_refuses_im_and_classic_for_tls(tmp_path: Path) -> None:
    for credentials in (ward().enrol("ayse", Profile.IM), ward().enrol("ayse", Profile.CLASSIC, key=rsa_key())):
        assert "OK" in openssl(tmp_path, credentials.certificate)
        for purpose in ("sslclient", "sslserver"):
            assert "unsuitable certificate purpose" in openssl(tmp_path, credentials.certificate, "-purpose", purpose)


def test_the_shape_of_a_leaf() -> None:
    inner = ward().enrol("ayse").certificate.inner
    get = inner.extensions.get_extension_for_class
    assert [(a.oid, a.value) for a in inner.subject] == [(NameOID.COMMON_NAME, "ayse")]
    names = get(x509.SubjectAlternativeName)
    assert not names.critical
    assert list(names.value) == [
        x509.UniformResourceIdentifier("im:ayse@ward-7.internal"),
        x509.DNSName("laptop.ayse.ward-7.internal"),
    ]
    assert set(get(x509.ExtendedKeyUsage).value) == {
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.SERVER_AUTH,
    }
    assert get(x509.BasicConstraints).value == x509.BasicConstraints(ca=False, path_length=None)
    usage = get(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_encipherment
    assert inner.serial_number.bit_length() > 64


def test_profiles_have_their_purposes() -> None:
    im = ward().enrol("ayse", Profile.IM).certificate.inner.extensions
    assert list(im.get_extension_for_class(x509.ExtendedKeyUsage).value) == [IM_URI]
    classic = ward().enrol("ayse", Profile.CLASSIC, key=rsa_key()).certificate.inner.extensions
    assert list(classic.get_extension_for_class(x509.ExtendedKeyUsage).value) == [CLASSIC_SUITE]
    assert classic.get_extension_for_class(x509.KeyUsage).value.key_encipherment


def test_the_shape_of_the_authorities() -> None:
    for issuer, length in ((ward().root, 1), (ward().issuing, 0)):
        inner = issuer.certificate.inner
        get = inner.extensions.get_extension_for_class
        assert isinstance(inner.public_key(), ec.EllipticCurvePublicKey)
        assert get(x509.BasicConstraints).value == x509.BasicConstraints(ca=True, path_length=length)
        assert get(x509.BasicConstraints).critical
        usage = get(x509.KeyUsage).value
        assert usage.key_cert_sign
        assert usage.crl_sign
        assert not usage.digital_signature
        constraints = get(x509.NameConstraints)
        assert constraints.critical
        assert constraints.value.permitted_subtrees == [
            x509.DNSName("ward-7.internal"),
            x509.RFC822Name("ward-7.internal"),
        ]
        assert constraints.value.excluded_subtrees is None


def test_hosts_outside_the_realm_are_left_out_of_the_server_certificate(tmp_path: Path) -> None:
    hosts = (
        "127.0.0.1",
        "::1",
        "localhost",
        "chat.example.org",
        "gate.ward-7.internal",
        "127.0.0.1",
        "x.WARD-7.internal",
    )
    server = ward().server(hosts).certificate
    names = server.inner.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["authority.ward-7.internal", "gate.ward-7.internal"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert "OK" in openssl(tmp_path, server)


def test_a_leaf_ends_with_its_issuer_at_the_latest() -> None:
    short = make_issuing(ward().root, "Ward 7", NOW, lifetime=DAY)
    request = read_request(build_request(generate_device_key(Profile.TLS), Handle("ayse")), Profile.TLS)
    leaf = issue(judge(request, ward().identity(), NOW), short)
    assert leaf.not_after == short.certificate.not_after == NOW + DAY
    assert make_issuing(ward().root, "x", NOW, lifetime=99_999 * DAY).certificate.not_after == (
        ward().root.certificate.not_after
    )
    with pytest.raises(LocalError, match="expired"):
        issue(judge(request, ward().identity(), NOW + 2 * DAY), short)


def test_only_an_issuing_authority_of_the_realm_issues() -> None:
    request = read_request(build_request(generate_device_key(Profile.TLS), Handle("ayse")), Profile.TLS)
    grant: Grant = judge(request, ward().identity(), NOW)
    with pytest.raises(LocalError, match="root"):
        issue(grant, ward().root)
    other = replace(grant, identity=replace(grant.identity, realm=parse_realm("ward-8.internal")))
    with pytest.raises(LocalError, match="ward-8"):
        issue(other, ward().issuing)


def test_names_of_organisations_are_bounded() -> None:
    for name in ("", " ", "x" * 60, "Ward\x1b7"):
        with pytest.raises(LocalError, match="organisation"):
            make_root(name, parse_realm("ward-7.internal"), NOW)


def test_an_authority_rests_under_a_passphrase(tmp_path: Path) -> None:
    sealed = seal_credentials(ward().issuing.credentials, "correct horse")
    again = as_issuer(open_credentials(sealed, "correct horse"))
    assert again == ward().issuing
    assert again.key.der() == ward().issuing.key.der()
    for wrong in ("", "incorrect horse"):
        with pytest.raises(LocalError, match="passphrase"):
            open_credentials(sealed, wrong)
    with pytest.raises(LocalError):
        open_credentials(sealed[:-40], "correct horse")
    with pytest.raises(LocalError, match="empty"):
        seal_credentials(ward().issuing.credentials, "")
    file = tmp_path / "issuing.p12"
    file.write_bytes(sealed)
    info = subprocess.run(
        ["openssl", "pkcs12", "-in", file, "-info", "-nokeys", "-passin", "pass:correct horse"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "600000" in info.stderr


def test_credentials_belong_together() -> None:
    ayse = ward().enrol("ayse")
    with pytest.raises(LocalError, match="belong together"):
        Credentials(generate_key(KeyKind.ED25519), ayse.certificate, ())
    with pytest.raises(LocalError):
        as_issuer(ayse)
    with pytest.raises(VerificationError):
        as_issuer(ward().server())
    assert make_ward().root.certificate != ward().root.certificate
    assert ayse.chain_pem.count(b"BEGIN") == 2  # the root stays at home
