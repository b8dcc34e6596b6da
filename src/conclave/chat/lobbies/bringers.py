"""Who brings words of others is named where their authors' signatures alone do not show that it may.

They do not tell when something was said. Words of somebody whom we never met, by a key that is revoked, or of before
we came in are taken all the same: halves owe each other such. So it is said who brings them, of each author once
within a while, and of some authors: nobody fills our history with such notices. Left out: what is not taken at all
(``chat.lobbies.sharing``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.hearing import own_notice
from conclave.chat.lobby_state import Lobby
from conclave.chat.words.originals import Signed
from conclave.chat.work import Work
from conclave.lobby import order as orders
from conclave.mls import group as mls
from conclave.pki.verify import claimed_identity
from conclave.values import replace

STRANGERS_MOST = 8
"""So many are named whose words one message brings, and who were not in; of more it is said that there are more."""
NAMED_SECONDS = 3600.0
"""Who brings somebody's words is named again after so long: until then they may be of the same heal."""
REVOKED, SUSPENDED, BEFORE = "revoked", "suspended", "before"


def stand_of(signed: Signed) -> groups.Stand:
    """Where the author of signed words stood as it said them. Raises ``DecodeError``."""
    return groups.read_stand(mls.read_original(signed.original).authenticated_data)


def out_by(work: Work, lobby: Lobby, author: str, certificate: bytes) -> int:
    """The entry by which this device of ``author`` was put out, in the order that we follow; 0: we saw none.

    Raises ``VerificationError``.
    """
    state = work.session(lobby.group)
    if state is None or lobby.order is None:
        return 0
    if author not in groups.roster(state):
        out, _ = lobby.healing.gone.get(author, (0, ""))
    elif groups.outlived(work, state, author, claimed_identity(certificate).device):
        out = lobby.healing.outlived.get(author, 0)
    else:
        return 0
    return out if out > lobby.order.base else 0  # else it may be a place of another half


def came_in(work: Work, lobby: Lobby) -> int:
    """The entry by which we came in; 0: we opened the lobby, or were in before, and let in once more."""
    return 0 if lobby.healing.had else lobby.healing.entered.get(work.me, 0)


def _before_us(work: Work, lobby: Lobby, author: str, signed: Signed) -> bool:
    """Whether words are of our order before we came in, as far as their author had heard: not of another half."""
    stand, order, state = stand_of(signed), lobby.order, work.session(lobby.group)
    if order is None or state is None or author == work.me or stand.seq >= came_in(work, lobby):
        return False
    met = author in groups.roster(state) or author in lobby.healing.gone  # of a stranger it is said anyway
    return met and (orders.has(order, stand.run, stand.seq) or stand.seq < order.runs[-1].first)


def named(work: Work, lobby: Lobby, by: str, author: str, signed: Signed, seq: int, *, shared: bool) -> None:
    """Say who brings these words where their key is revoked, or, of ``shared`` ones, where they are of before us.

    What was said before its key was revoked, or under way as we came in, is brought by honest members too; not its
    author's own, which speaks for itself.
    """
    if by in (author, work.me):
        return
    why = work.judges.revoked(signed.certificate)
    if why is not None:
        _name(work, lobby, by, author, SUSPENDED if why.suspended else REVOKED, seq)
    if shared and _before_us(work, lobby, author, signed):
        _name(work, lobby, by, author, BEFORE, seq)


def _name(work: Work, lobby: Lobby, by: str, author: str, what: str, seq: int) -> None:
    lobby = work.lobby(lobby.group) or lobby
    told = {one: at for one, at in lobby.watch.brought.items() if abs(work.now - at) < NAMED_SECONDS}
    others = sum((one, of) == (by, what) for one, _, of in told)
    if (by, author, what) in told or others > STRANGERS_MOST:
        return
    told[by, author, what] = work.now
    work.keep_lobby(replace(lobby, watch=replace(lobby.watch, brought=told)))
    who, they = (author, author) if others < STRANGERS_MOST else ("others too", "they")
    if what == BEFORE:
        text = f"{by} brings words of {who} from before {they} heard that you came in"
    else:
        text = f"{by} brings words of {who}, signed by a key that is {what}; {by} alone says that they are older"
    own_notice(work, lobby.label, text, seq)


def meet(work: Work, lobby: Lobby, by: str, author: str, seq: int, strangers: set[str]) -> None:
    """Say it where ``author`` came and went without us: that it was in we have of who brings its words alone.

    Of each once, and of ``STRANGERS_MOST``. A home from a backup does not know who was in, and has gone, before it
    came in.
    """
    state = work.session(lobby.group)
    known = author in lobby.ears.counts or author in lobby.healing.gone or author in strangers
    if known or state is None or author in groups.roster(state) or len(strangers) > STRANGERS_MOST:
        return
    strangers.add(author)
    who, were = (author, "was") if len(strangers) <= STRANGERS_MOST else ("others too", "were")
    if not seq or seq > lobby.healing.since(work.me):
        text = f"{by} brings words of {who}, who {were} not in {lobby.label} while you were"
    else:
        text = (
            f"{by} brings words of {who} from before this device was in {lobby.label}; who was then, it cannot tell"
        )
    own_notice(work, lobby.label, text, seq)
