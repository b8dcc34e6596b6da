"""What is gone must be gone: forward secrecy, post-compromise security and deletion (RFC 9420 sections 9.2 and 16.6).

A leak is the whole encoded state of a member. What a thief could do with it is tried, not argued.
"""

from __future__ import annotations

import pytest

from conclave.errors import ConclaveError, LocalError
from conclave.mls import group
from conclave.mls.credentials import Credential
from conclave.mls.secrettree import APPLICATION, Fork, Member, SecretTree
from conclave.mls.staged import Staged
from conclave.mls.state import State
from conclave.values import replace
from tests.mls.forge import refused
from tests.mls.world import NOW, World, find_psk, trusting


@pytest.fixture
def trio() -> World:
    return World.of("ayse", "burak", "cem")


def thief(blob: bytes) -> State:
    """A state as somebody else has it."""
    return State.decode(blob)


def cannot(state: State, message: bytes) -> None:
    with pytest.raises(ConclaveError):
        group.process(state, message, verify=trusting, now=NOW, psk=find_psk)


def test_the_blob_is_the_state(trio: World) -> None:
    trio.process("burak", trio.say("ayse", b"words"))
    trio.update("cem")
    trio.commit("ayse")
    trio.update("cem")
    for name in trio.states:
        blob = trio[name].encode()
        again = State.decode(blob)
        assert again.encode() == blob
        trio.states[name] = again
    trio.commit("burak")
    trio.agree()


def test_a_blob_of_another_version_is_refused(trio: World) -> None:
    with pytest.raises(ConclaveError, match="version"):
        State.decode(b"\xff" + trio["ayse"].encode()[1:])


def test_used_message_keys_leave_the_state(trio: World) -> None:
    ayse = trio["ayse"]
    _, key = ayse.traffic.next(trio.suite, 0, APPLICATION)
    message = trio.say("ayse", b"words")
    for name in ("ayse", "burak"):
        if name == "burak":
            trio.process("burak", message)
        assert key.key not in trio[name].encode()
        cannot(thief(trio[name].encode()), message)


def test_the_root_of_the_secret_tree_is_consumed(trio: World) -> None:
    root = trio["burak"].traffic.root
    assert isinstance(root, bytes)
    trio.process("burak", trio.say("ayse", b"words"))
    burak = trio["burak"]
    assert root not in burak.encode()
    path: object = burak.traffic.root
    while isinstance(path, Fork):
        path = path.left
    assert isinstance(path, Member)


def test_no_root_secret_of_an_epoch_is_kept(trio: World) -> None:
    """The key schedule's own secrets are never in the state: joiner, epoch, confirmation, encryption."""
    secrets = trio["ayse"].epoch.secrets
    assert secrets.encryption == secrets.confirmation == b""


def test_an_old_epochs_secrets_go_with_the_commit(trio: World) -> None:
    old = trio["burak"].epoch
    trio.commit("ayse")
    blob = trio["burak"].encode()
    for secret in (old.secrets.init, old.secrets.exporter, old.secrets.external, old.secrets.membership):
        assert secret not in blob
    assert all(key not in blob for node, key in old.keys.items() if node % 2)


def test_replaced_node_keys_are_erased(trio: World) -> None:
    trio.commit("ayse")
    shared = trio["burak"].epoch.keys[1]
    trio.commit("ayse")
    assert shared not in trio["burak"].encode()


def test_an_updated_leaf_key_is_erased(trio: World) -> None:
    old = trio["cem"].epoch.keys[4]
    trio.update("cem")
    trio.commit("ayse")
    assert old not in trio["cem"].encode()
    assert trio["cem"].epoch.keys[4] != old
    trio.agree()


def test_the_window_of_past_epochs_is_bounded(trio: World) -> None:
    late = [trio.say("ayse", b"one"), trio.say("ayse", b"two")]
    for _ in range(3):
        trio.commit("cem")
    opened = trio.process("burak", late[0])
    assert isinstance(opened, group.Opened)
    assert (opened.data, opened.epoch) == (b"one", 1)
    trio.commit("cem")
    refused("6-epoch", trio, "burak", late[1])
    assert [past.number for past in trio["burak"].past] == [4, 3, 2]
    assert [number for number, _ in trio["burak"].resumptions] == [4, 3, 2]


