"""Names that come from strangers."""

from __future__ import annotations

import pytest

from conclave.errors import VerificationError
from conclave.lobby.names import check_handle, check_name


@pytest.mark.parametrize("handle", ["a", "ayse", "ayse-2", "x" * 63, "0"])
def test_handles(handle: str) -> None:
    assert check_handle(handle) == handle


@pytest.mark.parametrize("handle", ["", "-a", "a-", "Ayse", "a b", "a\n", "a\x1b[2J", "аyse", "x" * 64, "a_b", "٣"])
def test_what_is_no_handle(handle: str) -> None:
    with pytest.raises(VerificationError) as caught:
        check_handle(handle)
    assert "\x1b" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["ops", "ops.2", "night_shift", "x" * 32])
def test_lobby_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".ops", "Ops", "o ps", "ops\n", "ops\u202e", "x" * 33, "#ops", "ops@cem", "öps"]
)
def test_what_is_no_lobby_name(name: str) -> None:
    with pytest.raises(VerificationError):
        check_name(name)
