"""Time passes, and things settle: each conversation does what is due, and none stands in the way of another.

What cannot be done in one of them costs that one its turn alone: time would stand still in all else, and nothing be
sent again, mailed, followed or forgotten anywhere. Left out: what is due (``chat.pairs``, ``chat.lobbies``, ``links``
and ``mail``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from conclave.chat import links, mail, reviving
from conclave.chat.lobbies import (
    apart,
    audience,
    boxes,
    catching_up,
    committing,
    departing,
    ending,
    leadership,
    mailing,
    recalling,
    receipts,
    rejoining,
    sharing,
    speaking,
)
from conclave.chat.lobby_state import Stage
from conclave.chat.pairs import duet, renewing
from conclave.chat.work import Work
from conclave.errors import LocalError

K = TypeVar("K", str, bytes)

SETTLINGS = 64
"""So often one lobby may cause another look at it in one step, should a rule of ours go in circles."""


def settle(work: Work) -> None:
    """Whatever follows from what changed, until nothing does."""
    for _ in range(SETTLINGS):
        group = work.stirred()
        if group is None:
            break
        _alone(work, _lobby_settled, group)
    welcomes, work.welcomes = work.welcomes, []
    for order, welcome, added in welcomes:
        committing.let_in(work, order, welcome, added)


def passed(work: Work) -> None:
    """Time passed, for everybody we know and every lobby."""
    reviving.revive(work)
    for peer in work.peers():
        _alone(work, _peer_passed, peer.handle)
        current = work.peer(peer.handle)
        if current.wanted != current.needed:
            work.keep(current)
    for lobby in work.lobbies():
        if lobby.stage is not Stage.ENDED:
            _alone(work, _lobby_passed, lobby.group)
    work.expire()


def _lobby_settled(work: Work, group: bytes) -> None:
    leadership.settle(work, group)
    rejoining.passed(work, group)
    committing.act(work, group)
    speaking.flush(work, group)
    catching_up.catch_up(work, group)
    ending.finish(work, group)


def _peer_passed(work: Work, handle: str) -> None:
    links.resend(work, work.peer(handle))
    duet.passed(work, work.peer(handle))
    renewing.passed(work, work.peer(handle))
    mail.passed(work, work.peer(handle))


def _lobby_passed(work: Work, group: bytes) -> None:
    leadership.settle(work, group)
    leadership.passed(work, group)
    rejoining.passed(work, group)
    audience.passed(work, group)
    committing.act(work, group)
    departing.passed(work, group)
    speaking.passed(work, group)
    receipts.passed(work, group)
    sharing.passed(work, group)
    apart.passed(work, group)
    recalling.ask(work, group)
    mailing.passed(work, group)
    boxes.passed(work, group)
    ending.finish(work, group)
    catching_up.catch_up(work, group)


def _alone(work: Work, part: Callable[[Work, K], None], whose: K) -> None:
    """One conversation's part of a step: what is refused in it is told, and the others go on."""
    try:
        part(work, whose)
    except LocalError as error:
        lobby = work.lobby(whose) if isinstance(whose, bytes) else None
        work.trouble(work.me, f"{lobby.label if lobby is not None else 'a conversation'} stands still: {error}")