def test_a_leaked_state_opens_nothing_from_before(trio: World) -> None:
    trio.relax(past_epochs=0, resumption_epochs=0)
    earlier = [trio.say("ayse", b"words"), trio.stage("ayse").message]
    trio.commit("cem")
    stolen = thief(trio["burak"].encode())
    for message in earlier:
        cannot(stolen, message)


def test_a_leaked_state_opens_nothing_after_its_members_next_commit(trio: World) -> None:
    stolen = thief(trio["burak"].encode())
    healing = trio.commit("burak")
    cannot(stolen, healing.message)
    cannot(stolen, trio.say("ayse", b"words"))
    trio.commit("ayse")
    cannot(stolen, trio.say("cem", b"words"))


def test_a_leaked_state_opens_nothing_after_its_members_next_update(trio: World) -> None:
    stolen = thief(trio["burak"].encode())
    trio.update("burak")
    for state in (stolen, replace(stolen, held=trio["ayse"].held)):
        cannot(state, trio.stage("ayse").message)
    trio.commit("ayse")
    cannot(stolen, trio.say("cem", b"words"))


def test_a_removed_member_opens_nothing_later(trio: World) -> None:
    gone = trio["cem"]
    removal = trio.commit("ayse", [group.Remove(2)])
    got = group.process(gone, removal.message, verify=trusting, now=NOW)
    assert isinstance(got, Staged)
    assert got.removes_us
    with pytest.raises(LocalError, match="removes us"):
        group.merge(gone, got)
    cannot(gone, trio.say("ayse", b"words"))
    cannot(gone, trio.commit("burak").message)


def test_a_joiner_opens_nothing_earlier(trio: World) -> None:
    earlier = trio.say("ayse", b"words")
    added = trio.add("ayse", "deniz")
    cannot(trio["deniz"], earlier)
    cannot(trio["deniz"], added.message)


def test_a_pending_updates_key_is_used_once(trio: World) -> None:
    trio.update("cem")
    assert len(trio["cem"].updates) == 1
    trio.commit("cem")
    assert not trio["cem"].updates
    assert not trio["cem"].held


def test_a_member_changes_its_credential_and_key(trio: World) -> None:
    key = trio.random(32)
    staged = group.commit(
        trio["burak"],
        verify=trusting,
        now=NOW,
        random=trio.random,
        credential=Credential.basic(b"burak"),
        signature_key=key,
    )
    old = trio["burak"].epoch.signature_key
    trio.states["burak"] = group.merge(trio["burak"], staged)
    for name in ("ayse", "cem"):
        trio.follow(name, staged.message)
    assert old not in trio["burak"].encode()
    trio.agree()
    opened = trio.process("ayse", trio.say("burak", b"with my new key"))
    assert isinstance(opened, group.Opened)


def test_an_update_changes_a_members_key(trio: World) -> None:
    """By an update as by a commit: what the member says next verifies with its new key."""
    key = trio.random(32)
    sending = group.propose_update(trio["burak"], random=trio.random, signature_key=key)
    trio.states["burak"] = sending.state
    for name in ("ayse", "cem"):
        trio.process(name, sending.message)
    old = trio["burak"].epoch.signature_key
    trio.commit("ayse")
    assert (trio["burak"].epoch.signature_key, old in trio["burak"].encode()) == (key, False)
    assert group.members(trio["ayse"])[1].signature_key == trio.suite.signature.public(key)
    assert isinstance(trio.process("cem", trio.say("burak", b"with my new key")), group.Opened)


def test_two_orders_show(trio: World) -> None:
    """A leader who gives one commit to some and another to the rest is found out by the epoch authenticator."""
    one, other = trio.stage("ayse"), trio.stage("burak")
    trio.states["ayse"] = group.merge(trio["ayse"], one)
    trio.states["burak"] = group.merge(trio["burak"], other)
    authenticators = {trio[name].epoch.secrets.authenticator for name in ("ayse", "burak")}
    assert len(authenticators) == 2
    cannot(trio["burak"], trio.say("ayse", b"words"))


def test_no_secret_is_shown_by_repr(trio: World) -> None:
    shown = repr(trio["ayse"]) + repr(trio.stage("ayse")) + repr(trio.package("deniz"))
    assert len(shown) < 400


def test_a_secret_tree_survives_a_lossy_sender() -> None:
    world = World.of("ayse", "burak")
    world.states["ayse"] = replace(world["ayse"], traffic=SecretTree(2, bytes(32)))
    cannot(world["burak"], world.say("ayse", b"out of step"))
