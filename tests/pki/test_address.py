from __future__ import annotations

import pytest

from conclave.errors import DecodeError, UsageError
from conclave.pki.address import Address, parse_address, parse_listen


def test_addresses() -> None:
    assert parse_address("[::1]:80") == Address("::1", 80)
    assert str(Address("::1", 80)) == "[::1]:80"
    for bad in ("", ":", "host:", ":80", "::1:80", "h:80x", "h:+8", "h_:1 ", "[zz]:1", "h:\u0661"):
        with pytest.raises(DecodeError):
            parse_address(bad)


@pytest.mark.parametrize("host", ["a..b", ".a", "a.", "-a", "x" * 64, f"a.{'x' * 70}.b", "a." * 127 + "b"])
def test_a_host_that_no_resolver_takes_is_refused(host: str) -> None:
    with pytest.raises(DecodeError, match="host:port"):
        parse_address(f"{host}:1")


@pytest.mark.parametrize("host", ["a", "x" * 63, "gate-2.ward-7.internal", "a." * 126 + "b", "xn--a", "192.0.2.7"])
def test_what_is_a_host_reaches_the_resolver(host: str) -> None:
    assert parse_address(f"{host}:1").host == host
    assert host.encode("idna") == host.encode(), "as the socket module spells it: it raises for a bad label"


def test_addresses_to_listen_at() -> None:
    assert parse_listen("127.0.0.1:0") == ("127.0.0.1", 0)
    assert parse_listen("[::1]:8443") == ("::1", 8443)
    assert parse_listen(":7443") == ("", 7443)
    for text in (
        "8443",
        "host:",
        "host:99999",
        "host:x",
        "host:-1",
        "host:\u0661",
        "nonsense",
        "[::1:0",
        "::1]:0",
        "[[::1]]:0",
    ):
        with pytest.raises(UsageError, match="listen at"):
            parse_listen(text)
