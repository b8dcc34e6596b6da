"""A clock that is wrong is named, by ``up`` and by ``doctor``, where the network would be blamed."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from conclave.net.authority_calls import translate
from conclave.net.authority_watch import Offline, Online
from conclave.node.home import doctor
from conclave.pki.address import parse_address
from tests.cli.test_talk import Answers
from tests.node.homes import make_home, running

ADDRESS = parse_address("127.0.0.1:8443")


def not_valid(message: str) -> Exception:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = message
    return translate(error, ADDRESS)


def test_a_certificate_that_does_not_hold_by_our_clock_names_the_clock() -> None:
    behind = not_valid("certificate is not yet valid")
    assert str(behind).startswith("this machine's clock says 2")
    assert str(behind).endswith("the certificate of the authority at 127.0.0.1:8443 is not valid yet")
    assert "set this machine's clock" in behind.remedy  # type: ignore[attr-defined]
    assert str(not_valid("certificate has expired")).endswith("is not valid any more")
    assert "not our authority" in str(not_valid("self-signed certificate"))


async def test_up_tells_once_that_the_clock_is_wrong(tmp_path: Path) -> None:
    make_home(tmp_path / "ayse", "ayse")
    async with running(tmp_path / "ayse") as ayse:
        directory, behind = ayse.node.directory, not_valid("certificate is not yet valid")
        before = len(ayse.told("authority-reached"))
        for _ in range(3):
            directory._take(Offline(behind, 1.0))  # type: ignore[arg-type]
        [told] = ayse.told("authority-reached")[before:]
        assert "this machine's clock says" in told["text"]
        assert "set this machine's clock" in told["text"]
        assert directory.describe()["reason"] == "expired"
        directory._take(Online(30.0, 60.0, 20.0))
        assert not ayse.told("trouble")
        directory._take(Online(30.0, 60.0, -3600.0))
        [trouble] = ayse.told("trouble")
        assert trouble["text"] == "this machine's clock is 60 minutes ahead of the authority's: set it"
        for skew in (-3600.0, -3610.0, -3590.0):  # lost and reached again
            directory._take(Online(30.0, 60.0, skew))
        assert len(ayse.told("trouble")) == 1
        for skew in (-7200.0, 0.0, -7200.0):
            directory._take(Online(30.0, 60.0, skew))
        assert len(ayse.told("trouble")) == 3


@pytest.mark.parametrize(
    ("offset", "reached", "good", "text"),
    [
        (3.0, True, True, "3 s from the authority's"),
        (-3600.0, True, False, "3600 s ahead of the authority's"),
        (0.0, False, False, "not within the life of the authority's certificate"),
    ],
)
def test_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: float, reached: bool, good: bool, text: str
) -> None:
    authority = {"reached": reached, "reason": "" if reached else "expired", "text": "", "remedy": "set the clock"}
    status: dict[str, Any] = {"handle": "ayse", "listen": "x", "certificates": [], "crl_time": None, "waiting": {}}
    monkeypatch.setattr(doctor, "NodeClient", Answers(**status, authority=authority, clock_offset=offset))
    checks = {one.name: one for one in doctor._node(tmp_path)}
    assert (checks["clock"].good, checks["clock"].text) == (good, text)
    assert bool(checks["clock"].remedy) is not good
    if not reached:
        assert checks["authority"].remedy == "chats go on without it; set the clock"
