"""Sections 5.3, 7.2, 7.3 and 10 of RFC 9420: every rule about leaves, credentials and key packages, broken once.

A broken leaf is tried wherever it could come in: in an Add inline and by reference, in an Update, in a commit's path.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from conclave.crypto.suite import SUITES
from conclave.errors import Refused, StorageError, VerificationError
from conclave.mls import group
from conclave.mls.credentials import BASIC, X509, Credential
from conclave.mls.extensions import Extension, ExternalSender, RequiredCapabilities, external_senders_extension
from conclave.mls.keypackage import KeyPackage, OwnKeyPackage
from conclave.mls.leafnode import LeafNode, Source
from conclave.mls.message import encode_message
from conclave.mls.proposals import Add, GroupContextExtensions, Update
from conclave.mls.rules import RuleError
from conclave.mls.treekem import UpdatePath
from conclave.values import replace
from tests.mls.forge import RANDOM, forge_commit, forge_proposal, refused
from tests.mls.world import LIFETIME, NOW, World, resigned, trusting

Change = Callable[[LeafNode], LeafNode]


@pytest.fixture
def trio() -> World:
    return World.of("ayse", "burak", "cem")


def add_refused(rule: str, world: World, package: KeyPackage, **arguments: object) -> None:
    """An Add of this key package is refused, inline and by reference."""
    refused(rule, world, "burak", forge_commit(world["ayse"], [Add(package)]), **arguments)
    world.states = dict(world.states)
    by_reference(rule, world, Add(package), **arguments)


def by_reference(rule: str, world: World, proposal: Add | Update, **arguments: object) -> None:
    """A proposal of cem's is taken in, and refused once ayse commits it."""
    message = forge_proposal(world["cem"], proposal)
    for name in ("ayse", "burak"):
        world.process(name, message)
    (reference,) = world["ayse"].held
    refused(rule, world, "burak", forge_commit(world["ayse"], [reference]), **arguments)


def changed_package(world: World, change: Change) -> KeyPackage:
    own = world.package("deniz")
    return resigned(replace(own.package, leaf=change(own.package.leaf)), own)


def changed_update(world: World, change: Change) -> Update:
    """Cem's own leaf, changed and signed for an Update."""
    state = world["cem"]
    private = world.suite.kem.derive(RANDOM(32))
    leaf = replace(
        state.epoch.leaf(state.epoch.me),
        encryption_key=world.suite.kem.public(private),
        source=Source.UPDATE,
        lifetime=(0, 0),
    )
    return Update(change(leaf).sign(world.suite, state.epoch.signature_key, b"ward-7", state.epoch.me))


def changed_path(world: World, change: Change, name: str = "ayse") -> bytes:
    """A commit whose path has a changed leaf, signed."""
    state = world[name]

    def edit(path: UpdatePath) -> UpdatePath:
        leaf = change(path.leaf).sign(world.suite, state.epoch.signature_key, b"ward-7", state.epoch.me)
        return replace(path, leaf=leaf)

    return forge_commit(state, edit_path=edit)


def leaf_refused(rule: str, change: Change) -> None:
    """A change to a leaf is refused wherever the leaf comes in."""
    world = World.of("ayse", "burak", "cem")
    add_refused(rule, world, changed_package(world, change))
    world = World.of("ayse", "burak", "cem")
    by_reference(rule, world, changed_update(world, change))
    refused(rule, world, "burak", changed_path(world, change))


def without_own_credential(leaf: LeafNode) -> LeafNode:
    return replace(leaf, capabilities=replace(leaf.capabilities, credentials=(X509,)))


def test_7_2_own_credential() -> None:
    leaf_refused("7.2-own-credential", without_own_credential)


def test_what_everyone_has_may_be_required(trio: World) -> None:
    """The default proposals and extensions need no listing in a leaf (RFC 9420 section 7.2)."""
    required = RequiredCapabilities(extensions=(1, 2, 3, 4, 5), proposals=tuple(range(1, 8)), credentials=(BASIC,))
    trio.commit("ayse", [GroupContextExtensions((required.extension(),))])
    trio.add("burak", "deniz")
    trio.agree()


def test_7_3_leaf_extensions() -> None:
    leaf_refused("7.3-leaf-extensions", lambda leaf: replace(leaf, extensions=(Extension(0xF00D, b""),)))


