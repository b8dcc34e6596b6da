"""What a lobby is to us, as values that never change.

Left out: whose it is among (``chat.state``), what changes it (the rooms beside this one), how it is kept on disk
(``chat.records``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import IntEnum
from typing import NamedTuple

from conclave.chat.fifo import Fifo
from conclave.chat.words.content import Unsaid
from conclave.chat.words.gaps import Gaps
from conclave.lobby.followers import Followers
from conclave.lobby.order import Order, same
from conclave.lobby.shelf import Shelf
from conclave.mls.group import Staged
from conclave.values import dataclass, field, replace
from conclave.wire.order import Boxes, EntryKind, Run


class Stage(IntEnum):
    """What a lobby is to us. The numbers are stored."""

    INVITED = 3
    JOINING = 4  # we accepted; the welcome is to come
    MEMBER = 5
    LEAVING = 6  # we said so; the commit that puts us out is to come
    ENDED = 7
    CLOSING = 8  # we closed it; some do not know yet


PAYLOAD_NAME_BYTES = 16
"""Of the name of a ciphertext (``groups.payload_name``)."""


@dataclass(frozen=True, slots=True)
class Flying:
    """Something of ours that is handed in under ``number`` and not seen ordered.

    ``payload`` is empty until it is protected, and where that must be done anew; ``former`` are the names of what it
    was before (``groups.payload_name``). A commit has no ``content``, and no ``id``.
    """

    number: int
    kind: EntryKind
    epoch: int
    id: bytes = b""
    content: bytes = field(default=b"", repr=False)
    payload: bytes = field(default=b"", repr=False)
    original: bytes = field(default=b"", repr=False)
    former: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Intents:
    """Changes of the group that we want to commit: key packages by handle, reasons by handle, our keys anew.

    ``judged`` are those to be put out because the authority says so, and nobody else: when it said so (UNIX seconds
    by its clock), or 0 where a list of it does.
    """

    adds: Mapping[str, bytes] = field(default_factory=dict)
    removes: Mapping[str, str] = field(default_factory=dict)
    deputies: tuple[str, ...] | None = None
    update: bool = False
    judged: Mapping[str, int] = field(default_factory=dict)

    @property
    def some(self) -> bool:
        """Whether there are any."""
        return bool(self.adds or self.removes or self.update or self.deputies is not None)

    def put_out(self, handle: str, reason: str, *, judged: int | None = None) -> Intents:
        """The same, and ``handle`` is to be put out; ``judged``: by the authority's word of then, or its list."""
        named = {one: at for one, at in self.judged.items() if one != handle}
        if judged is not None and (handle in self.judged or handle not in self.removes):
            named[handle] = judged
        return replace(self, removes={**self.removes, handle: reason}, judged=named)

    def let_in_no_more(self, handles: Collection[str]) -> Intents:
        """The same, and ``handles`` are not to be let in, or are in already."""
        return replace(self, adds={one: package for one, package in self.adds.items() if one not in handles})

    def keep_in(self, handles: Collection[str]) -> Intents:
        """The same, and ``handles`` are not to be put out, or are out already."""
        removes = {handle: why for handle, why in self.removes.items() if handle not in handles}
        judged = {handle: at for handle, at in self.judged.items() if handle not in handles}
        return replace(self, removes=removes, judged=judged)


@dataclass(frozen=True, slots=True)
class Voice:
    """What we say in a lobby, until it has its place in the order. The last five are not kept."""

    next: int = 1  # number of the next thing that we hand in
    count: int = 0  # our messages here
    waiting: Fifo[Unsaid] = field(default_factory=Fifo)
    flying: tuple[Flying, ...] = ()
    staged: Staged | None = None  # our commit under way
    sent: int = 0  # the highest number handed in on the present link
    mail_to: Run | None = None  # the term in whose leader's mailbox something was left
    mailed: int = 0  # the highest number that was left there, as it is now
    mail_until: float = 0.0  # UNIX seconds until when all of these are there; 0: not known, or none is
    moved: float = 0.0  # UNIX seconds of its last progress


@dataclass(frozen=True, slots=True)
class Mark:
    """What a member's latest receipt says: everything up to ``has`` but ``missing``; read up to ``read``."""

    has: int = 0
    read: int = 0
    missing: tuple[tuple[int, int], ...] = ()

    def covers(self, seq: int) -> bool:
        """Whether the member has entry ``seq``."""
        return self.has >= seq and not any(first <= seq <= last for first, last in self.missing)


