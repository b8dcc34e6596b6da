"""One more certificate for a device that is enrolled, and its key and certificate for other programs.

The device asks by its present certificate (EST ``simplereenroll``), so no invite is needed. Left out: enrolling
(``node.home.enrolment``), renewing while the node runs (``node.directory``).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from conclave.errors import LocalError, StorageError
from conclave.net.authority_client import AuthorityClient
from conclave.node.identity import Identity
from conclave.node.paths import vault_path
from conclave.node.process import alone
from conclave.pki.bundle import encode_pem
from conclave.pki.certificate import Certificate, moment
from conclave.pki.export import IV_BYTES, SALT_BYTES, seal_pem
from conclave.pki.keys import generate_device_key
from conclave.pki.names import parse_handle
from conclave.pki.profile import Profile
from conclave.pki.request import build_request
from conclave.store import vault as vaults
from conclave.values import replace

KEY_FILE, CERTIFICATE_FILE, AUTHORITY_FILE = "key.pem", "certificate.pem", "authority.pem"


def add_profile(home: Path, passphrase: str, profile: Profile, progress: Callable[[str], None]) -> Certificate:
    """Ask the authority for a certificate of ``profile`` with a fresh key, and keep both. Gives the certificate.

    One that is held and valid stands. Raises ``LocalError`` where it does or the node runs, ``NotEnrolled``, and as
    ``AuthorityClient.renew`` does; then nothing has changed.
    """
    with alone(home):
        vault = vaults.unlock(vault_path(home), passphrase)
        identity = Identity(vault)
        if profile in identity.profiles:
            held = identity.credentials(profile).certificate
            if held.not_before <= time.time() < held.not_after:
                raise LocalError(
                    f"this device has a certificate {profile.value} already, valid until {moment(held.not_after)}",
                    remedy="nothing needs to be done: conclave up renews it",
                )
        identity.demand_valid(time.time())
        key = generate_device_key(profile)
        progress(f"key pair for {profile.value} made; the private one stays here, under your passphrase")
        chain = asyncio.run(_ask(identity, profile, build_request(key, parse_handle(identity.handle))))
        progress(f"certificate {profile.value} granted and verified")
        added = vaults.Profile(profile.value, key.der(), tuple(certificate.der for certificate in chain))
        others = tuple(one for one in vault.content.profiles if one.name != profile.value)
        vault.rewrite(replace(vault.content, profiles=(*others, added)))
        return chain[0]


async def _ask(identity: Identity, profile: Profile, request: bytes) -> tuple[Certificate, ...]:
    credentials = identity.credentials(Profile.TLS)
    async with AuthorityClient(identity.addresses, identity.trust, credentials) as client:
        return await client.renew(profile, request)


def export_profile(home: Path, passphrase: str, profile: Profile, folder: Path, own_passphrase: str) -> list[Path]:
    """Write key (under ``own_passphrase``), certificate, and the authority's certificates as PEM into ``folder``.

    Nothing that is there is overwritten; the key's file is its owner's alone. Raises ``LocalError`` where the device
    has no such certificate or a file is there, ``StorageError`` where it cannot be written.
    """
    identity = Identity(vaults.unlock(vault_path(home), passphrase))
    if profile not in identity.profiles:
        raise LocalError(
            f"this device has no certificate {profile.value}", remedy=f"conclave identity add {profile.value}"
        )
    credentials = identity.credentials(profile)
    key = seal_pem(credentials.key, own_passphrase, salt=os.urandom(SALT_BYTES), iv=os.urandom(IV_BYTES))
    authority = encode_pem(identity.trust.certificates)
    contents = {KEY_FILE: key, CERTIFICATE_FILE: credentials.certificate.pem, AUTHORITY_FILE: authority}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in contents:
            if (folder / name).exists():
                raise LocalError(f"{folder / name} is there already", remedy="name another folder, or move it away")
        for name, data in contents.items():
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror}", remedy="name another folder") from error
    return [folder / name for name in contents]
