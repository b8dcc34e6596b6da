"""Two people: who may talk to whom, as two tables.

Between two people there are two questions, each with a state of its own. *Ours*: how we hold the other. *Theirs*:
how the other holds us, as far as we were told. Everything that changes either stands in the two tables below; what
is not in a table is refused (a command) or changes nothing (something heard).

Ours. A stranger's first message is a *request*: it is taken and shown, up to a limit, and people answer it. While we
are busy, a stranger's message is left where it is (in the stranger's outbox) and the stranger is *turned away*; when
we are free again all who were turned away are told, and are strangers once more. *Accepted* people are heard, busy
or not. *Rejected* and *blocked* people are told so once, and what they say is dropped; the difference is that a
rejected person is accepted by answering again or by talking to them, a blocked one only after ``unblock``. Talking
to somebody, asking somebody into our lobby and entering somebody's lobby all mean that we accept them.

Theirs. We have *asked* once we said something; an answer says how that went. While they are *busy* our messages wait
and nothing is sent again until they are free. Once they *rejected* us, saying more is refused here at once, until
they accept us, talk to us, or lift their block (``FREE``). Another home of theirs has not *accepted* us yet
(``chat.links``).

What somebody rejected says is declined: its acknowledgement says that it was dropped (``chat.delivery``), so that it
is marked as not sent, also where it was on its way before the rejection was heard.

    stranger --message--> request --accept--> accepted          unknown --we say--> asked --accept--> accepted
       |                     |                                                        |--reject--> rejected
       |--message, busy--> turned away --free--> stranger                             '--busy--> busy --free--> asked
"""

from __future__ import annotations

from enum import Enum, Flag, IntEnum, auto

from conclave.values import dataclass


class Ours(IntEnum):
    """How we hold the other. The numbers are stored."""

    STRANGER = 0
    REQUEST = 1
    ACCEPTED = 2
    REJECTED = 3
    BLOCKED = 4
    TURNED_AWAY = 5


class Theirs(IntEnum):
    """How the other holds us. The numbers are stored."""

    UNKNOWN = 0
    ASKED = 1
    ACCEPTED = 2
    REJECTED = 3
    BUSY = 4


class Input(Enum):
    """What bears on ``Ours``: a message of the other, or something that we do."""

    MESSAGE = "message"
    MESSAGE_WHILE_BUSY = "message while busy"
    TALK = "talk"
    ACCEPT = "accept"
    REJECT = "reject"
    BLOCK = "block"
    UNBLOCK = "unblock"
    FREE = "free"


class Act(Flag):
    """What to do besides."""

    NOTHING = 0
    TAKE = auto()  # keep the message and show it
    LEAVE = auto()  # do not take it: it stays in the other's outbox
    DROP = auto()  # take it and forget it
    ANNOUNCE = auto()  # tell our people that somebody asks
    ANSWER_ACCEPT = auto()
    ANSWER_REJECT = auto()
    ANSWER_BUSY = auto()
    ANSWER_FREE = auto()