def test_11_1_version() -> None:
    leaf_refused("11.1-version", lambda leaf: replace(leaf, capabilities=replace(leaf.capabilities, versions=(2,))))


def test_11_1_suite() -> None:
    leaf_refused(
        "11.1-suite", lambda leaf: replace(leaf, capabilities=replace(leaf.capabilities, cipher_suites=(2,)))
    )


@pytest.mark.parametrize(
    "key", [b"", b"\x01" * 31, bytes(32), (1).to_bytes(32, "little")], ids=["none", "short", "0", "1"]
)
def test_10_leaf_keys(key: bytes) -> None:
    leaf_refused("10-leaf-keys", lambda leaf: replace(leaf, encryption_key=key))


def test_7_3_leaf_signature(trio: World) -> None:
    """An Add whose signatures are all zero, and leaves signed for another group or place, are refused."""
    own = trio.package("deniz")
    zero = replace(own.package, leaf=replace(own.package.leaf, signature=bytes(64)))
    add_refused("7.3-leaf-signature", trio, zero.sign(trio.suite, own.signature_key))
    trio = World.of("ayse", "burak", "cem")
    cem = trio["cem"]
    leaf = changed_update(trio, lambda leaf: leaf).leaf
    elsewhere = leaf.sign(trio.suite, cem.epoch.signature_key, b"ward-8", cem.epoch.me)
    by_reference("7.3-leaf-signature", trio, Update(elsewhere))
    ayse = trio["ayse"].epoch

    def sign_elsewhere(path: UpdatePath) -> UpdatePath:
        return replace(path, leaf=path.leaf.sign(trio.suite, ayse.signature_key, b"ward-7", 1))

    refused("7.3-leaf-signature", trio, "burak", forge_commit(trio["ayse"], edit_path=sign_elsewhere))


def test_10_1_package_signature(trio: World) -> None:
    package = trio.package("deniz").package
    add_refused("10.1-package-signature", trio, replace(package, signature=bytes(64)))


def test_7_3_leaf_source(trio: World) -> None:
    own = trio.package("deniz")
    from_update = resigned(replace(own.package, leaf=replace(own.package.leaf, source=Source.UPDATE)), own)
    add_refused("7.3-leaf-source", trio, from_update)
    trio = World.of("ayse", "burak", "cem")
    by_reference("7.3-leaf-source", trio, changed_update(trio, lambda leaf: replace(leaf, source=Source.COMMIT)))
    refused("7.3-leaf-source", trio, "burak", changed_path(trio, lambda leaf: replace(leaf, source=Source.UPDATE)))


def test_7_3_lifetime(trio: World) -> None:
    for lifetime in ((int(NOW) - 20, int(NOW) - 10), (int(NOW) + 10, int(NOW) + 20)):
        world = World.of("ayse", "burak", "cem")
        add_refused("7.3-lifetime", world, world.package("deniz", lifetime=lifetime).package)


def test_7_2_max_lifetime(trio: World) -> None:
    package = trio.package("deniz", lifetime=(0, (1 << 64) - 1)).package
    add_refused("7.2-max-lifetime", trio, package)


def test_7_3_required_capabilities() -> None:
    required = RequiredCapabilities(extensions=(0xF00D,)).extension()
    with pytest.raises(RuleError) as caught:
        World.of("ayse", extensions=(required,))
    assert caught.value.rule == "7.3-required-capabilities"
    only_x509 = RequiredCapabilities(credentials=(X509,)).extension()
    a_proposal = RequiredCapabilities(proposals=(0xF00D,)).extension()
    for extension in (required, only_x509, a_proposal):
        world = World.of("ayse", "burak", "cem")
        message = forge_commit(world["ayse"], [GroupContextExtensions((extension,))])
        refused("7.3-required-capabilities", world, "burak", message)


def test_7_3_required_capabilities_of_an_added_member() -> None:
    world = World("required")
    own = world.package("ayse", extensions=(0xF00D,))
    extension = RequiredCapabilities(extensions=(0xF00D,)).extension()
    state = group.create(own, b"ward-7", verify=trusting, now=NOW, random=world.random, extensions=(extension,))
    burak = world.package("burak", extensions=(0xF00D,))
    staged = group.commit(state, [Add(burak.package)], verify=trusting, now=NOW, random=world.random)
    world.states = {
        "ayse": group.merge(state, staged),
        "burak": group.join(staged.welcome, burak, verify=trusting, now=NOW),
    }
    poor = world.package("deniz").package
    refused("7.3-required-capabilities", world, "burak", forge_commit(world["ayse"], [Add(poor)]))
    refused(
        "7.3-required-capabilities",
        world,
        "burak",
        changed_path(world, lambda leaf: replace(leaf, capabilities=replace(leaf.capabilities, extensions=()))),
    )


