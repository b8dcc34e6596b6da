"""One turn of the pump, decided: many events, one desk after them, one list to commit and one to do.

Left out: committing and doing (``node.pump``), and what follows from an event (``chat.desk``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

from conclave.chat import events as ev
from conclave.chat.deeds import Deed, Tell
from conclave.chat.desk import Desk, steps
from conclave.chat.effects import Effect, Record
from conclave.chat.notices import LineAdded
from conclave.errors import ConclaveError, LocalError
from conclave.node.sendings import latest
from conclave.store.ports import LineName
from conclave.values import dataclass, field

log = logging.getLogger(__name__)

FACTS = (
    ev.Linked | ev.Unlinked | ev.Expelled | ev.Readmitted | ev.Tick | ev.OwnChanged | ev.JudgesChanged
    | ev.StockTold | ev.PackageFound | ev.PackageMissing | ev.Deposited | ev.DepositFailed
)  # fmt: skip
"""What stays true although the commit of its turn failed. Mail is not here: it is handed in again by its inbox."""

T = TypeVar("T", bound=Effect)

Answers = list[ConclaveError | None]
"""For each event, the error with which a command was refused, or None."""


@dataclass(slots=True)
class Turn:
    """What one turn decided: nothing of it is true until its records are on disk."""

    desk: Desk
    records: list[Record] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)

    def take(self, events: Iterable[ev.Event], now: float, random: Callable[[int], bytes]) -> None:
        """Step through ``events`` at once; nothing is taken where one of them raises."""
        self.desk, records, deeds = steps(self.desk, events, now, random)
        self.records += records
        self.deeds += deeds


def decide(
    desk: Desk, events: Iterable[ev.Event], now: float, random: Callable[[int], bytes]
) -> tuple[Turn, Answers]:
    """Step through ``events`` (at ``now``, UNIX seconds), and say of each whether it was refused."""
    turn = Turn(desk)
    rest = list(events)
    answers: Answers = []
    while rest:
        some = _together(turn, rest, now, random)
        answers += some
        rest = rest[len(some) :]
    turn.deeds = latest(turn.deeds)
    return turn, answers


def news(deeds: Iterable[T], stale: Collection[LineName]) -> Iterator[T]:
    """The deeds without what tells of a line that is no news, by the store's word, or was told of already."""
    told = set(stale)
    for deed in deeds:
        if isinstance(deed, Tell) and isinstance(deed.notice, LineAdded):
            name = (deed.notice.conversation, deed.notice.line.sender, deed.notice.line.id)
            if name in told:
                continue
            told.add(name)
        yield deed


def _together(turn: Turn, events: list[ev.Event], now: float, random: Callable[[int], bytes]) -> Answers:
    """Take as many events as nothing is refused of, and the answer to the one that is, if one is."""
    begun = 0

    def each() -> Iterator[ev.Event]:
        nonlocal begun
        for event in events:
            begun += 1
            yield event

    try:
        turn.take(each(), now, random)
    except ConclaveError as error:
        good = events[: begun - 1]
        some = _together(turn, good, now, random) if good else []
        return [*some, error] if len(some) == len(good) else some
    except Exception:  # noqa: BLE001 - a fault of ours: whose, each event tells when it is taken alone
        return [_alone(turn, event, now, random) for event in events]
    return [None] * len(events)


def _alone(turn: Turn, event: ev.Event, now: float, random: Callable[[int], bytes]) -> ConclaveError | None:
    """A fault of ours costs its own event: whoever found it must not be able to end the node with it."""
    try:
        turn.take((event,), now, random)
    except ConclaveError as error:
        return error
    except Exception:
        log.exception("%s could not be decided", type(event).__name__)
        return LocalError("this was not done, by a fault of the program", remedy="see the node's log")
    return None
