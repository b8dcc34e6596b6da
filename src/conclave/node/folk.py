"""Answers about people: who there is, who is online, and whether somebody is who we think.

Left out: words (``node.words``), lobbies (``node.rooms``).
"""

from __future__ import annotations

from typing import Any

from conclave.chat import groups, views
from conclave.errors import LocalError, NetworkError
from conclave.node import commands as ask
from conclave.node.directory import Person
from conclave.node.known import Known, handle_of
from conclave.pki.certificate import read_certificate
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
        return {"source": source, "users": [self._person(person) for person in people]}

    async def find(self, command: ask.Find) -> dict[str, Any]:
        """One person."""
        handle = handle_of(command.handle)
        person = await self._known.directory.find(handle)
        if person is None:
            return {"handle": handle, "found": False, "online": False, "address": ""}
        return {"found": True, **self._person(person)}

    def _person(self, person: Person) -> dict[str, Any]:
        return {
            "handle": person.handle,
            "name": person.name,
            "online": person.online and not self._known.peers.lost(person.handle),
            "address": person.address,
            "since": person.since,
            "linked": person.handle in self._known.peers.linked(),
            "me": person.handle == self._known.me,
        }

    async def verify(self, command: ask.Verify) -> dict[str, Any]:
        """The number that both sides of a pair compute alike, where nobody stands between them.

        Raises ``LocalError`` where there is no group with that person yet, ``Refused`` where nobody is called so.
        """
        known, peer = self._known, handle_of(command.peer)
        if peer == known.me:
            raise LocalError("that is you", remedy="conclave verify @PEER, on both sides")
        state = views.pair_state(known.pump.desk, peer)
        if state is None:
            await known.demand_known(peer)
            raise LocalError(f"you have no keys with {peer} yet", remedy=f"conclave say @{peer} 'hello'; then again")
        number = views.safety_number(state, known.me, peer)
        certificates = {}
        for handle, leaf in groups.roster(state).items():
            one = read_certificate(groups.certificate(state, leaf))
            certificates[handle] = {"fingerprint": one.fingerprint.hex(), "until": one.not_after}
        return {
            "peer": peer,
            "number": number.hex(),
            "words": list(words(number)),
            "digits": list(digits(number)),
            "certificates": certificates,
        }