def test_13_4_group_extensions(trio: World) -> None:
    message = forge_commit(trio["ayse"], [GroupContextExtensions((Extension(0xF00D, b""),))])
    refused("13.4-group-extensions", trio, "burak", message)


def test_13_4_extension_once(trio: World) -> None:
    twice = (Extension(0xF00D, b"1"), Extension(0xF00D, b"2"))
    own = trio.package("deniz", extensions=(0xF00D,))
    package = resigned(replace(own.package, leaf=replace(own.package.leaf, extensions=twice)), own)
    with pytest.raises(RuleError) as caught:
        group.read_key_package(encode_message(package))
    assert caught.value.rule == "13.4-extension-once"
    trio.relax(private_handshakes=False)
    refused(
        "13.4-extension-once", trio, "burak", forge_commit(trio["ayse"], [GroupContextExtensions(twice)], public=True)
    )


def test_7_3_unique_signature_key(trio: World) -> None:
    """Two members cannot have one signature key: by Update, or in a path."""
    cem, burak = trio["cem"].epoch, trio["burak"].epoch
    stolen = burak.leaf(burak.me).signature_key
    leaf = replace(changed_update(trio, lambda leaf: leaf).leaf, signature_key=stolen)
    signed = leaf.sign(trio.suite, burak.signature_key, b"ward-7", cem.me)
    by_reference("7.3-unique-signature-key", trio, Update(signed))


def test_7_3_unique_encryption_key(trio: World) -> None:
    burak = trio["burak"].epoch
    taken = burak.leaf(burak.me).encryption_key
    add_refused(
        "7.3-unique-encryption-key", trio, changed_package(trio, lambda leaf: replace(leaf, encryption_key=taken))
    )
    trio = World.of("ayse", "burak", "cem")
    taken = trio["burak"].epoch.leaf(1).encryption_key
    by_reference(
        "7.3-unique-encryption-key", trio, changed_update(trio, lambda leaf: replace(leaf, encryption_key=taken))
    )


def test_7_3_credential_types(trio: World) -> None:
    """A newcomer's credential type must be understood by all, and it must understand theirs."""
    own, certificate = x509_package(trio, "deniz")
    add_refused("7.3-credential-types", trio, own.package)
    assert certificate


def test_7_3_update_key_fresh(trio: World) -> None:
    old = trio["cem"].epoch.leaf(2).encryption_key
    by_reference("7.3-update-key-fresh", trio, changed_update(trio, lambda leaf: replace(leaf, encryption_key=old)))


# --- credentials ---


def certificate_for(public: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey, name: str) -> bytes:
    issuer = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(public)
    made = made.serial_number(1).not_valid_before(start).not_valid_after(start + dt.timedelta(days=9))
    return made.sign(issuer, hashes.SHA256()).public_bytes(Encoding.DER)


def x509_package(world: World, name: str, *, other_key: bool = False) -> tuple[OwnKeyPackage, bytes]:
    key = RANDOM(32)
    held = ed25519.Ed25519PrivateKey.from_private_bytes(RANDOM(32) if other_key else key).public_key()
    certificate = certificate_for(held, name)
    own = OwnKeyPackage.create(world.suite, Credential.x509((certificate,)), key, LIFETIME, RANDOM)
    return own, certificate


def test_5_3_certificate_key(trio: World) -> None:
    """A leaf's signature key is its certificate's key, or the leaf is nobody's."""
    add_refused("5.3-certificate-key", trio, x509_package(trio, "deniz", other_key=True)[0].package)


def test_5_3_certificate_readable(trio: World) -> None:
    own = OwnKeyPackage.create(trio.suite, Credential.x509((b"no certificate",)), RANDOM(32), LIFETIME, RANDOM)
    add_refused("5.3-certificate-readable", trio, own.package)


def suspicious(credential: Credential, signature_key: bytes, now: float) -> bytes:
    if credential.identity in (b"deniz", b"intruder"):
        raise VerificationError("no such person")
    return trusting(credential, signature_key, now)


