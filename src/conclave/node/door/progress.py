"""How far a line of ours has come, for each who is to have it, in the words that fronts show.

In a lobby a member has a line where its receipt reaches that far and does not name it as missing. Left out: receipts
themselves (``chat.lobbies.receipts``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from conclave.chat.lobby_state import Mark
from conclave.chat.views import LobbyView
from conclave.chat.words.line import Line, LineKind, Status
from conclave.node.notices import line_as_json
from conclave.store.ports import StoredLine
from conclave.values import dataclass

FAR = (Status.DELIVERED, Status.READ)
UNHEARD = "it may have arrived: that is not heard any more"
"""Of what waited, here or in a mailbox, when the backup was made, or was on its way to somebody who was shut out."""
UNPLACED = "how far it came is not heard any more"
"""Of the same in a lobby, and of what was said before we were out of it and in again: its place is forgotten."""


def has(mark: Mark | None, seq: int) -> bool:
    """Whether a member's receipt covers entry ``seq``."""
    return mark is not None and mark.covers(seq)


def stands(line: Line) -> bool:
    """Whether a line's time is not over: what is to disappear goes from the store some seconds later."""
    return not 0 < line.expires <= time.time()


@dataclass(frozen=True, slots=True)
class Progress:
    """``status`` for programs, ``words`` for people, ``members``' by handle; ``have`` of ``of`` have it."""

    status: Status
    words: str
    have: int
    of: int
    members: Mapping[str, str]

    @property
    def alone(self) -> bool:
        """Whether nobody else is to have it: it was said while nobody else was in, or those who were are out."""
        return self.status is Status.SENT and self.have == self.of > 0


def in_lobby(view: LobbyView, stored: StoredLine, me: str) -> Progress:
    """Of a line in a lobby, whoever said it: for those who were in by then."""
    line = stored.line
    status = line.status
    if not line.seq:
        words = UNPLACED if status is Status.SENT else status.value
        words = f"waiting for {view.leader}" if status is Status.WAITING else words
        members = {one: status.value for one in view.roster if one != line.sender}
        return Progress(status, words, 0, len(view.roster), members)
    members = {}
    people = [one for one in view.roster if one in (me, line.sender) or view.entered.get(one, 0) < line.seq]
    for one in people:
        mark = view.marks.get(one)
        there = one in (me, line.sender) or has(mark, line.seq)
        seen = there and mark is not None and mark.read >= line.seq
        far = Status.READ if seen else Status.DELIVERED if there else _sent(view, one, line.seq)
        members[one] = far.value
    have = sum(word in FAR for word in members.values())
    members.pop(line.sender, None)
    if status is Status.SENT and not members and any(line.seq < out for out in view.gone.values()):
        words = "sent; nobody else who was in then is in"  # if anybody was: when those came in is forgotten
        return Progress(status, words, have, have, members)
    if status is Status.SENT and not members and me in view.roster:
        words = "said before the others came in" if len(view.roster) > 1 else "nobody else is in"
        return Progress(status, words, have, have, members)
    if status is not Status.SENT or not members:
        return Progress(status, status.value, have, len(people), members)
    if have == len(people):
        every = all(word == Status.READ.value for word in members.values())
        status = Status.READ if every else Status.DELIVERED
        return Progress(status, status.value, have, have, members)
    others = have - (line.sender in people)
    parts = [f"delivered to {others} of {len(members)}"] if others else []
    if boxes := list(members.values()).count(Status.MAILED.value):
        parts.append("in mailbox" if boxes == len(members) else f"in the mailboxes of {boxes}")
    return Progress(status, ", ".join(parts) or status.value, have, len(people), members)


def _sent(view: LobbyView, handle: str, seq: int) -> Status:
    """As far as it came without its receiver: of mailboxes whoever leads knows, and tells the others."""
    mailed = view.mailed.get(handle)
    return Status.MAILED if mailed is not None and 0 < mailed.first <= seq <= mailed.upto else Status.SENT


def in_pair(stored: StoredLine, peer: str, me: str, read: int) -> Progress:
    """Of a line in a pair; ``read``: up to which of our lines the peer told that it was read."""
    line = stored.line
    status = line.status
    if line.sender != me:
        return Progress(status, status.value, 2, 2, {})
    if status is Status.DELIVERED and 0 < line.seq <= read:
        status = Status.READ
    words = UNHEARD if status is Status.SENT else status.value
    words = f"waiting for {peer}" if status is Status.WAITING else words
    return Progress(status, words, 1 + (status in FAR), 2, {peer: status.value})


def shown(stored: StoredLine, progress: Progress) -> dict[str, Any]:
    """A line as fronts get it, with all that was said about it."""
    answer = line_as_json(stored.line, stored.position)
    answer["status"] = progress.status.value
    answer["words"] = progress.words
    if stored.line.kind is not LineKind.NOTICE:
        answer |= {"have": progress.have, "of": progress.of}
    if stored.edited:
        answer["edited"] = True
    if stored.deleted:
        answer["deleted"] = True
    if stored.pinned:
        answer["pinned"] = True
    if stored.reactions:
        answer["reactions"] = {sign: list(people) for sign, *people in stored.reactions}
    return answer
