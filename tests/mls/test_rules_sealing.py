"""Section 5.1.3 of RFC 9420 for an application's own use: small things sealed to a key package."""

from __future__ import annotations

import pytest

from conclave.crypto.suite import CLASSICAL, HYBRID, CipherSuite
from conclave.errors import DecodeError, LocalError
from conclave.mls import group
from conclave.mls.limits import Policy
from conclave.mls.rules import RuleError
from conclave.mls.treekem import HPKECiphertext
from conclave.values import replace
from tests.mls.world import NOW, World, resigned, trusting

LABEL, CONTEXT, WORDS = b"Conclave file key", b"ward-7", b"a key of 32 bytes, or a few words"


@pytest.mark.parametrize("suite", [CLASSICAL, HYBRID], ids=lambda suite: suite.name)
def test_what_is_sealed_opens(suite: CipherSuite) -> None:
    world = World(suite=suite)
    own = world.package("ayse")
    sealed = group.seal_to(own.package, LABEL, CONTEXT, WORDS, world.random)
    assert group.open_with(own, LABEL, CONTEXT, sealed) == WORDS
    assert group.encryption_key(own.package) == suite.kem.public(own.encryption_key)


def test_5_1_3_sealed() -> None:
    """Another label, context or key package, or a changed byte, opens nothing."""
    world = World()
    own, other = world.package("ayse"), world.package("burak")
    sealed = group.seal_to(own.package, LABEL, CONTEXT, WORDS, world.random)
    attempts = [(own, b"other", CONTEXT, sealed), (own, LABEL, b"other", sealed), (other, LABEL, CONTEXT, sealed)]
    attempts += [
        (own, LABEL, CONTEXT, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
        for at in (1, 40, -1 % len(sealed))
    ]
    parts = HPKECiphertext.decode(sealed)
    joined = parts.kem_output + parts.ciphertext
    for boundary in (31, 33):  # the same bytes, cut elsewhere
        attempts.append((own, LABEL, CONTEXT, HPKECiphertext(joined[:boundary], joined[boundary:]).encode()))
    swapped = replace(own, encryption_key=own.init_key)
    for keys, label, context, data in [*attempts, (swapped, LABEL, CONTEXT, sealed)]:
        with pytest.raises(RuleError) as caught:
            group.open_with(keys, label, context, data)
        assert caught.value.rule == "5.1.3-sealed"
    for malformed in (b"", sealed[:-1], sealed + b"\0"):
        with pytest.raises(DecodeError):
            group.open_with(own, LABEL, CONTEXT, malformed)


@pytest.mark.parametrize("label", [b"", b"UpdatePathNode", b"Welcome"])
def test_labels_of_mls_are_not_for_others(label: bytes) -> None:
    own = World().package("ayse")
    with pytest.raises(LocalError, match="label"):
        group.seal_to(own.package, label, CONTEXT, WORDS, World().random)
    with pytest.raises(LocalError, match="label"):
        group.open_with(own, label, CONTEXT, b"")


def test_nothing_is_sealed_to_a_key_that_is_none() -> None:
    own = World().package("ayse")
    for package in (
        replace(own.package, leaf=replace(own.package.leaf, encryption_key=b"short")),
        replace(own.package, leaf=replace(own.package.leaf, encryption_key=bytes(32))),
        replace(own.package, cipher_suite=0x0A0A),
    ):
        with pytest.raises(LocalError, match="key package"):
            group.seal_to(package, LABEL, CONTEXT, WORDS, World().random)


def test_a_key_package_is_identified_before_it_is_used() -> None:
    world = World()
    own = world.package("ayse")
    member = group.identify_package(own.package, verify=trusting, now=NOW)
    assert member == (own.package.leaf.signature_key, b"ayse")
    with pytest.raises(RuleError, match="max-lifetime"):
        group.identify_package(own.package, verify=trusting, now=NOW, policy=Policy(max_lifetime=60))
    with pytest.raises(DecodeError, match="not a key package"):
        group.read_key_package(group.group_info(World.of("ayse")["ayse"], random=world.random))
    stolen = replace(own.package, leaf=replace(own.package.leaf, encryption_key=world.package("burak").init_key))
    for bad, rule in (
        (stolen, "7.3-leaf-signature"),
        (replace(own.package, signature=bytes(64)), "10.1-package-signature"),
        (world.package("ayse", lifetime=(0, 1)).package, "7.3-lifetime"),
        (resigned(replace(own.package, version=2), own), "10.1-version-suite"),
    ):
        with pytest.raises(RuleError) as caught:
            group.identify_package(bad, verify=trusting, now=NOW)
        assert caught.value.rule == rule
