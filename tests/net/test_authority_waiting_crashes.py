"""The authority killed over what waits for people: nothing answered is lost, and nothing is given twice."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from conclave.authority.accounts import invite
from conclave.authority.enrolment import Enrolment
from conclave.authority.settings import AuthoritySettings
from conclave.cli.office import init, open_office
from conclave.errors import NetworkError
from conclave.net.authority_client import AuthorityClient
from conclave.pki.address import Address
from conclave.pki.certificate import read_certificate
from conclave.pki.credentials import Credentials
from conclave.pki.keys import generate_device_key
from conclave.pki.names import Handle
from conclave.pki.profile import Profile
from conclave.pki.request import build_request, read_request
from conclave.pki.trust import Trust
from tests.authority.desk import CONSOLE, HERE
from tests.net.authority_process import killed, process

T = TypeVar("T")
AYSE, BURAK = Handle("ayse"), Handle("burak")
POINTS = pytest.mark.parametrize("point", ["before-commit", "after-commit"])


class Place:
    """An authority's folder, and two members of it."""

    def __init__(self, home: Path) -> None:
        init(home, "Ward 7", "", "passphrase", time.time())
        self.home = home
        with open_office(home) as office:
            self.trust: Trust = office.trust
            issuer = office.issuer("passphrase")
            enrolment = Enrolment(office.store, issuer, AuthoritySettings())
            self.credentials: dict[Handle, Credentials] = {}
            for handle in (AYSE, BURAK):
                token, key = os.urandom(16), generate_device_key(Profile.TLS)
                invite(office.store, handle, "", token, time.time(), 600, CONSOLE).result()
                request = read_request(build_request(key, handle), Profile.TLS)
                issued = enrolment.by_token(request, handle, token, time.time(), HERE).result()
                self.credentials[handle] = Credentials(key, read_certificate(issued.der), issuer.chain)

    def ask(self, port: int, who: Handle, call: Callable[[AuthorityClient], Awaitable[T]]) -> T:
        async def asking() -> T:
            address = Address("127.0.0.1", port)
            async with AuthorityClient([address], self.trust, self.credentials[who]) as client:
                return await call(client)

        return asyncio.run(asking())

    def killed(
        self, point: str, step: str, who: Handle, call: Callable[[AuthorityClient], Awaitable[object]]
    ) -> None:
        """The server dies over a call."""
        with process(self.home, point, step) as (running, port):
            with pytest.raises(NetworkError):
                self.ask(port, who, call)
            assert killed(running)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def publish(client: AuthorityClient) -> int:
    return await client.publish_packages([b"one", b"two"], b"last")


async def take(client: AuthorityClient) -> bytes:
    return (await client.take_package(AYSE)).data


async def deposit(client: AuthorityClient) -> int:
    return (await client.deposit(AYSE, b"sealed")).id


async def fetched(client: AuthorityClient) -> list[bytes]:
    return [mail.data for mail in await client.mail()]


async def done(client: AuthorityClient) -> int:
    return await client.mail_done([1])


@POINTS
def test_a_publication_asked_again_is_made_once(place: Place, point: str) -> None:
    place.killed(point, "publication", AYSE, publish)
    with process(place.home) as (_, port):
        assert place.ask(port, AYSE, publish) == 2
        assert [place.ask(port, BURAK, take) for _ in range(3)] == [b"one", b"two", b"last"]


@POINTS
def test_a_key_package_whose_answer_was_lost_is_given_to_nobody_else(place: Place, point: str) -> None:
    with process(place.home) as (_, port):
        place.ask(port, AYSE, publish)
    place.killed(point, "take", BURAK, take)
    with process(place.home) as (_, port):
        given = [place.ask(port, BURAK, take) for _ in range(2)]
        assert given == ([b"one", b"two"] if point == "before-commit" else [b"two", b"last"])
        assert place.ask(port, AYSE, publish) == 0, "and publishing it again brings it not back"


@POINTS
def test_a_deposit_is_there_whole_or_not_at_all(place: Place, point: str) -> None:
    place.killed(point, "deposit", BURAK, deposit)
    with process(place.home) as (_, port):
        assert place.ask(port, AYSE, fetched) == ([] if point == "before-commit" else [b"sealed"])
        place.ask(port, BURAK, deposit)
        assert set(place.ask(port, AYSE, fetched)) == {b"sealed"}, "once more at most, which numbers inside tell"


@POINTS
def test_an_acknowledgement_asked_again_does_no_harm(place: Place, point: str) -> None:
    with process(place.home) as (_, port):
        for _ in range(2):
            place.ask(port, BURAK, deposit)
    place.killed(point, "acknowledgement", AYSE, done)
    with process(place.home) as (_, port):
        assert len(place.ask(port, AYSE, fetched)) == (2 if point == "before-commit" else 1)
        assert place.ask(port, AYSE, done) == 1
        assert place.ask(port, AYSE, fetched) == [b"sealed"]
