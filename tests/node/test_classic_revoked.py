"""Legacy links and the authority's word: who is revoked, suspended or expired is hung up on and let in no more."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from conclave.errors import Refused
from conclave.node.classic import commands as ask
from conclave.pki.revocation import Revoked, make_crl
from tests.node.classics import asking, befriend_classic, classic_home, classic_of, classic_texts, people
from tests.node.homes import realm


async def test_who_is_revoked_is_hung_up_on_and_let_in_no_more(tmp_path: Path) -> None:
    held = classic_home(tmp_path / "ayse", "ayse")
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        await befriend_classic(ayse, burak)
        crl = make_crl(realm().issuing, [Revoked(held.certificate.serial, time.time() - 1)], time.time())
        assert burak.identity.take_crl(crl)
        burak.node._crl_taken()
        await burak.until(lambda: burak.told("legacy-closed"))
        assert "revoked" in burak.told("legacy-closed")[0]["text"]
        await ayse.until(lambda: ayse.told("legacy-closed"))
        answer = await ayse.serve(ask.ClassicSay("@burak", "let me in", wait=True))
        assert answer["status"] == "not sent"
        assert "does not accept our certificate" in answer["why"]
        assert classic_texts(burak, "@ayse") == ["may I?"]
        assert not asking(burak)


async def test_who_is_shut_out_by_word_is_hung_up_on_and_turned_away(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        await befriend_classic(ayse, burak)
        burak.node._revoked("ayse", "suspended")
        await ayse.until(lambda: ayse.told("legacy-closed"))
        answer = await ayse.serve(ask.ClassicSay("@burak", "let me in", wait=True))
        assert answer["why"] == "burak said no"
        with pytest.raises(Refused, match="suspended"):
            await burak.serve(ask.ClassicSay("@ayse", "hello"))
        assert not classic_of(burak).streams
