"""Becoming somebody: from an invite to a verified certificate in the vault, over the network or by file.

The keys are made and kept *before* the authority is asked, so that a lost answer is harmless: the same invite with
the same keys gets the same certificates. Nothing that was granted is kept before it was verified. Left out: asking
for passphrases (``cli``), HTTP (``net.authority_enrol``).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from conclave.errors import DecodeError, LocalError, VerificationError
from conclave.net.authority_enrol import enrol, fetch_trust
from conclave.node.carried import read_carried, write_carried
from conclave.node.identity import keep_trust, read_trust
from conclave.node.paths import prepare_home, vault_path
from conclave.pki.bundle import decode_pem, split_chain
from conclave.pki.certificate import Certificate
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

STANDARD = (Profile.TLS, Profile.IM)
"""What every device gets; ``classic`` is asked for by name."""
PEM_BYTES = 64 * 1024

Progress = Callable[[str], None]


def join(
    home: Path, invite: Invite, secret: str, passphrase: str, profiles: tuple[Profile, ...], progress: Progress
) -> VerifiedPeer:
    """Enrol over the network. Gives who we are now.

    ``secret`` is the invite's token in base32, or the account's password. Raises ``LocalError`` where somebody is
    enrolled in ``home`` already, ``Refused`` with the authority's reason, and as ``fetch_trust`` and ``enrol`` do.
    """
    vault = _begin(home, invite.handle, invite, passphrase, profiles, progress)
    return asyncio.run(_join(vault, invite, secret, progress))


async def _join(vault: OpenVault, invite: Invite, secret: str, progress: Progress) -> VerifiedPeer:
    progress(f"asking the authority at {invite.addresses[0]}")
    trust = await fetch_trust(invite)
    progress("its root is the one that the invite names")
    chains = []
    for kept in vault.content.profiles:
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
) -> list[Path]:
    """Make keys here and requests in ``folder``, to be carried to the authority. Gives the files.

    With an invite the requests carry its token, by which the authority knows whose they are.
    """
    vault = _begin(home, handle, invite, passphrase, profiles, progress)
    secret = invite.secret if invite is not None else ""
    written = []
    for kept in vault.content.profiles:
        key = read_key(kept.key, RULES[Profile(kept.name)].key)
        path = folder / f"{kept.name}.csr.pem"
        write_carried(path, request_pem(build_request(key, handle, secret)))
        written.append(path)
    return written


def take_certificates(home: Path, folder: Path, passphrase: str, root_sha256: bytes | None) -> VerifiedPeer:
    """Take in what the authority wrote: root, issuing CA, one certificate for each key made here, perhaps a CRL.

    The root must have the invite's fingerprint, or ``root_sha256``; without either it is believed as it lies there.
    Raises ``LocalError`` for a file that is missing, ``VerificationError`` for one that does not hold.
    """
    vault = vaults.unlock(vault_path(home), passphrase)
    content = vault.content
    above = _pem(folder / "root.pem") + _pem(folder / "issuing.pem")
    pinned = root_sha256 or (content.trust.root if len(content.trust.root) == _PIN_BYTES else b"")
    trust = pin_root(above, pinned or above[0].fingerprint)
    crl = folder / "crl.pem"
    if crl.exists():
        trust = trust.with_crl(trust.read_crl(read_carried(crl, CRL_BYTES, remedy=_FILES)))
    chains = []
    for kept in content.profiles:
        profile = Profile(kept.name)
        key = read_key(kept.key, RULES[profile].key)
        leaf, _ = split_chain(_pem(folder / f"{kept.name}.pem"), key.public)
        verify_peer(leaf.der, trust, time.time(), profile, parse_handle(content.handle))
        chains.append((leaf, *(c for c in trust.issuing if c.inner.subject == leaf.inner.issuer)))
    return _finish(vault, trust, chains)


_FILES = "conclave authority sign … --out DIR writes it"
_PIN_BYTES = 32  # before the root itself is known, the vault holds its fingerprint in its place


def _begin(
    home: Path,
    handle: Handle,
    invite: Invite | None,
    passphrase: str,
    profiles: tuple[Profile, ...],
    progress: Progress,
) -> OpenVault:
    """The vault with keys for ``profiles``: made now, or by an earlier attempt that was not finished."""
    prepare_home(home)
    path = vault_path(home)
    if path.exists():
        vault = vaults.unlock(path, passphrase)
        content = vault.content
        if content.handle != handle or any(profile.chain for profile in content.profiles):
            raise LocalError(
                f"{content.handle}@{content.realm} is enrolled in {home} already",
                remedy="one home for each person: conclave --home DIR join …",
            )
        progress("going on with the keys of the last attempt")
    else:
        vault = vaults.create(path, passphrase, _fresh(handle))
        progress("key pairs made; the private ones stay here, under your passphrase")
    held = {kept.name: kept for kept in vault.content.profiles}
    keys = tuple(
        held.get(p.value) or vaults.Profile(p.value, generate_device_key(p).der()) for p in profiles
    )  # fmt: skip
    content = replace(vault.content, profiles=keys)
    if invite is not None:
        pin = vaults.Trust(invite.root_sha256, b"")
        addresses = tuple(str(address) for address in invite.addresses)
        content = replace(content, realm=invite.realm, authorities=addresses, trust=pin)
    vault.rewrite(content)
    return vault


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


def _finish(vault: OpenVault, trust: Trust, chains: list[tuple[Certificate, ...]]) -> VerifiedPeer:
    content = vault.content
    profiles = tuple(
        replace(kept, chain=tuple(certificate.der for certificate in chain))
        for kept, chain in zip(content.profiles, chains, strict=True)
    )
    me = verify_peer(profiles[0].chain[0], trust, time.time(), Profile(profiles[0].name))
    kept = keep_trust(trust)
    vault.rewrite(replace(content, realm=trust.realm, device=me.device, profiles=profiles, trust=kept))
    read_trust(kept)
    return me


def _pem(path: Path) -> tuple[Certificate, ...]:
    try:
        return decode_pem(read_carried(path, PEM_BYTES, remedy=_FILES))
    except DecodeError as error:
        raise VerificationError(f"{path.name}: {error}", remedy="ask the authority for the files again") from error
