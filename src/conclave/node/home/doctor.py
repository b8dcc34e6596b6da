"""What may be wrong with a home, looked at from the ground up; needs no running node and no passphrase.

Each check says what it found and what to do. Left out: repair.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from pathlib import Path
from typing import Any

from conclave.errors import ConclaveError
from conclave.node.config import load
from conclave.node.directory import CLOCK_SECONDS, SHUT_OUT
from conclave.node.door.client import NodeClient, NoNode
from conclave.node.paths import config_path, database_path, vault_path
from conclave.store.vault import recognise_vault
from conclave.values import asdict, dataclass

FREE_BYTES = 64 << 20
"""Less free space than this is worth a warning."""
PATIENCE_SECONDS = 5.0
"""A node has so long to say how it is."""
SOON_SECONDS = 86_400
"""A certificate that ends sooner than this should have been renewed."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    good: bool
    text: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """The check as one flat object."""
        return asdict(self)


def examine(home: Path) -> list[Check]:
    """Every check, from the folder up to the authority; stops where nothing above can hold."""
    if not home.is_dir():
        return [Check("home", False, f"{home} is not there", "conclave join '<invite>'")]
    checks = [_folder(home), _space(home), _settings(home)]
    if not vault_path(home).exists():
        return [*checks, Check("identity", False, "not enrolled", "conclave join '<invite>'")]
    checks.append(_vault(vault_path(home)))
    if database_path(home).exists():
        unseen = "not looked into, it is encrypted: conclave backup FILE reads every page"
        checks.append(_private("history", database_path(home), unseen))
    return checks + _node(home)


def _folder(home: Path) -> Check:
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & 0o077:
        return Check("home", False, f"{home} can be read by others ({mode:o})", f"chmod 700 {home}")
    if not os.access(home, os.W_OK):
        return Check("home", False, f"{home} cannot be written", f"chown it to {os.getuid()}")
    return Check("home", True, str(home))


def _space(home: Path) -> Check:
    free = shutil.disk_usage(home).free
    good = free >= FREE_BYTES
    return Check("space", good, f"{free >> 20} MiB free", "" if good else "make room: nothing new can be kept")


def _settings(home: Path) -> Check:
    try:
        load(home)
    except ConclaveError as error:
        return Check("settings", False, str(error), error.remedy or f"mend {config_path(home)}")
    return Check("settings", True, "config.toml" if config_path(home).exists() else "defaults")


def _vault(path: Path) -> Check:
    try:
        recognise_vault(path)
    except ConclaveError as error:
        return Check("identity", False, str(error), error.remedy)
    return _private("identity", path, "a vault; whether it opens, only the passphrase shows")


def _private(name: str, path: Path, looked: str) -> Check:
    mode = stat.S_IMODE(path.stat().st_mode)
    good = not mode & 0o077
    return Check(name, good, f"{path.name} ({mode:o}): {looked}", "" if good else f"chmod 600 {path}")


def _node(home: Path) -> list[Check]:
    try:
        with NodeClient(home) as node:
            status = node.call("status", patience=PATIENCE_SECONDS)
    except NoNode:
        return [Check("node", False, "not running", "conclave up; after a restore first: conclave join '<invite>'")]
    except ConclaveError as error:
        return [Check("node", False, str(error), error.remedy)]
    checks = [Check("node", True, f"{status['handle']} listens on {status['listen']}")]
    authority = status["authority"]
    out = authority.get("reason") in SHUT_OUT
    for certificate in status["certificates"]:
        left = certificate["until"] - time.time()
        remedy = "" if left > SOON_SECONDS else "the authority must be reachable for renewal; or join again"
        name, text = f"certificate {certificate['profile']}", f"{left / 86_400:.1f} days left"
        if out:
            text, remedy = f"{authority['reason']}, {text}", authority["remedy"]
        checks.append(Check(name, left > 0 and not out, text, remedy))
    checks.append(_revocations(status["crl_time"]))
    remedy = authority.get("remedy") or "look at its machine and at the network"
    if authority["reached"]:
        remedy = ""
    elif not out:
        at = (
            ""
            if authority.get("reason")
            else "whom it cannot name is dialled by conclave say @PEER TEXT --at HOST:PORT; "
        )
        remedy = f"chats go on without it; {at}{remedy}"
    checks.append(Check("authority", authority["reached"], authority["text"], remedy))
    checks.append(_clock(status["clock_offset"], authority))
    text = ", ".join(f"{count} for {peer}" for peer, count in status["waiting"].items())
    checks.append(Check("outbox", True, f"waiting: {text}" if text else "nothing waits"))
    remedy = "it waits here until there is room, or until that person is here"
    return checks + [Check("mail", True, why, remedy) for why in status.get("unmailed", {}).values()]


def _clock(offset: float, authority: dict[str, Any]) -> Check:
    remedy = "set this machine's clock: certificates and the times of lines depend on it"
    if not authority["reached"] and authority.get("reason") == "expired":
        return Check("clock", False, "not within the life of the authority's certificate", remedy)
    if not authority.get("compared", True):
        return Check("clock", True, "not compared with the authority's: it was not reached yet")
    good = abs(offset) < CLOCK_SECONDS
    way = "from" if good else "behind" if offset > 0 else "ahead of"
    text = f"{abs(offset):.0f} s {way} the authority's"
    return Check("clock", good, text, "" if good else remedy)


def _revocations(made: float | None) -> Check:
    if made is None:
        return Check("revocations", False, "no list yet", "the authority must be reachable once")
    age = max(0.0, time.time() - made)
    text = f"list of {age / 60:.0f} minutes ago" if age < 7200 else f"list of {age / 3600:.0f} hours ago"
    return Check(
        "revocations", age < SOON_SECONDS, text, "" if age < SOON_SECONDS else "the authority must be reachable"
    )
