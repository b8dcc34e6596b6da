from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import DecodeError
from conclave.pki.names import (
    HANDLE_CHARACTERS,
    Identity,
    authority_name,
    device_label,
    device_number,
    parse_device,
    parse_handle,
    parse_identity,
    parse_realm,
    quote,
    realm_from_name,
)

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@pytest.mark.parametrize("text", ["a", "7", "ayse", "ayse-2", "a--b", "x" * HANDLE_CHARACTERS])
def test_good_handles(text: str) -> None:
    assert parse_handle(text) == text == parse_device(text)


def test_the_authority_counts_the_devices_of_an_account() -> None:
    assert [device_number(device_label(number)) for number in (1, 2, 10)] == [1, 2, 10]


@pytest.mark.parametrize("label", ["", "d", "d0", "d01", "d-1", "x1", "d1x", "laptop", "d\u0661", "d" + "9" * 5000])
def test_what_the_authority_did_not_number_has_no_place_among_them(label: str) -> None:
    assert device_number(label) == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("x" * 33, "33 characters"),
        ("Ayse", "upper-case"),
        ("ays\u0435", "U+0435"),  # Cyrillic
        ("\u202eayse", "U+202E"),
        ("ay\x1b[2Jse", "control"),
        ("ayse\n", "control"),
        ("ay\x7fse", "control"),
        ("-ayse", "hyphen"),
        ("ayse-", "hyphen"),
        ("---", "other than"),
        ("ay se", "other than"),
        ("ay_se", "other than"),
        ("a.b", "other than"),
        ("xn--ayse", "xn--"),
    ],
)
def test_bad_handles_are_explained(text: str, says: str) -> None:
    with pytest.raises(DecodeError, match=re.escape(says)) as caught:
        parse_handle(text)
    assert caught.value.remedy
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_upper_case_comes_with_the_spelling_to_use() -> None:
    with pytest.raises(DecodeError) as caught:
        parse_handle("AySe")
    assert "'ayse'" in caught.value.remedy


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=40), st.text("ab7-", max_size=34)))
def test_any_text_is_a_handle_or_a_decode_error(text: str) -> None:
    if LABEL.fullmatch(text) and len(text) <= HANDLE_CHARACTERS and not text.startswith("xn--"):
        assert parse_handle(text) == text
        return
    with pytest.raises(DecodeError) as caught:
        parse_handle(text)
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()


@pytest.mark.parametrize("text", ["ward-7.internal", "a.b.example.org"])
def test_good_realms(text: str) -> None:
    assert parse_realm(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "internal",
        "ward-7.",
        ".internal",
        "a..b",
        "Ward.internal",
        "10.0.0.1",
        "a b.c",
        "x" * 181,
        "xn--a.internal",
    ],
)
def test_bad_realms(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_realm(text)


def test_realm_from_name() -> None:
    assert realm_from_name("Ward 7") == "ward-7.internal"
    assert realm_from_name("  --St. Mary's (east)  ") == "st-mary-s-east.internal"
    for name in ("", "---", "\u0130stanbul"):
        with pytest.raises(DecodeError, match="no realm"):
            realm_from_name(name)


def test_identity_has_two_names_that_read_back() -> None:
    realm = parse_realm("ward-7.internal")
    identity = Identity(parse_handle("ayse"), parse_device("laptop"), realm)
    assert identity.uri == "im:ayse@ward-7.internal"
    assert identity.dns == "laptop.ayse.ward-7.internal"
    assert parse_identity(identity.uri, identity.dns) == identity
    assert authority_name(realm) == "authority.ward-7.internal"


@pytest.mark.parametrize(
    ("uri", "dns"),
    [
        ("im:ayse@ward-7.internal", "laptop.burak.ward-7.internal"),
        ("im:ayse@ward-7.internal", "laptop.ayse.ward-8.internal"),
        ("im:ayse@ward-7.internal", "ayse.ward-7.internal"),
        ("im:ayse@ward-7.internal", "a.laptop.ayse.ward-7.internal"),
        ("im:ayse@ward-7.internal", ".ayse.ward-7.internal"),
        ("im:ayse@ward-7.internal", "Laptop.ayse.ward-7.internal"),
        ("IM:ayse@ward-7.internal", "laptop.ayse.ward-7.internal"),
        ("sip:ayse@ward-7.internal", "laptop.ayse.ward-7.internal"),
        ("im:ayse", "laptop.ayse"),
        ("im:@ward-7.internal", "laptop..ward-7.internal"),
        ("im:a@b@ward-7.internal", "laptop.a.ward-7.internal"),
        ("", ""),
    ],
)
def test_names_that_do_not_agree(uri: str, dns: str) -> None:
    with pytest.raises(DecodeError):
        parse_identity(uri, dns)


def test_quoting_is_short_and_safe() -> None:
    assert quote("\x1b]2;x\x1b\\") == r"'\x1b]2;x\x1b\\'"
    assert len(quote("x" * 10_000)) < 100
