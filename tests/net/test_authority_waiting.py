"""What an authority with bad intentions could answer where it is asked for what waits."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

import pytest
from aiohttp import web

from conclave.authority.mailbox import FETCH_BYTES, FETCH_MOST
from conclave.errors import RemoteError
from conclave.net.authority_client import AuthorityClient
from conclave.pki.envelope import SEALED_BYTES
from conclave.pki.names import Handle
from tests.net.test_authority_client import hostile
from tests.pki.ward import Ward, make_ward

AYSE = Handle("ayse")


@pytest.fixture(scope="module")
def ward() -> Ward:
    return make_ward(now=time.time())


def envelope(id_: object = 1, sender: object = "burak", at: object = 1, data: object = "eA==") -> dict[str, object]:
    return {"id": id_, "sender": sender, "at": at, "data": data}


def b64(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


async def asked(ward: Ward, answer: object, call: Callable[[AuthorityClient], object]) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text=answer if isinstance(answer, str) else json.dumps(answer))

    async with hostile(ward, handler) as client:
        await call(client)  # type: ignore[misc]


@pytest.mark.parametrize(
    "answer",
    ["", "[]", "{", "[" * 5000, {"mail": 1}, {"mail": [1]}, {"mail": None}, {}]
    + [
        {"mail": [each]}
        for each in (
            envelope("1"), envelope(0), envelope(-1), envelope(1 << 63), envelope(True), envelope(1.0),
            envelope(sender="A b"), envelope(sender=7), envelope(at="x"), envelope(at=-1), envelope(data="!"),
            envelope(data=7), envelope(data=b64(SEALED_BYTES + 1)),
        )
    ]
    + [{"mail": [envelope(2), envelope(2)]}, {"mail": [envelope(3), envelope(2)]}]
    + [{"mail": [envelope(n + 1) for n in range(FETCH_MOST + 1)]}]
    + [{"mail": [], "x": "y" * (FETCH_BYTES * 4)}],
)  # fmt: skip
async def test_mail_that_makes_no_sense(ward: Ward, answer: object) -> None:
    with pytest.raises(RemoteError):
        await asked(ward, answer, lambda client: client.mail())


@pytest.mark.parametrize(
    "answer", ["", "[]", {}, {"package": 7}, {"package": "!"}, {"package": b64(40_000)}, {"package": None}]
)
async def test_packages_that_make_no_sense(ward: Ward, answer: object) -> None:
    for call in (lambda client: client.take_package(AYSE), lambda client: client.last_package(AYSE)):
        with pytest.raises(RemoteError):
            await asked(ward, answer, call)


@pytest.mark.parametrize(
    "answer", ["", "[]", {"count": -1, "id": -1}, {"count": "1", "id": "1"}, {"count": 1e9, "id": 1.0}]
)
async def test_counts_that_make_no_sense(ward: Ward, answer: object) -> None:
    calls: tuple[Callable[[AuthorityClient], object], ...] = (
        lambda client: client.publish_packages([b"x"]),
        lambda client: client.mail_done([1]),
        lambda client: client.deposit(AYSE, b"x"),
    )
    for call in calls:
        with pytest.raises(RemoteError):
            await asked(ward, answer, call)