def test_5_3_1_credential(trio: World) -> None:
    """Every new credential is shown to the authentication service: Add, Update, commit, external sender."""
    add_refused("5.3.1-credential", trio, trio.package("deniz").package, verify=suspicious)
    trio = World.of("ayse", "burak", "cem")
    intruder = Credential.basic(b"intruder")
    by_reference(
        "5.3.1-credential",
        trio,
        changed_update(trio, lambda leaf: replace(leaf, credential=intruder)),
        verify=suspicious,
    )
    path = changed_path(trio, lambda leaf: replace(leaf, credential=intruder))
    refused("5.3.1-credential", trio, "burak", path, verify=suspicious)
    outsider = external_senders_extension((ExternalSender(bytes(32), intruder),))
    message = forge_commit(trio["ayse"], [GroupContextExtensions((outsider,))])
    refused("5.3.1-credential", trio, "burak", message, verify=suspicious)


def test_5_3_1_credential_that_could_not_be_judged(trio: World) -> None:
    """What fails on our side while a credential is judged is no fault of its member: it passes through as it is."""

    def broken(_: Credential, __: bytes, ___: float) -> bytes:
        raise StorageError("the disk is full")

    message = forge_commit(trio["ayse"], [Add(trio.package("deniz").package)])
    with pytest.raises(StorageError):
        group.process(trio["burak"], message, verify=broken, now=NOW)

    def refusing(_: Credential, __: bytes, ___: float) -> bytes:
        raise Refused("not here", reason="not-a-member")

    refused("5.3.1-credential", trio, "burak", message, verify=refusing)


def test_5_3_1_successor(trio: World) -> None:
    """A member's new credential names the same client."""
    other = Credential.basic(b"deniz")
    by_reference("5.3.1-successor", trio, changed_update(trio, lambda leaf: replace(leaf, credential=other)))
    refused("5.3.1-successor", trio, "burak", changed_path(trio, lambda leaf: replace(leaf, credential=other)))


# --- key packages ---


def test_10_1_version_suite(trio: World) -> None:
    other = World.of("deniz", suite=SUITES[3]).package("deniz")
    add_refused("10.1-version-suite", trio, other.package)
    own = World("v").package("deniz")
    second = replace(own.package, version=2).sign(own.suite, own.signature_key)
    add_refused("10.1-version-suite", World.of("ayse", "burak", "cem"), second)


def test_10_package_version(trio: World) -> None:
    own = trio.package("deniz")
    message = encode_message(replace(own.package, version=2))
    with pytest.raises(RuleError) as caught:
        group.read_key_package(message)
    assert caught.value.rule == "10-package-version"


def test_10_package_extensions(trio: World) -> None:
    own = trio.package("deniz")
    unlisted = replace(own.package, extensions=(Extension(0xF00D, b""),)).sign(own.suite, own.signature_key)
    add_refused("10-package-extensions", trio, unlisted)


def test_10_1_init_key(trio: World) -> None:
    own = trio.package("deniz")
    same = replace(own.package, init_key=own.package.leaf.encryption_key).sign(own.suite, own.signature_key)
    add_refused("10.1-init-key", trio, same)


def test_10_init_key_valid(trio: World) -> None:
    own = trio.package("deniz")
    zero = replace(own.package, init_key=bytes(32)).sign(own.suite, own.signature_key)
    add_refused("10-init-key-valid", trio, zero)


def test_an_x509_group_works() -> None:
    world = World("x509")
    ayse, _ = x509_package(world, "ayse")
    burak, _ = x509_package(world, "burak")
    state = group.create(ayse, b"ward-7", verify=trusting, now=NOW, random=world.random)
    staged = group.commit(state, [Add(burak.package)], verify=trusting, now=NOW, random=world.random)
    joined = group.join(staged.welcome, burak, verify=trusting, now=NOW)
    assert joined.epoch.secrets.authenticator == group.merge(state, staged).epoch.secrets.authenticator


def test_grease_is_sent_and_ignored(trio: World) -> None:
    leaf = trio.package("deniz").package.leaf
    assert any(value % 0x1010 == 0x0A0A for value in leaf.capabilities.extensions)
    assert BASIC in leaf.capabilities.credentials
    assert all(len(values) > 0 for values in (leaf.capabilities.proposals, leaf.capabilities.cipher_suites))
    trio.add("ayse", "deniz")
    trio.agree()
