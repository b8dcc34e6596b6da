from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import DecodeError, Refused
from conclave.pki.address import Address
from conclave.pki.invite import Invite, decode_base32, encode_base32, parse_invite
from conclave.pki.names import parse_handle, parse_realm
from conclave.values import replace

ROOT = bytes(range(32))
TOKEN = bytes(range(16))
INVITE = Invite(
    parse_handle("ayse"), parse_realm("ward-7.internal"), (Address("127.0.0.1", 8443),), ROOT, TOKEN, 1_800_000_000
)
LINE = str(INVITE)


def test_the_line_is_as_documented() -> None:
    assert LINE == (
        "conclave://ayse@ward-7.internal/?at=127.0.0.1:8443"
        "&root=AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQ"
        "&token=AAAQEAYEAUDAOCAJBIFQYDIOB4&expires=1800000000"
    )
    assert "AAAQEAYEAUDAOCAJBIFQYDIOB4" not in repr(INVITE)
    assert INVITE.secret == "AAAQEAYEAUDAOCAJBIFQYDIOB4"


hosts = st.sampled_from(["127.0.0.1", "::1", "gate.ward-7.internal", "192.0.2.7"])
invites = st.builds(
    lambda handle, addresses, root, token, expires: Invite(
        parse_handle(handle), parse_realm("ward-7.internal"), tuple(addresses), root, token, expires if token else 0
    ),
    st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True),
    st.lists(st.builds(Address, hosts, st.integers(1, 65535)), min_size=1, max_size=8),
    st.binary(min_size=32, max_size=32),
    st.one_of(st.none(), st.binary(min_size=16, max_size=16)),
    st.integers(1, 10**11),
)


@given(invites)
def test_any_invite_reads_back(invite: Invite) -> None:
    assert parse_invite(str(invite)) == invite
    assert parse_invite(f"  {invite}\n") == invite


def test_a_password_account_has_no_token() -> None:
    plain = replace(INVITE, token=None, expires=0)
    assert parse_invite(str(plain)) == plain
    assert plain.secret == ""
    plain.demand_fresh(1e12)


def test_an_expired_invite_is_refused() -> None:
    INVITE.demand_fresh(1_800_000_000)
    with pytest.raises(Refused, match="2027-01-15") as caught:
        INVITE.demand_fresh(1_800_000_001)
    assert caught.value.reason == "invite-expired"
    assert caught.value.remedy


@pytest.mark.parametrize(
    "line",
    [
        "",
        "hello",
        LINE[:-30],
        LINE.replace("conclave", "https"),
        LINE.replace("ayse", "Ayse"),
        LINE.replace("ayse@", ""),
        LINE.replace("ward-7.internal", "ward"),
        LINE.replace("/?", "/x?"),
        LINE + "#x",
        LINE + "&x=1",
        LINE + "&expires=1",
        LINE + "&" + LINE.partition("&")[2],
        LINE.replace(":8443", ""),
        LINE.replace(":8443", ":0"),
        LINE.replace(":8443", ":65536"),
        LINE.replace("127.0.0.1", "a b"),
        LINE.replace("at=127.0.0.1:8443&", ""),
        LINE.replace("expires=1800000000", "expires=soon"),
        LINE.replace("&expires=1800000000", ""),
        LINE.replace("token=A", "token="),
        LINE.replace("token=A", "token=1"),
        LINE.replace("root=AA", "root="),
        LINE.replace("OB4", "OB5"),  # base32's spare bits
        LINE.replace("ayse", "ays\u0435"),
        LINE.replace("ayse", "ay%00se"),
        LINE + "&at=192.0.2.1:1" * 8,
        LINE + "A" * 3000,
        "conclave://[/?at=x",
        LINE.replace("&", "\x1b&"),
    ],
)
def test_a_damaged_line_is_explained(line: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_invite(line)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert "AAAQEAYEAUDAOCAJBIFQYDIOB4" not in str(caught.value)


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=80), st.text(max_size=40).map(lambda t: f"conclave://ayse@ward-7.internal/?{t}")))
def test_garbage_gives_our_errors(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_invite(text)


@given(st.binary(min_size=16, max_size=16))
def test_base32_either_case(data: bytes) -> None:
    text = encode_base32(data)
    assert decode_base32(text, 16, "token") == data == decode_base32(text.lower(), 16, "token")
    with pytest.raises(DecodeError, match="token"):
        decode_base32(text, 15, "token")
