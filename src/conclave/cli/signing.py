"""Signing requests that came as files: which profile each is for, and what is written back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conclave.authority.enrolment import Enrolment
from conclave.authority.revocation import RevocationLists
from conclave.authority.settings import AuthoritySettings
from conclave.cli.context import typed
from conclave.cli.office import Office, console, crl_pem
from conclave.errors import ConclaveError, LocalError, StorageError, UsageError
from conclave.node.home.carried import read_carried, write_carried
from conclave.pki.certificate import read_certificate
from conclave.pki.credentials import Issuer
from conclave.pki.names import parse_handle
from conclave.pki.policy import GrantSettings
from conclave.pki.profile import Profile, parse_profile
from conclave.pki.request import REQUEST_BYTES, ProvenRequest, read_request

FILES_MOST = 64
_AGAIN = "sign the same requests again into another --out: the certificates are made"


def sign_files(
    office: Office, issuer: Issuer, files: Sequence[Path], out: Path, handle: str, profile: str, lifetime: float
) -> list[dict[str, Any]]:
    """Sign all of ``files`` or none; write ``PROFILE.pem``, ``root.pem``, ``issuing.pem``, ``crl.pem`` into ``out``.

    Where they are for several devices, each gets a folder ``HANDLE-DEVICE`` of its own. Raises ``LocalError`` for a
    file that cannot be read or whose profile is unclear, and as ``Enrolment.by_file`` does.
    """
    if len(files) > FILES_MOST:
        raise UsageError(f"{len(files)} requests at once", remedy=f"sign at most {FILES_MOST} at a time")
    settings = AuthoritySettings(grant=GrantSettings(lifetime=lifetime))
    now = time.time()
    owner = typed(parse_handle, handle) if handle else None
    requests = [_read(file, profile) for file in files]
    enrolment = Enrolment(office.store, issuer, settings)
    signed = enrolment.by_file(requests, owner, now, console()).result()
    crl = RevocationLists(office.store, issuer, settings).current(now).result()
    several = len({(s.issued.handle, s.issued.device) for s in signed}) > 1
    rows = []
    for file, one in zip(files, signed, strict=True):
        issued = one.issued
        folder = out / f"{issued.handle}-{issued.device}" if several else out
        if several and folder.is_symlink():
            raise StorageError(f"{folder} is a link to elsewhere: nothing is written through it", remedy=_AGAIN)
        chain = read_certificate(issued.der).pem + issuer.certificate.pem
        for name, data in {
            f"{issued.profile}.pem": chain,
            "root.pem": office.trust.root.pem,
            "issuing.pem": issuer.certificate.pem,
            "crl.pem": crl_pem(crl.der),
        }.items():
            write_carried(folder / name, data, remedy=_AGAIN)
        rows.append(
            {
                "request": str(file),
                "file": str(folder / f"{issued.profile}.pem"),
                "handle": issued.handle,
                "device": issued.device,
                "profile": issued.profile,
                "serial": f"{issued.serial:x}",
                "not_after": int(issued.not_after),
                "vouched": one.vouched,
                "account_made": one.account_made,
            }
        )
    return rows


def _read(file: Path, wanted: str) -> ProvenRequest:
    data = read_carried(file, REQUEST_BYTES + 1, remedy="name the request files themselves")
    try:
        return read_request(data, _profile(file, wanted))
    except ConclaveError as error:
        raise LocalError(f"{file}: {error}", remedy=error.remedy) from error


def _profile(file: Path, wanted: str) -> Profile:
    if wanted:
        return parse_profile(wanted)
    for profile in Profile:
        if file.name.startswith(f"{profile}."):
            return profile
    raise UsageError(
        f"what the request {file.name} is for is unclear", remedy="name it tls.csr.pem, or say --profile tls"
    )
