"""What messages do, once they are opened: lines of history, and what is said about lines.

Pairs and lobbies are alike here. An author changes only what is the author's own: history is told who speaks, never
who claims to. Left out: what else it means in a lobby (``chat.lobbies.meaning``).
"""

from __future__ import annotations

from conclave.chat.deeds import HearFile, LookAtFile
from conclave.chat.effects import AddLine, AddState, AmendLine, EraseLine, PassLine, SetPin, SetReaction
from conclave.chat.notices import LineChanged
from conclave.chat.words.content import NEVER, Content, Delete, Edit, Offer, Pin, Reaction, Text
from conclave.chat.words.line import Line, LineKind, Status
from conclave.chat.words.signs import is_sign
from conclave.chat.work import Work
from conclave.errors import DecodeError
from conclave.files.record import encode_record, record_of
from conclave.values import dataclass


@dataclass(frozen=True, slots=True)
class Heard:
    """A message and where it stands: ``original`` is what its author signed, as the store keeps it."""

    conversation: str
    author: str
    content: Content
    original: bytes
    seq: int
    status: Status
    retold: bool = False  # not its author gives it to us now, but somebody who has it
    timer: int = 0  # the conversation's, in seconds: it holds for what was said by who may not have known it
    ordered: bool = False  # everybody has it at this place: what else is under its name gives way
    shown: bool = False  # to us alone, on purpose: its place is where that was done


HISTORY = Text | Offer | Edit | Delete | Reaction | Pin
"""What makes a line of history or says something of one."""


def line_of(work: Work, heard: Heard) -> Line | None:
    """The line of history that a message makes; None where it makes none."""
    content, body = heard.content, heard.content.body
    if not isinstance(body, Text | Offer):
        return None
    seconds = 0 if body.expires == NEVER else body.expires or heard.timer
    expires = work.now + seconds if seconds else 0.0
    if heard.retold and body.expires:  # its time runs since it was said; the conversation's, since it is known here
        expires = min(expires, content.sent + seconds)
    if isinstance(body, Offer):
        kind, text, reply = LineKind.FILE, body.name, None
    else:
        kind, text = LineKind.TEXT, body.text
        reply = None if body.reply is None else (body.reply.author, body.reply.id)
    return Line(content.id, heard.author, kind, text, content.sent, work.now, heard.status, heard.seq, reply, expires)


def is_over(work: Work, heard: Heard) -> bool:
    """Whether it is given to us by another, and gone by now where it was heard in time."""
    line = line_of(work, heard) if heard.retold else None
    return line is not None and 0 < line.expires <= work.now


def hear(work: Work, heard: Heard) -> bool:
    """Do what a message says, to history. Whether people are to see something of it."""
    conversation, author, content = heard.conversation, heard.author, heard.content
    if is_over(work, heard):
        work.record(PassLine(conversation, author, content.id))
        return True
    if heard.ordered:  # an offer may have been there
        work.deed(LookAtFile(conversation, content.id))
    line = line_of(work, heard)
    if line is not None:
        work.add_line(conversation, line, heard.original, ordered=heard.ordered)
        if line.expires:
            work.wake(line.expires)
        if isinstance(content.body, Offer) and author != work.me:
            _offered(work, heard, content.body)
        return True
    said = _said_of_a_line(work, heard)
    if said is None:
        return False
    target, record = said
    # Kept for its signature; a deletion names no line, else its own original would go with the words.
    about = None if isinstance(content.body, Delete) else target
    work.record(
        AddLine(
            conversation,
            Line(content.id, author, LineKind.ABOUT, "", content.sent, work.now, heard.status, heard.seq, about),
            heard.original,
            heard.ordered,
        )
    )
    if record is None:
        return True
    work.record(record)
    if isinstance(record, EraseLine):
        work.deed(LookAtFile(conversation, record.id))
    work.tell(LineChanged(conversation, *target))
    return True


def _said_of_a_line(
    work: Work, heard: Heard
) -> tuple[tuple[str, bytes], AmendLine | EraseLine | SetReaction | SetPin | None] | None:
    """Of which line something is said (author and id), and what becomes of it; None where nothing is.

    What is put at a line and is no sign is nothing: words in its place would speak for others.
    """
    where, author, sent = heard.conversation, heard.author, heard.content.sent
    match heard.content.body:
        case Edit(line, text):
            alone = heard.retold and not (heard.ordered or (heard.seq and not heard.shown))
            return (author, line), AmendLine(where, author, line, text, sent, alone)
        case Delete(line):
            return (author, line), EraseLine(where, author, line)
        case Reaction(at, sign, on):
            shown = is_sign(sign) or not on
            return (at.author, at.id), SetReaction(where, at.author, at.id, author, sign, on, sent) if shown else None
        case Pin(at, on):
            said = min(sent, work.now)  # a clock that is ahead must not outdo what others say later
            return (at.author, at.id), SetPin(where, at.author, at.id, on, said)
        case _:
            return None


def _offered(work: Work, heard: Heard, offer: Offer) -> None:
    """A file that somebody offers is remembered in the same transaction as its line, unless it is already."""
    said = min(heard.content.sent, work.now)  # a clock that is ahead must not keep the place of others' files
    try:
        offered = record_of(heard.conversation, heard.author, heard.content.id, offer, said)
    except DecodeError as error:
        work.trouble(heard.author, f"a file that {heard.author} offers is none: {error}")
        return
    work.record(AddState(offered.key, encode_record(offered)))
    work.deed(HearFile(offered))


def own_notice(work: Work, conversation: str, text: str, seq: int = 0) -> None:
    """A line that says what became of the conversation, as we see it."""
    line = Line(work.random(16), work.me, LineKind.NOTICE, text, work.now, work.now, Status.RECEIVED, seq)
    work.add_line(conversation, line)