@dataclass(frozen=True, slots=True)
class Ears:
    """What we heard in a lobby, and who has it."""

    counts: Shelf[str, int] = field(default_factory=Shelf)  # everybody's latest counter
    marks: Shelf[str, Mark] = field(default_factory=Shelf)
    read: int = 0  # the entry up to which our person has read
    lost: tuple[tuple[int, int], ...] = ()  # entries that we could not open
    words: int = 0  # the latest entry that people are to see
    gaps: Gaps = field(default_factory=dict)  # whose counted messages lack, until people are told
    told: tuple[int, int] = (0, 0)  # what our last receipt said; this and what follows is not kept
    due: float = 0.0  # when the next one is to be sent; 0: none
    calls: Mapping[bytes, frozenset[str]] = field(default_factory=dict)  # who answered which roll call
    heeded: Mapping[str, float] = field(default_factory=dict)  # whose roll call we answered when, and when we called


class Waited(NamedTuple):
    """For how long something has gone on, as far as we were awake to see it. Times are seconds."""

    seconds: float = 0.0
    last: float = 0.0  # UNIX seconds when it was seen last; 0: never

    def seen(self, now: float, step: float) -> Waited:
        """It goes on ``now``; of the time since it was seen last ``step`` counts at most: we may have slept."""
        return Waited(self.seconds + (min(abs(now - self.last), step) if self.last else 0.0), now)


class Step(IntEnum):
    """How we come from a half that lost into the one that counts. The numbers are stored."""

    SOUND = 0
    UNWIND = 1  # to read what we had behind the place where the orders part
    REJOIN = 2  # its epochs are not ours: the leader is asked for what an external commit needs
    ENTER = 3  # that commit is under way
    TALLY = 4  # the orders share no entry: what others may lack of what we have is read, then as ``REJOIN``


@dataclass(frozen=True, slots=True)
class Healing:
    """What is under way between two halves, and what is needed for it."""

    step: Step = Step.SOUND
    common: int = 0  # the last entry that both orders have
    pull: tuple[tuple[int, int], ...] = ()  # of these entries we ask for what was said
    orphans: tuple[tuple[str, bytes], ...] = ()  # authors and ids of what was said in a half that lost
    entered: Mapping[str, int] = field(default_factory=dict)  # who came in by which entry
    gone: Mapping[str, tuple[int, str]] = field(default_factory=dict)  # who went out by which entry, and why
    owed: frozenset[str] = frozenset()  # who went out, and has not the entry that says so
    known: Mapping[bytes, tuple[str, bytes]] = field(default_factory=dict)
    """What was opened in a half that lost: author, id (empty: no line); of a timer its seconds in place of that."""
    met: Mapping[str, int] = field(default_factory=dict)  # whom we met by which entry: when it came in we do not know
    anew: frozenset[str] = frozenset()  # who was let in in our half alone, and is to be asked in anew
    terms: int = 0  # how far ahead of ours one member alone may claim a term (``chat.lobbies.terms``)
    terms_at: int = 0  # UNIX seconds of that; 0: we know of no change yet
    had: int = 0  # the entry up to which we had everything when we were let in once more
    forked: bool = False  # in ``UNWIND``: the half that counts has other keys, whatever is found behind ``common``
    places: Mapping[tuple[str, bytes], int] = field(default_factory=dict)
    """Where orphans stood, until we are in another half: who came in behind is not to have them."""
    unseen: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    """Entries while which a member may have been out, as we were in another half: of these we give it nothing."""
    apart: Mapping[tuple[str, bytes], tuple[str, ...]] = field(default_factory=dict)
    """Who of those who were in lacks which of these: once they are kept back, each is given them alone."""
    untold: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    """Who has not answered yet itself what it has of these: that there is nothing of it is another's word alone."""
    posted: Mapping[tuple[str, bytes, str], int] = field(default_factory=dict)
    """By which post what of these went to whom (author, id, handle): once only. Kept until it has arrived."""
    handed: frozenset[tuple[str, bytes]] = frozenset()
    """What of these was given us alone too: it is passed on over links, and left in no mailbox."""
    outlived: Mapping[str, int] = field(default_factory=dict)
    """By which entry a device was out of somebody who is in with a later one."""
    asked: float = 0.0  # what follows is not kept
    share: float = 0.0  # when orphans of others are to be shared
    given: frozenset[tuple[str, bytes]] = frozenset()  # those of the orphans that we are sharing
    vouched: Mapping[tuple[str, bytes], int] = field(default_factory=dict)  # what is to be said, ordered as one says
    unsealed: frozenset[bytes] = frozenset()  # of ours, what cannot be said again: somebody may have it
    source: str = ""  # whom we asked for what we lack, and have no whole answer of
    own: bool = False  # it is to give what it said itself, of what it was asked last, and no more
    silent: Mapping[str, int] = field(default_factory=dict)  # who did not answer how often
    pulled: float = 0.0  # when we last asked for what we lack
    poor: Mapping[str, int] = field(default_factory=dict)  # who answered how often that it lacks some too
    unknown: float = 0.0  # since when the half that counts says that we were never let in there
    anew_at: float = 0.0  # when they are asked

    def since(self, handle: str) -> int:
        """The entry behind which somebody was in for certain; 0: from the beginning, as far as we know."""
        return max(self.entered.get(handle, 0), self.met.get(handle, 0))


