"""Becoming somebody: from an invite to a verified certificate in the vault, over the network or by file.

The keys are made and kept *before* the authority is asked, so that a lost answer is harmless: the same invite with
the same keys gets the same certificates. Nothing that was granted is kept before it was verified. An identity that is
there stands until the new one is complete, and history and outbox go on under it. Left out: asking
for passphrases (``cli``), HTTP (``net.authority_enrol``).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from conclave.errors import DecodeError, LocalError, NotReady, Refused, VerificationError
from conclave.net.authority_client import AuthorityClient
from conclave.net.authority_enrol import enrol, fetch_trust
from conclave.node.home.carried import read_carried, write_carried
from conclave.node.identity import keep_trust, read_credentials, read_trust
from conclave.node.paths import prepare_home, vault_path
from conclave.node.process import alone
from conclave.pki.bundle import decode_pem, split_chain
from conclave.pki.certificate import Certificate, moment
from conclave.pki.invite import Invite
from conclave.pki.keys import generate_device_key, read_key
from conclave.pki.names import Handle, parse_handle
from conclave.pki.profile import RULES, Profile
from conclave.pki.request import build_request, request_pem
from conclave.pki.revocation import CRL_BYTES
from conclave.pki.trust import Trust, pin_root
from conclave.pki.verify import VerifiedPeer, verify_peer
from conclave.store import vault as vaults
from conclave.store.vault import DATABASE_KEY_BYTES, OpenVault, VaultContent
from conclave.values import dataclass, replace

STANDARD = (Profile.TLS, Profile.IM)
"""What every device gets; ``classic`` is asked for by name."""
PEM_BYTES = 64 * 1024

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Joined:
    """Who we are now, and the SHA-256 of the root by which that holds."""

    me: VerifiedPeer
    root_sha256: bytes


def join(
    home: Path,
    invite: Invite,
    secret: str,
    passphrase: str,
    profiles: tuple[Profile, ...],
    progress: Progress,
    *,
    again: bool = False,
) -> Joined:
    """Enrol over the network: this home's person for the first time, or again as a new device.

    ``secret`` is the invite's token in base32, or the account's password. ``again``: also where the present
    certificate holds. Raises ``LocalError`` where the home is another person's or realm's, its certificate holds, or
    its node runs; ``Refused`` with the authority's reason, and as ``fetch_trust`` and ``enrol`` do. Whatever is
    raised, who was somebody before still is.
    """
    with _held(home):
        vault = _unlocked(home, invite.handle, invite, passphrase, progress, again=again)
        if not again and _is_new(vault.content, invite):
            _demand_ended(vault.content, invite)
        _begin(vault, invite, profiles, progress)
        return asyncio.run(_join(vault, invite, secret, progress))


async def _join(vault: OpenVault, invite: Invite, secret: str, progress: Progress) -> Joined:
    progress(f"asking the authority at {invite.addresses[0]}")
    trust = await fetch_trust(invite)
    progress("its root is the one that the invite names")
    chains = []
    for kept in _keys(vault.content):
        profile = Profile(kept.name)
        request = build_request(read_key(kept.key, RULES[profile].key), invite.handle)
        chains.append(await enrol(invite.addresses, trust, profile, request, invite.handle, secret))
        progress(f"certificate {kept.name} granted and verified")
    return _finish(vault, trust, chains)


def write_requests(
    home: Path,
    folder: Path,
    handle: Handle,
    invite: Invite | None,
    passphrase: str,
    profiles: tuple[Profile, ...],
    progress: Progress,
    *,
    again: bool = False,
) -> list[Path]:
    """Make keys here and requests in ``folder``, to be carried to the authority. Gives the files.

    With an invite the requests carry its token, by which the authority knows whose they are. Raises as ``join``; but
    whether the authority refuses the present certificate is told by the list that is held alone.
    """
    with _held(home):
        vault = _unlocked(home, handle, invite, passphrase, progress, again=again)
        if not again and _is_new(vault.content, invite) and (until := _holds_until(vault.content)):
            raise _holds(vault.content, until)
        _begin(vault, invite, profiles, progress)
    secret = invite.secret if invite is not None else ""
    written = []
    for kept in _keys(vault.content):
        key = read_key(kept.key, RULES[Profile(kept.name)].key)
        path = folder / f"{kept.name}.csr.pem"
        write_carried(path, request_pem(build_request(key, handle, secret)))
        written.append(path)
    return written


def take_certificates(home: Path, folder: Path, passphrase: str, root_sha256: bytes | None) -> Joined:
    """Take in what the authority wrote: root, issuing CA, one certificate for each key made here, perhaps a CRL.

    The root must be ``root_sha256``, or else the one that is trusted here already, or else the invite's; without any
    of them it is believed as it lies there. Raises ``LocalError`` for a file that is missing, ``VerificationError``
    for one that does not hold.
    """
    with _held(home):
        vault = vaults.unlock(vault_path(home), passphrase)
        content = vault.content
        above = _pem(folder / "root.pem") + _pem(folder / "issuing.pem")
        pinned = root_sha256 or _pin(content) or above[0].fingerprint
        if above[0].fingerprint != pinned:
            raise VerificationError(
                "root.pem has another fingerprint than the root that is wanted: it is another authority's",
                reason="unknown-authority",
                remedy="ask for the files again; to trust another authority from now on: --root-sha256 HEX",
            )
        trust = pin_root(above, pinned)
        crl = folder / "crl.pem"
        if crl.exists():
            trust = trust.with_crl(trust.read_crl(read_carried(crl, CRL_BYTES, remedy=_FILES)))
        chains = []
        for kept in _keys(content):
            profile = Profile(kept.name)
            key = read_key(kept.key, RULES[profile].key)
            leaf, _ = split_chain(_pem(folder / f"{kept.name}.pem"), key.public)
            verify_peer(leaf.der, trust, time.time(), profile, parse_handle(content.handle))
            chains.append((leaf, *(c for c in trust.issuing if c.inner.subject == leaf.inner.issuer)))
        return _finish(vault, trust, chains)


_FILES = "conclave authority sign … --out DIR writes it"
_REFUSED = frozenset({"revoked", "expired", "not-enrolled", "suspended"})
"""With these the authority says that a certificate is not one any more."""


@contextmanager
def _held(home: Path) -> Iterator[None]:
    """Nobody else writes the vault meanwhile: a node that runs would put back what it has read."""
    prepare_home(home)
    with alone(home):
        yield


def _unlocked(
    home: Path, handle: Handle, invite: Invite | None, passphrase: str, progress: Progress, *, again: bool
) -> OpenVault:
    """The home's vault, made where there is none. Raises ``LocalError`` where it is not this person's and realm's.

    ``again``: where nobody was enrolled yet it becomes theirs.
    """
    path = vault_path(home)
    if not path.exists():
        vault = vaults.create(path, passphrase, _fresh(handle))
        progress("key pairs made; the private ones stay here, under your passphrase")
        return vault
    vault = vaults.unlock(path, passphrase)
    content = vault.content
    other = "one home for each person and authority: conclave --home DIR join …"
    if content.handle != handle and not content.trust.root and again:
        vault.rewrite(replace(_fresh(handle), database_key=content.database_key))
    elif content.handle != handle:
        other += "" if content.trust.root else "; or with --again this one: nobody was enrolled in it yet"
        who = f"{content.handle}@{content.realm}" if content.realm else content.handle
        raise NotReady(f"{home} is the home of {who}, not of {handle}", remedy=other)
    if invite is not None and content.trust.root and invite.root_sha256 != _pin(content):
        raise NotReady(f"{home} trusts another authority of {content.realm} than the invite names", remedy=other)
    return vault


def _begin(vault: OpenVault, invite: Invite | None, profiles: tuple[Profile, ...], progress: Progress) -> None:
    """Keep keys for ``profiles`` as pending: those of an attempt with the same invite, or new ones.

    A key that the authority knows as one device's cannot become another's, so another invite needs other keys.
    """
    content, held = vault.content, dict[str, vaults.Profile]()
    if content.pending is not None and not _is_new(content, invite):
        progress("going on with the keys of the last attempt")
        held = {kept.name: kept for kept in content.pending.profiles}
    elif content.trust.root:
        progress("new key pairs made; history and outbox stay")
    names = dict.fromkeys([*(p.value for p in profiles), *(kept.name for kept in content.profiles)])
    keys = tuple(held.get(n) or vaults.Profile(n, generate_device_key(Profile(n)).der()) for n in names)
    if invite is None:
        pending = vaults.Pending(b"", b"", content.authorities, keys)
    else:
        addresses = tuple(str(address) for address in invite.addresses)
        pending = vaults.Pending(_mark(invite), invite.root_sha256, addresses, keys)
    vault.rewrite(replace(content, pending=pending))


def _mark(invite: Invite | None) -> bytes:
    """What tells an invite from another, and does not tell its token."""
    return b"" if invite is None else hashlib.sha256(invite.root_sha256 + (invite.token or b"")).digest()


def _is_new(content: VaultContent, invite: Invite | None) -> bool:
    return content.pending is None or content.pending.invite != _mark(invite)


def _keys(content: VaultContent) -> tuple[vaults.Profile, ...]:
    """What certificates are asked for: of the enrolment under way, or those that are held."""
    return content.profiles if content.pending is None else content.pending.profiles


def _pin(content: VaultContent) -> bytes:
    """The fingerprint of the root that is trusted here or that the invite named, or empty."""
    if content.trust.root:
        return read_trust(content.trust).root.fingerprint
    return content.pending.root if content.pending is not None else b""


def _demand_ended(content: VaultContent, invite: Invite) -> None:
    """Assert that the present certificate is of no use any more, as the authority sees it. Raises ``LocalError``."""
    until = _holds_until(content)
    if not until:
        return
    trust, tls = read_trust(content.trust), content.profile(Profile.TLS.value)

    async def asked() -> None:
        async with AuthorityClient(invite.addresses, trust, read_credentials(tls)) as client:
            await client.look_up(parse_handle(content.handle))

    try:
        asyncio.run(asked())
    except Refused as refused:
        if refused.reason not in _REFUSED:
            raise
    else:
        raise _holds(content, until)


def _holds_until(content: VaultContent) -> float:
    """Until when the present certificate holds as far as is known here, or 0."""
    if not content.profiles:
        return 0
    leaf = content.profile(Profile.TLS.value).chain[0]
    try:
        return verify_peer(leaf, read_trust(content.trust), time.time(), Profile.TLS).not_after
    except VerificationError as error:
        if error.reason not in _REFUSED:
            raise
        return 0


def _holds(content: VaultContent, until: float) -> LocalError:
    return LocalError(
        f"{content.handle}@{content.realm} is enrolled here, as device {content.device} until {moment(until)}",
        remedy="nothing needs to be done; to replace keys and certificate all the same: join --again",
    )


def _fresh(handle: Handle) -> VaultContent:
    return VaultContent(
        database_key=os.urandom(DATABASE_KEY_BYTES),
        handle=handle,
        realm="",
        device="",
        authorities=(),
        profiles=(),
        trust=vaults.Trust(b"", b""),
    )


def _finish(vault: OpenVault, trust: Trust, chains: list[tuple[Certificate, ...]]) -> Joined:
    """Replace who we were by who we are, at once."""
    content = vault.content
    profiles = tuple(
        replace(kept, chain=tuple(certificate.der for certificate in chain))
        for kept, chain in zip(_keys(content), chains, strict=True)
    )
    if content.trust.crl:
        with suppress(VerificationError):  # that of an issuing authority which another has replaced
            trust = trust.with_crl(trust.read_crl(content.trust.crl))
    me = verify_peer(profiles[0].chain[0], trust, time.time(), Profile(profiles[0].name))
    kept = keep_trust(trust)
    read_trust(kept)
    authorities = content.authorities if content.pending is None else content.pending.authorities
    vault.rewrite(
        replace(
            content,
            realm=trust.realm,
            device=me.device,
            authorities=authorities,
            profiles=profiles,
            trust=kept,
            pending=None,
        )
    )
    return Joined(me, trust.root.fingerprint)


def _pem(path: Path) -> tuple[Certificate, ...]:
    try:
        return decode_pem(read_carried(path, PEM_BYTES, remedy=_FILES))
    except DecodeError as error:
        raise VerificationError(f"{path.name}: {error}", remedy="ask the authority for the files again") from error
