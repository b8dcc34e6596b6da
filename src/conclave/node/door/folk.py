"""Answers about people: who there is, who is online, and whether somebody is who we think.

Left out: words (``node.door.words``), lobbies (``node.door.rooms``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conclave.chat import groups, views
from conclave.chat.lobbies.purging import SUSPENDED
from conclave.chat.pairs import safety
from conclave.chat.words.originals import fingerprint
from conclave.errors import LocalError, NetworkError
from conclave.mls.group import State
from conclave.node.directory import Person
from conclave.node.door import commands as ask
from conclave.node.door.known import Known, handle_of
from conclave.pki.certificate import read_certificate
from conclave.pki.revocation import Revocation
from conclave.wire.spoken import digits, words


class Folk:
    """People, from the directory and from our groups with them."""

    def __init__(self, known: Known) -> None:
        self._known = known

    async def who(self, command: ask.Who) -> dict[str, Any]:
        """The directory, or what is remembered of it."""
        query, directory = command.query.removeprefix("@"), self._known.directory
        try:
            people, source = await directory.people(query), "authority"
        except NetworkError:
            people, source = directory.remembered_people(query), "memory"
        standing = "" if directory.standing is None else f"{directory.standing}: {directory.standing.remedy}"
        users = [self._person(person) for person in people]
        listed = {person.handle for person in people}
        unlisted = [Person(one, "", online=False, address="", since=0.0) for one in self._held(query) - listed]
        users += map(self._person, unlisted)
        return {"source": source, "standing": standing, "users": sorted(users, key=lambda user: str(user["handle"]))}

    def _held(self, query: str) -> set[str]:
        """Whom we blocked or muted, be they in the directory or not."""
        desk, muted = self._known.pump.desk, self._known.preferences.muted
        held = {one.handle for one in desk.peers.values() if views.pair(desk, one.handle).ours == "blocked"}
        held |= {one[1:] for one in muted if one.startswith("@")}
        return {one for one in held if query in one}

    async def find(self, command: ask.Find) -> dict[str, Any]:
        """One person, or what is remembered of that one. Raises ``NetworkError`` where that is nothing."""
        handle = handle_of(command.handle)
        directory = self._known.directory
        try:
            person, source = await directory.find(handle), "authority"
        except NetworkError:
            person, source = directory.remembered(handle), "memory"
            if person is None:
                raise
        if person is None:
            return {"handle": handle, "found": False, "online": False, "address": ""}
        return {"found": True, "source": source, **self._person(person)}

    def _person(self, person: Person) -> dict[str, Any]:
        linked = person.handle in self._known.peers.linked()
        return {
            "handle": person.handle,
            "name": person.name,
            "online": linked or (person.online and not self._known.peers.lost(person.handle)),
            "address": person.address,
            "last": self._known.directory.last_address(person.handle),
            "since": person.since,
            "linked": linked,
            "me": person.handle == self._known.me,
            "blocked": views.pair(self._known.pump.desk, person.handle).ours == "blocked",
            "muted": self._known.muted(f"@{person.handle}"),
        }

    async def verify(self, command: ask.Verify) -> dict[str, Any]:
        """The number that both sides of a pair compute alike, where nobody stands between them.

        ``revoked`` says why the peer's certificate does not count any more, empty where it does; ``suspended``,
        whether it may count again. ``elsewhere`` are certificates, by lobby, of which the number says nothing, and
        ``former`` the numbers of before.
        Raises ``LocalError`` where there is no group with that person yet, ``Refused`` where nobody is called so.
        """
        known, peer = self._known, handle_of(command.peer)
        if peer == known.me:
            raise LocalError("that is you", remedy="conclave verify @PEER, on both sides")
        desk = known.pump.desk
        state, revoked = views.pair_state(desk, peer), known.expelled.get(peer, "")
        ended, shown = views.pair_ended(desk, peer), views.shown(desk, peer)
        if ended is not None and (revoked or (not shown and self._revoked(ended, peer) is not None)):
            state = ended
        held = desk.peers.get(peer)
        former = () if held is None else held.numbers
        if state is None:
            await known.demand_known(peer)
            raise _no_keys(peer, shown, had=ended is not None or bool(former))
        number = safety.number(state, known.me, peer)
        certificates = {}
        for handle, leaf in groups.roster(state).items():
            one = read_certificate(groups.certificate(state, leaf))
            certificates[handle] = {"fingerprint": one.fingerprint.hex(), "until": one.not_after}
        elsewhere = {label: fingerprint(der).hex() for label, der in shown.items()}
        why = self._revoked(state, peer)
        suspended = revoked == SUSPENDED or (why is not None and why.suspended)
        if revoked == SUSPENDED:
            revoked = f"{peer}'s account is suspended"
        return {
            "peer": peer,
            "number": number.hex(),
            "words": list(words(number)),
            "digits": list(digits(number)),
            "certificates": certificates,
            "elsewhere": {
                label: name for label, name in elsewhere.items() if name != certificates[peer]["fingerprint"]
            },
            "former": [one.hex() for one in former],
            "revoked": revoked or (why.words if why is not None else ""),
            "suspended": suspended,
        }

    def _revoked(self, state: State, peer: str) -> Revocation | None:
        shown = groups.certificate(state, groups.roster(state)[peer])
        return self._known.pump.desk.judges.revoked(shown)


def _no_keys(peer: str, shown: Mapping[str, bytes], *, had: bool) -> LocalError:
    """Nothing is there to be compared: what there is, and how it comes."""
    why = f"you have no keys with {peer} yet"
    if shown:
        label, der = next(iter(shown.items()))
        why = (
            f"you have no keys with {peer} by its certificate in {label} yet (SHA-256 {fingerprint(der).hex()[:16]}…)"
        )
    elif had:
        why = f"your keys with {peer} have ended, new ones come with what is said next"
    return LocalError(why, remedy=f"conclave say @{peer} 'hello'; then again")