@dataclass(frozen=True, slots=True)
class Refusals:
    """What commits of ours the leader of a term refused: the next one judges by its own clock and list."""

    by: Run | None = None
    doubted: frozenset[str] = frozenset()  # whom a commit was to let in: each goes alone
    epoch: int = 0  # in which it refused one for our own sake
    at: float = 0.0  # when that is tried again ...
    pause: float = 0.0  # ... after how many seconds


class Shows(NamedTuple):
    """Somebody shows ``member`` what was said before; ``lines`` more are to come, of ``strangers`` we said so."""

    member: str
    lines: int
    strangers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Watch:
    """What we know of the leader and of the others' positions. Nothing of it is kept."""

    followers: Followers | None = None  # while we lead
    ahead: Mapping[str, int] = field(
        default_factory=dict
    )  # who showed more of the order than we had, and up to where
    source: str = ""  # of whom was fetched last
    fetching: int = 0  # last entry of the fetch under way; 0: none
    fetched: float = 0.0  # UNIX seconds of that fetch
    heard: float = 0.0  # UNIX seconds of the leader's last sign
    beat: float = 0.0  # UNIX seconds of our own, as the leader, or when we last prodded one that is silent
    told: int = 0  # the entry up to which we told the leader that we are
    told_at: float = 0.0  # UNIX seconds of that
    tied: frozenset[str] = frozenset()
    renew: float = 0.0  # when our keys are to be renewed
    parting: float = 0.0  # when we last said that we leave
    forsaken: Waited = Waited()  # seconds beyond the lobby's, and when they were counted last
    unsaid: int = 0  # so much of ours had no place then
    vouched: Mapping[str, Run] = field(default_factory=dict)  # whom others follow, while we come from a backup
    vouching: float = 0.0  # since when others say so
    absent: frozenset[str] = frozenset()  # who says that it is not in, while we come from a backup
    keyless: Mapping[str, Waited] = field(default_factory=dict)
    """Who asks us for keys while we have none: for how many seconds, and when it did so last."""
    handed: Run | None = None  # the term whose leader lost its home, or is out, or forgot it, and leads no more
    purge: Mapping[str, float] = field(default_factory=dict)  # when we remove whom, unless somebody else has
    gather: float = 0.0  # when those who accepted are let in, all at once
    refusals: Refusals = field(default_factory=Refusals)  # see ``Lobby.refusals``
    mailing: Mapping[str, int] = field(default_factory=dict)  # up to where to whose mailbox; LAST_SEQ: it fits none
    mail_at: float = 0.0  # UNIX seconds before which nothing is mailed
    untaken: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    """Who could not take its mail: when that is left anew (UNIX seconds), and for how many seconds that waits."""
    boxes: Boxes | None = None  # what whoever leads told last of mailboxes: to be shown, and no more
    rumours: Mapping[str, tuple[Run, float]] = field(default_factory=dict)
    """Whose leader we have not heard ourselves: who says to follow it, in which term, and since when."""
    shunned: Mapping[str, Waited] = field(default_factory=dict)
    """Who says that we are out in its half, for how many seconds, and when it said so last."""
    put_out: frozenset[str] = frozenset()  # who of them names the entry that put us out there
    estranged: frozenset[str] = frozenset()  # who says so and is out here: a head is shown it ever more rarely
    shown: Mapping[str, Waited] = field(default_factory=dict)
    """Who takes us for in while we wait to be: for how many seconds that it was heard in, and when it was last."""
    claims: Mapping[str, int] = field(default_factory=dict)  # who shows a term that we do not believe of one
    turn: tuple[str, float] = ("", 0.0)  # who is coming in from another half, and until when it is waited for
    queue: tuple[str, ...] = ()  # who wants in next
    vain: tuple[str, int] = ("", 0)  # which leader gave nothing of what it shows, and how often it was asked for it
    shows: Mapping[str, Shows] = field(default_factory=dict)  # who shows whom what was said before
    brought: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    """Who was named as bringing whose words, for what they are, and when."""
    committed: Mapping[str, tuple[float, ...]] = field(default_factory=dict)  # whose latest commits were ordered when


