"""An authority without a network, for tests: a realm, a store on a real disk, and people who ask."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conclave.authority.accounts import invite
from conclave.authority.audit import Actor
from conclave.authority.enrolment import Enrolment
from conclave.authority.members import Member
from conclave.authority.records import OPERATOR
from conclave.authority.settings import AuthoritySettings
from conclave.pki.keys import PrivateKey, generate_device_key
from conclave.pki.names import Handle
from conclave.pki.profile import Profile
from conclave.pki.request import ProvenRequest, build_request, read_request
from conclave.store.authority import AuthorityStore
from tests.pki.ward import NOW, Ward, make_ward, rsa_key

CONSOLE = Actor(OPERATOR, "console:test")
HERE = "192.0.2.7"


@dataclass
class Desk:
    """What a test needs to play operator and people."""

    ward: Ward
    store: AuthorityStore
    enrolment: Enrolment

    def invite(self, handle: str, token: bytes = b"t" * 16, *, now: float = NOW, valid: float = 3600) -> bytes:
        """Invite somebody; the token."""
        invite(self.store, Handle(handle), "", token, now, valid, CONSOLE).result()
        return token

    def log(self) -> list[tuple[str, str, str]]:
        """Who, what, and how it ended, of every row."""
        return [(row.who, row.action, row.outcome) for row in self.store.reads.audit(0, 10_000)]


def ask(
    handle: str = "", profile: Profile = Profile.TLS, key: PrivateKey | None = None, challenge: str = ""
) -> ProvenRequest:
    """A request as it is read from the wire; ``handle`` is what it claims."""
    own = key or (rsa_key() if profile is Profile.CLASSIC else generate_device_key(profile))
    return read_request(build_request(own, Handle(handle or "nobody"), challenge), profile)


@contextmanager
def open_desk(folder: Path, settings: AuthoritySettings | None = None) -> Iterator[Desk]:
    """An authority in a folder."""
    ward = make_ward()
    store = AuthorityStore(folder / "authority.db")
    try:
        yield Desk(ward, store, Enrolment(store, ward.issuing, settings or AuthoritySettings()))
    finally:
        store.close()


def join(desk: Desk, handle: str, *, now: float = NOW) -> Member:
    """Enrol a device for ``tls``: who asks from now on."""
    token = desk.invite(handle, os.urandom(16), now=now)
    issued = desk.enrolment.by_token(ask(handle), handle, token, now, HERE).result()
    return Member(issued.handle, issued.device, issued.serial, "")