_I, _O = Input, Ours
OURS: dict[tuple[Ours, Input], tuple[Ours, Act]] = {
    (_O.STRANGER, _I.MESSAGE): (_O.REQUEST, Act.TAKE | Act.ANNOUNCE),
    (_O.STRANGER, _I.MESSAGE_WHILE_BUSY): (_O.TURNED_AWAY, Act.LEAVE | Act.ANSWER_BUSY),
    (_O.STRANGER, _I.TALK): (_O.ACCEPTED, Act.NOTHING),
    (_O.STRANGER, _I.BLOCK): (_O.BLOCKED, Act.NOTHING),
    (_O.REQUEST, _I.MESSAGE): (_O.REQUEST, Act.TAKE),
    (_O.REQUEST, _I.MESSAGE_WHILE_BUSY): (_O.REQUEST, Act.TAKE),
    (_O.REQUEST, _I.TALK): (_O.ACCEPTED, Act.ANSWER_ACCEPT),
    (_O.REQUEST, _I.ACCEPT): (_O.ACCEPTED, Act.ANSWER_ACCEPT),
    (_O.REQUEST, _I.REJECT): (_O.REJECTED, Act.ANSWER_REJECT),
    (_O.REQUEST, _I.BLOCK): (_O.BLOCKED, Act.ANSWER_REJECT),
    (_O.ACCEPTED, _I.MESSAGE): (_O.ACCEPTED, Act.TAKE),
    (_O.ACCEPTED, _I.MESSAGE_WHILE_BUSY): (_O.ACCEPTED, Act.TAKE),
    (_O.ACCEPTED, _I.TALK): (_O.ACCEPTED, Act.NOTHING),
    (_O.ACCEPTED, _I.ACCEPT): (_O.ACCEPTED, Act.NOTHING),
    (_O.ACCEPTED, _I.REJECT): (_O.REJECTED, Act.ANSWER_REJECT),
    (_O.ACCEPTED, _I.BLOCK): (_O.BLOCKED, Act.ANSWER_REJECT),
    (_O.REJECTED, _I.MESSAGE): (_O.REJECTED, Act.DROP),
    (_O.REJECTED, _I.MESSAGE_WHILE_BUSY): (_O.REJECTED, Act.DROP),
    (_O.REJECTED, _I.TALK): (_O.ACCEPTED, Act.ANSWER_ACCEPT),
    (_O.REJECTED, _I.ACCEPT): (_O.ACCEPTED, Act.ANSWER_ACCEPT),
    (_O.REJECTED, _I.REJECT): (_O.REJECTED, Act.NOTHING),
    (_O.REJECTED, _I.BLOCK): (_O.BLOCKED, Act.NOTHING),
    (_O.BLOCKED, _I.MESSAGE): (_O.BLOCKED, Act.DROP),
    (_O.BLOCKED, _I.MESSAGE_WHILE_BUSY): (_O.BLOCKED, Act.DROP),
    (_O.BLOCKED, _I.BLOCK): (_O.BLOCKED, Act.NOTHING),
    (_O.BLOCKED, _I.UNBLOCK): (_O.STRANGER, Act.ANSWER_FREE),
    (_O.TURNED_AWAY, _I.MESSAGE): (_O.REQUEST, Act.TAKE | Act.ANNOUNCE),
    (_O.TURNED_AWAY, _I.MESSAGE_WHILE_BUSY): (_O.TURNED_AWAY, Act.LEAVE),
    (_O.TURNED_AWAY, _I.TALK): (_O.ACCEPTED, Act.ANSWER_ACCEPT),
    (_O.TURNED_AWAY, _I.ACCEPT): (_O.ACCEPTED, Act.ANSWER_ACCEPT),
    (_O.TURNED_AWAY, _I.REJECT): (_O.REJECTED, Act.ANSWER_REJECT),
    (_O.TURNED_AWAY, _I.BLOCK): (_O.BLOCKED, Act.ANSWER_REJECT),
    (_O.TURNED_AWAY, _I.FREE): (_O.STRANGER, Act.ANSWER_FREE),
}
"""How we hold the other: (state, input) -> (next state, what to do)."""


class Heard(Enum):
    """What bears on ``Theirs``."""

    WE_SAID = "we said something"
    THEY_SAID = "they said something"
    ACCEPT = "accepted"
    REJECT = "rejected"
    BUSY = "busy"
    FREE = "free"


_H, _T = Heard, Theirs
THEIRS: dict[tuple[Theirs, Heard], Theirs] = {
    (_T.UNKNOWN, _H.WE_SAID): _T.ASKED,
    (_T.UNKNOWN, _H.THEY_SAID): _T.ACCEPTED,
    # These two are of words left before a block of theirs that they lifted.
    (_T.UNKNOWN, _H.ACCEPT): _T.ACCEPTED,
    (_T.UNKNOWN, _H.BUSY): _T.BUSY,
    (_T.UNKNOWN, _H.REJECT): _T.REJECTED,  # they turned to us first, and then away, before we said anything
    (_T.ASKED, _H.THEY_SAID): _T.ACCEPTED,
    (_T.ASKED, _H.ACCEPT): _T.ACCEPTED,
    (_T.ASKED, _H.REJECT): _T.REJECTED,
    (_T.ASKED, _H.BUSY): _T.BUSY,
    (_T.ACCEPTED, _H.REJECT): _T.REJECTED,
    (_T.ACCEPTED, _H.BUSY): _T.BUSY,  # they lost their home, and do not know us any more
    (_T.REJECTED, _H.THEY_SAID): _T.ACCEPTED,
    (_T.REJECTED, _H.ACCEPT): _T.ACCEPTED,
    (_T.REJECTED, _H.FREE): _T.UNKNOWN,
    (_T.BUSY, _H.THEY_SAID): _T.ACCEPTED,
    (_T.BUSY, _H.ACCEPT): _T.ACCEPTED,
    (_T.BUSY, _H.REJECT): _T.REJECTED,
    (_T.BUSY, _H.FREE): _T.ASKED,
}
"""How the other holds us: (state, what we heard) -> next state; what is not here changes nothing."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Both answers, how many lines the request has, and whether a rejection was posted to this home of the other."""

    ours: Ours = Ours.STRANGER
    theirs: Theirs = Theirs.UNKNOWN
    lines: int = 0
    told: bool = False

    @property
    def speaks(self) -> bool:
        """Whether words may go out of themselves: they tell the other that we accept it."""
        return self.ours is Ours.ACCEPTED and self.theirs is not Theirs.REJECTED
