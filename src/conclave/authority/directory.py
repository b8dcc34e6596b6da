"""Who exists, who is online, and where: what members may look up. Left out: who may ask (``members``)."""

from __future__ import annotations

from conclave.authority.ports import Reads
from conclave.authority.presence import Roster
from conclave.authority.records import Account
from conclave.errors import Refused
from conclave.pki.names import HANDLE_CHARACTERS, Handle, quote
from conclave.values import dataclass

QUERY_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One user. ``since``: online since, or else last seen (UNIX seconds; 0 for never). ``address``: or empty."""

    handle: Handle
    name: str
    online: bool
    address: str
    since: float


def _entry(account: Account, roster: Roster) -> Entry:
    sighting = roster.find(account.handle)
    if sighting is None:
        return Entry(account.handle, account.name, online=False, address="", since=account.seen)
    return Entry(account.handle, account.name, online=True, address=sighting.address, since=sighting.since)


def look_up(reads: Reads, roster: Roster, handle: str) -> Entry:
    """One user. Raises ``Refused`` (``unknown-user``)."""
    account = reads.account(handle) if len(handle) <= HANDLE_CHARACTERS else None
    if account is None:
        raise Refused(
            f"nobody here is called {quote(handle)}", reason="unknown-user", remedy="search: conclave find TEXT"
        )
    return _entry(account, roster)


def search(reads: Reads, roster: Roster, query: str, *, online: bool, limit: int) -> list[Entry]:
    """Users whose handle or name contains ``query``, handles that start with it first; ``online``: only those.

    Raises ``Refused`` (``query-too-long``) beyond 64 characters. At most ``limit`` are given.
    """
    if len(query) > QUERY_CHARACTERS:
        raise Refused(
            f"a search has at most {QUERY_CHARACTERS} characters", reason="query-too-long", remedy="search for less"
        )
    if not online:
        return [_entry(account, roster) for account in reads.accounts(query, limit)]
    found: list[Entry] = []
    wanted = query.casefold()
    for sighting in roster.everyone():
        account = reads.account(sighting.handle)
        if account is not None and wanted in f"{account.handle}\n{account.name.casefold()}":
            found.append(_entry(account, roster))
    found.sort(key=lambda entry: (not entry.handle.startswith(wanted), entry.handle))
    return found[:limit]
