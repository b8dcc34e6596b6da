"""What is kept of a group, in one piece and in two, and what a caller may ask of it."""

from __future__ import annotations

import pytest

from conclave.errors import DecodeError, LocalError
from conclave.mls import group
from conclave.mls.limits import Policy
from conclave.mls.proposals import Remove
from conclave.mls.staged import Held, Staged
from conclave.mls.state import State
from tests.mls.forge import forge_commit, refused
from tests.mls.world import NOW, World, trusting


@pytest.fixture
def trio() -> World:
    return World.of("ayse", "burak", "cem")


def test_messages_change_the_small_part_alone(trio: World) -> None:
    """Words, late words, proposals and updates leave the epoch's part as it is; a merge changes both."""
    late = trio.say("cem", b"late")
    trio.commit("ayse")
    before = {name: (state.epoch_part, state.traffic_part) for name, state in trio.states.items()}
    trio.process("burak", trio.say("ayse", b"words"))
    trio.process("burak", late)
    trio.process("cem", trio.say("burak", b"words"))
    trio.update("cem")
    trio.propose("burak", Remove(2))
    for name, (epoch_part, traffic_part) in before.items():
        assert trio[name].epoch_part == epoch_part
        assert trio[name].traffic_part != traffic_part
    trio.commit("ayse")
    assert trio["burak"].epoch_part != before["burak"][0]


def test_the_parts_are_the_state(trio: World) -> None:
    """A group goes on from its two parts: late words open once, a pending update of ours is still known."""
    late, twice = trio.say("cem", b"late"), trio.say("cem", b"twice")
    trio.commit("ayse")
    trio.process("burak", twice)
    trio.update("cem")
    for name, state in trio.states.items():
        trio.states[name] = State.join_parts(state.epoch_part, state.traffic_part)
        assert trio[name].encode() == state.encode() == state.epoch_part + state.traffic_part
    trio.process("burak", late)
    with pytest.raises(group.RuleError, match="key-consumed"):
        trio.process("burak", twice)
    trio.commit("burak")
    trio.agree()


def test_parts_of_two_epochs_do_not_join(trio: World) -> None:
    for _ in range(4):  # so many past epochs as there will be from now on: the parts have one shape
        trio.commit("ayse")
    old = trio["burak"]
    trio.commit("ayse")
    new = trio["burak"]
    for epoch_part, traffic_part in ((new.epoch_part, old.traffic_part), (old.epoch_part, new.traffic_part)):
        with pytest.raises(DecodeError, match="message keys"):
            State.join_parts(epoch_part, traffic_part)


def test_the_small_part_does_not_grow_with_the_tree() -> None:
    small, large = World.of("ayse", "burak"), World.of(*(f"member-{number}" for number in range(32)))
    sizes = [len(next(iter(world.states.values())).traffic_part) for world in (small, large)]
    assert sizes[1] < sizes[0] + 500


def test_changes_tell_who_came_from_outside(trio: World) -> None:
    """A member's commit, a stranger's, and that of a member who comes again."""
    assert trio.commit("ayse").changes[4:] == (False, None)
    trio.relax(external_joins=True)
    for name, replaced in (("deniz", None), ("burak", 1)):
        trio.states.pop(name, None)
        info = group.group_info(trio["ayse"], random=trio.random, external_pub=True)
        joined = group.begin_external(
            info, trio.package(name), verify=trusting, now=NOW, random=trio.random, policy=trio.policy
        )
        seen = trio.process("ayse", joined.message)
        assert isinstance(seen, Staged)
        for staged in (joined, seen, Staged.decode(seen.encode())):
            assert staged.changes.external
            assert staged.changes.replaced == replaced
            assert staged.changes.removed == (() if replaced is None else (replaced,))
        for other in trio.states:
            if other != "ayse":
                trio.follow(other, joined.message)
        trio.states["ayse"] = group.merge(trio["ayse"], seen)
        trio.states[name] = joined.begin(trio.policy)
        trio.agree()


def test_a_proposal_is_discarded(trio: World) -> None:
    """Who holds a proposal to be out of order commits it no more, and follows nobody who does."""
    sending = group.propose(trio["cem"], Remove(0), random=trio.random)
    trio.states["cem"] = sending.state
    held = trio.process("burak", sending.message)
    assert isinstance(held, Held)
    trio.states["burak"] = group.discard(held.state, held.reference)
    with pytest.raises(LocalError, match="no proposal"):
        group.discard(trio["burak"], held.reference)
    group.protect(trio["burak"], b"nothing waits", random=trio.random)
    assert trio.stage("burak").changes.removed == ()
    refused("12.4-reference-known", trio, "burak", forge_commit(trio["cem"], [held.reference]))


def test_a_policy_has_bounds() -> None:
    Policy(past_epochs=255)
    for past_epochs, max_skip in ((256, 0), (-1, 0), (0, -1)):
        with pytest.raises(LocalError):
            Policy(past_epochs=past_epochs, max_skip=max_skip)


def test_a_members_credential_is_to_be_had(trio: World) -> None:
    assert group.credential(trio["burak"], trio.index("cem")).identity == b"cem"
    for nobody in (3, 400, -1):
        with pytest.raises(LocalError, match="nobody"):
            group.credential(trio["burak"], nobody)
