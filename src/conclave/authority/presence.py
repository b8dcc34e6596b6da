"""Who is online: devices that announced themselves, each on a connection that lives. Pure; time is handed in.

A person is online while any device of theirs is, at the address of the one that announced itself last, since the
first of them did. A second connection of the same device takes the place of the first. Left out: connections and
how long they may be silent (``net.presence``), and the log.
"""

from __future__ import annotations

from collections.abc import Iterator

from conclave.pki.names import Device, Handle
from conclave.values import dataclass


@dataclass(frozen=True, slots=True)
class Sighting:
    """What everybody is told of a person. ``address`` is empty where they are not online."""

    handle: Handle
    online: bool
    address: str
    since: float


@dataclass(slots=True)
class _Place:
    session: int
    address: str
    since: float
    order: int


@dataclass(frozen=True, slots=True)
class Announced:
    """What an announcement changed. ``replaced``: the session of the same device that it pushed out."""

    sighting: Sighting | None
    login: bool
    moved: bool
    since: float
    replaced: int | None


class Roster:
    """The devices that are online. A *session* is one connection, named by a number of the caller's."""

    def __init__(self) -> None:
        self._places: dict[Handle, dict[Device, _Place]] = {}
        self._order = 0

    def announce(self, handle: Handle, device: Device, session: int, address: str, now: float) -> Announced:
        """Take a device as reachable at ``address``."""
        before = self.find(handle)
        places = self._places.setdefault(handle, {})
        old = places.get(device)
        self._order += 1
        since = now if old is None else old.since
        places[device] = _Place(session, address, since, self._order)
        after = self.find(handle)
        return Announced(
            after if after != before else None,
            login=old is None,
            moved=old is not None and old.address != address,
            since=since,
            replaced=old.session if old is not None and old.session != session else None,
        )

    def leave(self, handle: Handle, device: Device, session: int, now: float) -> Sighting | None:
        """Take a device as gone; what everybody is told, or none where this session was not its place any more."""
        places = self._places.get(handle, {})
        place = places.get(device)
        if place is None or place.session != session:
            return None
        del places[device]
        if places:
            return self.find(handle)
        del self._places[handle]
        return Sighting(handle, online=False, address="", since=now)

    def find(self, handle: Handle) -> Sighting | None:
        """How a person is online, or none."""
        places = self._places.get(handle)
        if not places:
            return None
        latest = max(places.values(), key=lambda place: place.order)
        since = min(place.since for place in places.values())
        return Sighting(handle, online=True, address=latest.address, since=since)

    def everyone(self) -> Iterator[Sighting]:
        """All who are online."""
        for handle in list(self._places):
            sighting = self.find(handle)
            if sighting is not None:
                yield sighting
