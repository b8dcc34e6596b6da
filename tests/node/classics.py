"""Homes with a classic certificate, and nodes with the classic suite switched on."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from pathlib import Path

from conclave.classic.limits import ClassicLimits
from conclave.node.classic import commands as ask
from conclave.node.classic.pump import Classic
from conclave.node.paths import vault_path
from conclave.pki.credentials import Credentials
from conclave.pki.keys import PrivateKey, generate_key
from conclave.pki.profile import KeyKind, Profile
from conclave.store import vault as vaults
from conclave.values import replace
from tests.node.homes import PASSPHRASE, Running, make_home, realm, running
from tests.pki.ward import Ward


@cache
def rsa_key(handle: str) -> PrivateKey:
    return generate_key(KeyKind.RSA, 2048)


def classic_home(home: Path, handle: str, *, ward: Ward | None = None, enrolled: float = 0.0) -> Credentials:
    """As ``make_home``, with a classic certificate too, whose credentials are given."""
    ward = ward or realm()
    make_home(home, handle, ward=ward, enrolled=enrolled)
    held = ward.enrol(handle, Profile.CLASSIC, now=time.time() + enrolled, key=rsa_key(handle))
    vault = vaults.unlock(vault_path(home), PASSPHRASE)
    chain = tuple(c.der for c in (held.certificate, *held.above))
    profiles = (*vault.content.profiles, vaults.Profile("classic", held.key.der(), chain))
    vault.rewrite(replace(vault.content, profiles=profiles))
    return held


def classic_of(one: Running) -> Classic:
    assert one.node.classic is not None
    return one.node.classic


def classic_texts(one: Running, conversation: str, sender: str | None = None) -> list[str]:
    lines = one.store.lines(f"legacy:{conversation}", limit=10_000)
    return [s.line.text for s in lines if s.line.kind.value == "text" and sender in (None, s.line.sender)]


def classic_notices(one: Running, conversation: str) -> list[str]:
    lines = one.store.lines(f"legacy:{conversation}", limit=10_000)
    return [s.line.text for s in lines if s.line.kind.value == "notice"]


def asking(one: Running) -> list[str]:
    return [call.peer for call in classic_of(one).desk.calls.values() if call.stage.name == "ASKING"]


@asynccontextmanager
async def people(folder: Path, *handles: str, classic: ClassicLimits | None = None) -> AsyncIterator[list[Running]]:
    """Nodes of these people, with the suite on, each knowing where the others listen."""
    async with AsyncExitStack() as stack:
        ran = []
        for handle in handles:
            if not vault_path(folder / handle).exists():
                classic_home(folder / handle, handle)
            ran.append(
                await stack.enter_async_context(running(folder / handle, kinds="tls,classic", classic=classic))
            )
        for one in ran:
            classic_of(one).hints.update({other.me: other.address for other in ran if other is not one})
        yield ran


async def accept(one: Running, peer: str) -> None:
    await one.until(lambda: peer in asking(one))
    await one.serve(ask.ClassicAnswer(peer, accept=True))


async def befriend_classic(one: Running, other: Running) -> None:
    """An open legacy link that ``one`` dialled."""
    await one.serve(ask.ClassicSay(f"@{other.me}", "may I?"))
    await accept(other, one.me)
    await other.until(lambda: classic_texts(other, f"@{one.me}") == ["may I?"])
