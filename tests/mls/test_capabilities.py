"""What is required of another's capabilities, and what a policy may waive because others are known to forget it."""

from __future__ import annotations

import pytest

from conclave.errors import LocalError
from conclave.mls import group
from conclave.mls.extensions import Extension
from conclave.mls.keypackage import KeyPackage
from conclave.mls.rules import RuleError
from conclave.values import replace
from tests.mls.world import NOW, World, resigned, trusting


def forgetful(world: World) -> tuple[KeyPackage, KeyPackage]:
    """Key packages whose leaves list neither the group's suite nor their package's extension."""
    own, other = world.package("deniz"), world.package("elif")
    can = replace(own.package.leaf.capabilities, cipher_suites=(2,))
    unlisted = resigned(replace(own.package, leaf=replace(own.package.leaf, capabilities=can)), own)
    extended = replace(other.package, extensions=(Extension(0xF00D, b""),))
    return unlisted, extended.sign(other.suite, other.signature_key)


@pytest.mark.parametrize("which", [0, 1], ids=["suite", "extension"])
def test_the_forgetful_are_refused_unless_the_policy_takes_them(which: int) -> None:
    world = World.of("ayse", "burak")
    package = forgetful(world)[which]
    ayse, burak = world["ayse"], world["burak"]
    rule = ("11.1-suite", "10-package-extensions")[which]
    with pytest.raises(LocalError, match=rule):
        group.commit(ayse, [group.Add(package)], verify=trusting, now=NOW, random=world.random)
    world.relax(complete_capabilities=False)
    staged = group.commit(world["ayse"], [group.Add(package)], verify=trusting, now=NOW, random=world.random)
    with pytest.raises(RuleError, match=rule):
        group.process(burak, staged.message, verify=trusting, now=NOW)
    taken = group.process(world["burak"], staged.message, verify=trusting, now=NOW)
    assert isinstance(taken, group.Staged)
    assert group.State.decode(world["burak"].encode()).policy.complete_capabilities is False
