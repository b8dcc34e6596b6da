"""The same work in the other packages of the index that can do it, where ``./run interop`` has installed them.

``rfc9420`` is Python; it is brought in by our Welcome, for groups of its own it makes with key packages that it alone
reads. Its commits with a path are wrong (``tests/mls/test_interop.py``), so they are not timed. ``mls_rs_uniffi`` is
a binding of mls-rs, compiled Rust; it is measured in groups of its own. Neither gives its state as a blob.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from time import process_time
from typing import Any

from benchmarks._mls_groups import GROUP, NOW, commit, packages, trusting
from conclave.crypto.suite import CLASSICAL
from conclave.mls import group
from conclave.mls.limits import Policy

WORDS = bytes(200)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What came of it, and the seconds it took."""
    start = process_time()
    found = work()
    return found, process_time() - start


def present(name: str) -> Any:
    """The package, or None."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None


def python(size: int, count: int) -> dict[str, float]:
    """What ``rfc9420`` takes, in seconds, by what it is."""
    other = present("rfc9420")
    if other is None:
        return {}
    read_welcome = importlib.import_module("rfc9420.messages.data_structures").Welcome.deserialize
    read_package = importlib.import_module("rfc9420.messages.key_packages").KeyPackage.deserialize
    messages = importlib.import_module("rfc9420.messages.messages")
    first, *others = packages(CLASSICAL, size)
    policy = Policy(private_handshakes=False)
    state = group.create(first, GROUP, verify=trusting, now=NOW, random=os.urandom, policy=policy)
    staged = commit(state, others)
    handshake = commit(group.merge(state, staged), []).message

    def join(at: int) -> Any:
        return other.ProtocolMLSGroup.from_welcome(
            read_welcome(staged.welcome[4:]),
            others[at].init_key,
            other.DefaultCryptoProvider(suite_id=1),
            key_package=read_package(others[at].package.encode()),
            encryption_private_key=others[at].encryption_key,
        )

    one, joined = timed(lambda: join(0))
    two = join(1)
    _, followed = timed(lambda: one.process_commit(messages.MLSPlaintext.deserialize(handshake[4:]), 0))
    two.process_commit(messages.MLSPlaintext.deserialize(handshake[4:]), 0)
    key = others[0].signature_key
    sent, protected = timed(lambda: [one.protect(WORDS, key).serialize() for _ in range(count)])
    _, opened = timed(lambda: [two.unprotect(messages.MLSCiphertext.deserialize(each)) for each in sent])
    return {
        "protect 200 B": protected / count,
        "open 200 B": opened / count,
        "join by its Welcome": joined,
        "process a commit, flat": followed,
    }


def rust(size: int, count: int) -> dict[str, float]:
    """What ``mls_rs_uniffi`` takes, in seconds, by what it is."""
    other = present("mls_rs_uniffi")
    if other is None:
        return {}

    def client(number: int) -> Any:
        keys = other.generate_signature_keypair(other.CipherSuite.CURVE25519_AES128)
        return other.Client(str(number).encode(), keys, other.client_config_default())

    clients = [client(number) for number in range(size)]
    offers = [each.generate_key_package_message() for each in clients[1:]]
    ours = clients[0].create_group(GROUP)
    made, adding = timed(lambda: ours.add_members(offers))
    ours.process_incoming_message(made.commit_message)
    theirs, joining = timed(lambda: clients[1].join_group(None, made.welcome_message).group)
    flat, committing = timed(ours.commit)
    _, following = timed(lambda: theirs.process_incoming_message(flat.commit_message))
    ours.process_incoming_message(flat.commit_message)
    sent, protected = timed(lambda: [ours.encrypt_application_message(WORDS) for _ in range(count)])
    _, opened = timed(lambda: [theirs.process_incoming_message(each) for each in sent])
    return {
        "protect 200 B": protected / count,
        "open 200 B": opened / count,
        "add all in one commit": adding,
        "join by its Welcome": joining,
        "commit with path, flat": committing,
        "process a commit, flat": following,
    }
