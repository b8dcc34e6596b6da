"""In whose mailbox lies what a lobby ordered: its leader, who leaves it there, tells the others over their links.

It is to be shown, and decides nothing: nobody can check it. Left out: leaving it there (``chat.lobbies.mailing``).
"""

from __future__ import annotations

from conclave.chat.links import send
from conclave.chat.lobbies import audience
from conclave.chat.lobby_state import Lobby
from conclave.chat.work import Work
from conclave.values import replace
from conclave.wire.order import BOXES, BOXES_SINCE, Boxes


def passed(work: Work, group: bytes) -> None:
    """Time passed: where we lead, whoever is linked is told what is new of mailboxes."""
    lobby = work.lobby(group)
    if lobby is None or lobby.lead is None or not audience.leads(work, lobby):
        return
    people, told = lobby.watch.followers, lobby.watch.boxes
    if people is None or not (lobby.mailed or told):
        return
    inside = [(handle, one) for handle, one in sorted(lobby.mailed.items()) if one.first and handle in people]
    items = tuple((handle, one.first, one.upto) for handle, one in inside[:BOXES])
    new = Boxes(group, lobby.lead.term, items)
    if new == told or not (items or told):
        return
    work.keep_lobby(replace(lobby, watch=replace(lobby.watch, boxes=new)))
    for handle, one in people.items():
        if one.linked and not one.until:
            _tell(work, handle, new)


def linked(work: Work, lobby: Lobby, handle: str) -> None:
    """Somebody who follows us came."""
    people, told = lobby.watch.followers, lobby.watch.boxes
    one = people.get(handle) if people is not None else None
    if told is not None and one is not None and one.linked and not one.until and audience.leads(work, lobby):
        _tell(work, handle, told)


def told(work: Work, handle: str, boxes: Boxes) -> None:
    """Our leader tells in whose mailboxes it left what."""
    lobby = work.lobby(boxes.group)
    if lobby is not None and handle == lobby.leader and lobby.lead is not None and lobby.lead.term == boxes.term:
        work.keep_lobby(replace(lobby, watch=replace(lobby.watch, boxes=boxes)))


def _tell(work: Work, handle: str, boxes: Boxes) -> None:
    if work.peer(handle).flight.version >= BOXES_SINCE:
        send(work, handle, boxes)
