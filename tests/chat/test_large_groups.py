"""Groups that are large as they are made: who is in later has to give them on, and nobody could read that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conclave.chat import allowed, groups
from conclave.chat import events as ev
from conclave.chat.allowed import LEAF_BYTES, SPARE_LEAVES
from conclave.chat.deeds import Send
from conclave.chat.lobbies import committing, rejoining
from conclave.chat.lobby_state import Step
from conclave.chat.work import Work
from conclave.errors import VerificationError
from conclave.mls import group as mls
from conclave.mls.group import Extension, OwnKeyPackage, State
from conclave.mls.tree import ParentNode
from conclave.values import replace
from conclave.wire.order import AskInfo, Info, Run
from tests.chat.desks import Table, together

NAME = 1
"""An application's own name of a leaf (RFC 9420 section 5.3.3), of any length."""


@pytest.fixture(params=[LEAF_BYTES, 3_000_000])
def large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """mallory's device, which is not ours, has a large leaf."""
    honest = groups.package

    def package(work: Work) -> OwnKeyPackage:
        own = work.own
        if work.me != "mallory" or own is None:
            return honest(work)
        return OwnKeyPackage.create(
            mls.cipher_suite(own.suite), own.credential, own.signature_key, (0, int(work.now) + 10_000), work.random,
            extensions=(groups.DEPUTIES,), leaf_extensions=(Extension(NAME, bytes(request.param)),),
        )  # fmt: skip

    monkeypatch.setattr(groups, "package", package)


@pytest.mark.usefixtures("large")
def test_a_newcomer_takes_no_lobby_whose_maker_is_large_in_it() -> None:
    table = Table("mallory", "ayse")
    table.link("mallory", "ayse")
    table.put("mallory", ev.OpenLobby("ops", table.random(16), ("ayse",)))
    table.put("ayse", ev.AnswerRequest("mallory", accept=True, lobby="#ops"))
    table.wait(1)
    assert table.view("ayse").stage != "member"
    assert any("the welcome to #ops was refused" in one for one in table.troubles("ayse"))


@pytest.mark.usefixtures("large")
def test_a_word_of_somebody_makes_nobody_keep_much() -> None:
    table = Table("ayse", "mallory")
    table.stock()
    table.link("ayse", "mallory")
    table.say("mallory", "@ayse", "hello")
    assert sum(len(value) for _, value in table.stores["ayse"].states()) < 100_000
    assert any("a conversation that mallory began was refused" in one for one in table.troubles("ayse"))


def with_transcript(state: State) -> State:
    """What came of commits before is told by the maker too."""
    context = replace(state.epoch.context, confirmed_transcript_hash=bytes(2 * SPARE_LEAVES * LEAF_BYTES))
    return replace(state, epoch=replace(state.epoch, context=context))


def with_parent(state: State) -> State:
    """A key above the leaves is one that nobody used yet."""
    large = ParentNode(bytes(2 * SPARE_LEAVES * LEAF_BYTES))
    return replace(state, epoch=replace(state.epoch, tree=state.epoch.tree.replace([(1, large)])))


@pytest.mark.parametrize("spoil", [with_transcript, with_parent])
def test_a_group_is_no_larger_than_who_is_in_accounts_for(spoil: Callable[[State], State]) -> None:
    table = together("ayse", "burak", "cem")
    state = table.desks["ayse"].sessions.get(table.desks["ayse"].labels["#ops"])
    assert state is not None
    allowed.demand_group(state)
    with pytest.raises(VerificationError, match="larger than who is in accounts for"):
        allowed.demand_group(spoil(state))


def test_nobody_comes_anew_into_a_half_that_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its leader has a larger leaf there than in ours."""
    table = together("ayse", "burak", "cem")
    group = table.desks["ayse"].labels["#ops"]
    desk, lobby = table.desks["burak"], table.state("burak", group)
    lead, seq = Run(2, 0, "ayse", 0, 0), table.view("burak").seq
    lobby = replace(lobby, lead=lead, healing=replace(lobby.healing, step=Step.REJOIN, common=seq))
    table.desks["burak"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    state = table.desks["ayse"].sessions.get(group)
    assert state is not None
    info = mls.group_info(state, random=table.random, external_pub=True)
    frame = Info(group, seq, bytes(32), (replace(lead, first=1, last=seq),), info)
    monkeypatch.setattr(allowed, "LEAF_BYTES", 400)
    table.step("burak", ev.Arrived("ayse", frame))
    assert table.state("burak", group).healing.step is Step.REJOIN
    monkeypatch.undo()
    table.step("burak", ev.Arrived("ayse", frame))
    assert table.state("burak", group).healing.step is Step.ENTER


def test_who_leads_sends_no_group_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The link of two honest people would end by it, each time that it is asked for."""
    table = together("ayse", "burak", "cem")
    group = table.desks["ayse"].labels["#ops"]
    monkeypatch.setattr(rejoining, "PAYLOAD_BYTES", 1_000)
    effects = table.step("ayse", ev.Arrived("burak", AskInfo(group)))
    assert not [one for one in effects if isinstance(one, Send) and isinstance(one.frame, Info)]
    assert table.troubles("ayse") == ["#ops is too large for burak to come in again"]


def test_nobody_is_let_into_a_group_that_is_too_large_to_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the newcomer is in for the others, and waits for good."""
    table = together("ayse", "burak", "cem", beside=("deniz",))
    table.link("ayse", "deniz")
    monkeypatch.setattr(committing, "PAYLOAD_BYTES", 2_000)
    table.put("ayse", ev.InviteTo("#ops", ("deniz",)))
    table.put("deniz", ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
    table.run(10)
    assert table.view("burak").roster == ("ayse", "burak", "cem")
    assert table.stages()["deniz"] != "member"
    assert any("#ops could not be changed: it is too large" in one for one in table.troubles("ayse"))
    table.say("burak", "#ops", "and then?")
    assert "and then?" in table.words("cem")