class Reach(NamedTuple):
    """A follower has an order up to entry ``upto``: its mailbox from entry ``first`` on (0: nothing is in it).

    ``until`` is when that goes from there (UNIX seconds; 0: not known).
    """

    upto: int
    first: int = 0
    until: int = 0


@dataclass(frozen=True, slots=True)
class Lobby:
    """A lobby as we know it. ``label`` is what people here call it, with its ``#``."""

    group: bytes
    name: str
    label: str
    stage: Stage
    inviter: str = ""  # who asked us in
    asked: tuple[str, ...] = ()  # who was in when we were invited, or when the backup was made that we came from
    hushed: bool = False  # the invitation came while we were busy: people are told when we are free
    ended: float = 0.0  # UNIX seconds
    order: Order | None = None
    lead: Run | None = None  # the best term that we have heard of
    invited: frozenset[str] = frozenset()  # whom we asked in
    intents: Intents = field(default_factory=Intents)
    healing: Healing = field(default_factory=Healing)
    timer: int = 0  # seconds after which what is said here disappears; 0: never
    timed: int = 0  # the entry that set it; 0: none that we know of, so the first one that names it counts
    timers_before: tuple[tuple[int, int], ...] = ()  # those before, and their entries: one counts where later are cut
    timers_ours: tuple[int, ...] = ()  # entries by which we set one, which we say again where they are cut
    forsaken: int = 0  # seconds for which nobody followed a leader that left as we do, or ourselves, while we ran
    former: str = ""  # who had asked us in before, where it had ended and we are asked in again
    inviters: tuple[str, ...] = ()  # who asked us in too, and has no answer
    invites: Mapping[str, int] = field(default_factory=dict)  # by which post of ours to it somebody was asked in last
    timers_heard: tuple[int, ...] = ()  # entries that we know to have set one, not from who says one again
    since: int = 0  # UNIX seconds when our people were asked in; 0: not known
    voice: Voice = field(default_factory=Voice)
    ears: Ears = field(default_factory=Ears)
    mailed: Mapping[str, Reach] = field(default_factory=dict)  # while we lead: who is away, or was and is not heard
    names: Mapping[str, str] = field(default_factory=dict)  # who asked us in under another name than ``name``
    watch: Watch = field(default_factory=Watch)

    @property
    def follows(self) -> bool:
        """Whether its order is ours to follow: we are in, be it on our way out."""
        return self.stage in (Stage.MEMBER, Stage.LEAVING)

    @property
    def inside(self) -> bool:
        """Whether we have its keys: as long as it is followed, or we closed it and some do not know."""
        return self.follows or self.stage is Stage.CLOSING

    @property
    def awaited(self) -> bool:
        """Whether we are asked in, or said yes and are yet to be let in."""
        return self.stage in (Stage.INVITED, Stage.JOINING)

    @property
    def leader(self) -> str:
        """Who leads it, as far as we know; empty while we are not in."""
        return self.lead.leader if self.lead is not None else self.inviter

    @property
    def refusals(self) -> Refusals:
        """What whoever leads by now refused of ours."""
        known = self.watch.refusals
        if self.lead is None or (known.by is not None and same(known.by, self.lead)):
            return known
        return Refusals(self.lead)

    @property
    def asking(self) -> tuple[str, ...]:
        """Whose invitations our people are shown: that of one alone, and once they said yes to it the others'."""
        return (self.inviter,) if self.stage is Stage.INVITED else self.inviters

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Who asked us in and has no answer, who is shown first."""
        return (*self.asking, *self.inviters) if self.stage is Stage.INVITED else self.inviters

    def name_of(self, handle: str) -> str:
        """Under which name somebody asked us in."""
        return self.names.get(handle, self.name)

    @property
    def closed(self) -> int:
        """The last entry of a lobby that we closed, while others may not know it; 0: it is none."""
        if self.stage is Stage.CLOSING and self.order is not None:
            return self.order.seq
        return self.lead.last if self.stage is Stage.ENDED and self.lead is not None else 0

    def before(self) -> Lobby | None:
        """What it was before we were asked in: ended, with its history under its label; None: nothing to us."""
        if not self.former:
            return None
        return Lobby(self.group, self.name, self.label, Stage.ENDED, self.former, ended=self.ended)
