"""Whether somebody is who we think, asked of real nodes: another key is said, a revoked certificate is named."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from conclave.chat import views
from conclave.chat.pairs.safety import ANEW
from conclave.chat.words.line import LineKind
from conclave.errors import LocalError
from conclave.node.door import commands as ask
from conclave.node.identity import Identity
from conclave.node.paths import vault_path
from conclave.pki.profile import Profile
from conclave.pki.revocation import RevocationList, Revoked, make_crl
from conclave.store import vault as vaults
from tests.node.homes import PASSPHRASE, Running, befriend, make_home, realm, running


def im_serial(home: Path) -> int:
    identity = Identity(vaults.unlock(vault_path(home), PASSPHRASE))
    return identity.credentials(Profile.IM).certificate.serial


def listing(serial: int, reason: str) -> RevocationList:
    return make_crl(realm().issuing, [Revoked(serial, time.time() - 1, reason)], time.time())


def notices(one: Running, conversation: str) -> list[str]:
    lines = one.store.lines(conversation, limit=100)
    return [stored.line.text for stored in lines if stored.line.kind is LineKind.NOTICE]


async def test_who_is_revoked_and_comes_back_is_spoken_with_under_its_new_certificate(tmp_path: Path) -> None:
    for handle in ("ayse", "burak"):
        make_home(tmp_path / handle, handle)
    crl = listing(im_serial(tmp_path / "ayse"), "keyCompromise")
    async with running(tmp_path / "burak") as burak:
        async with running(tmp_path / "ayse") as ayse:
            await befriend(ayse, burak)
            before = await burak.serve(ask.Verify("@ayse"))
            assert before["revoked"] == ""
        assert burak.identity.take_crl(crl)
        burak.node._crl_taken()
        await burak.until(lambda: views.pair_state(burak.node.pump.desk, "ayse") is None)
        shown = await burak.serve(ask.Verify("@ayse"))
        assert shown["number"] == before["number"]
        assert "its key was stolen or lost" in shown["revoked"]
        vault_path(tmp_path / "ayse").unlink()
        make_home(tmp_path / "ayse", "ayse", crl=crl)  # history and outbox stay
        async with running(tmp_path / "ayse") as ayse:
            ayse.meets(burak)
            await burak.serve(ask.LobbyOpen("ops", ("ayse",)))
            await ayse.until(ayse.requested)
            await ayse.serve(ask.AnswerTo("burak", accept=True, lobby="#ops"))
            await burak.until(lambda: views.shown(burak.node.pump.desk, "ayse"))
            with pytest.raises(LocalError, match="by its certificate in #ops yet") as told:
                await burak.serve(ask.Verify("@ayse"))
            assert told.value.remedy.startswith("conclave say @ayse")
            await burak.say("@ayse", "you again")
            await ayse.say("@burak", "a new laptop")
            await burak.until(lambda: "a new laptop" in burak.texts("@ayse") and not burak.waiting())
            await ayse.until(lambda: not ayse.waiting())
            after = await burak.serve(ask.Verify("@ayse"))
            there = await ayse.serve(ask.Verify("@burak"))
            assert after | {"former": ()} == there | {"peer": "ayse", "former": ()}
            assert before["number"] in after["former"]
            assert before["number"] in there["former"]
            assert after["revoked"] == ""
            held = ayse.identity.credentials(Profile.IM).certificate
            assert after["certificates"]["ayse"]["fingerprint"] == held.fingerprint.hex()
            assert len(notices(burak, "@ayse")) == 1
            assert "another key" in notices(burak, "@ayse")[0]


async def test_who_is_shut_out_by_word_is_named(tmp_path: Path) -> None:
    for handle in ("ayse", "burak"):
        make_home(tmp_path / handle, handle)
    async with running(tmp_path / "burak") as burak, running(tmp_path / "ayse") as ayse:
        await befriend(ayse, burak)
        burak.node._revoked("ayse", "suspended")
        await burak.until(lambda: views.pair_state(burak.node.pump.desk, "ayse") is None)
        shown = await burak.serve(ask.Verify("@ayse"))
        assert (shown["revoked"], shown["suspended"]) == ("ayse's account is suspended", True)


def group(one: Running, other: str) -> bytes:
    """That of a pair."""
    state = views.pair_state(one.node.pump.desk, other)
    return state.group_id if state is not None else b""


async def test_who_was_suspended_and_comes_back_has_another_number_which_is_said(tmp_path: Path) -> None:
    for handle in ("ayse", "burak"):
        make_home(tmp_path / handle, handle)
    async with running(tmp_path / "burak") as burak, running(tmp_path / "ayse") as ayse:
        await befriend(ayse, burak)
        await burak.say("@ayse", "hi")
        await ayse.until(lambda: "hi" in ayse.texts("@burak"))
        await burak.until(lambda: not burak.waiting())
        before = await burak.serve(ask.Verify("@ayse"))
        burak.node._revoked("ayse", "suspended")
        await burak.until(lambda: views.pair_state(burak.node.pump.desk, "ayse") is None)
        burak.node._moved("ayse", ayse.address)
        with pytest.raises(LocalError, match="your keys with ayse have ended"):
            await burak.serve(ask.Verify("@ayse"))
        await burak.say("@ayse", "welcome back")
        await ayse.until(lambda: "welcome back" in ayse.texts("@burak"))
        await ayse.until(
            lambda: group(ayse, "burak") == group(burak, "ayse")
        )  # what is on disk counts a moment later
        after = await burak.serve(ask.Verify("@ayse"))
        assert after == await ayse.serve(ask.Verify("@burak")) | {"peer": "ayse"}
        assert after["former"] == [before["number"]]
        for one, other in ((ayse, "burak"), (burak, "ayse")):
            assert notices(one, f"@{other}") == [ANEW.format(other)]


async def test_the_link_of_who_is_suspended_does_not_end_as_of_who_is_revoked(tmp_path: Path) -> None:
    own = {handle: make_home(tmp_path / handle, handle) for handle in ("ayse", "burak")}
    async with running(tmp_path / "burak") as burak, running(tmp_path / "ayse") as ayse:
        await befriend(ayse, burak)
        assert burak.identity.take_crl(listing(own["ayse"].certificate.serial, "certificateHold"))
        burak.node._crl_taken()
        await ayse.until(lambda: ayse.told("link-closed"))
        for one in (ayse, burak):
            assert "has been suspended since" in one.told("link-closed")[0]["text"]
