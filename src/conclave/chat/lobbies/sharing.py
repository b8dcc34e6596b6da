"""Signed words of others: taken from who has them, believed by their authors' signatures; said again, and shared.

Where two halves of a lobby meet, each lacks what was said in the other. Authors who lost say their own words again;
what of others stays unsaid for a while is shared through the order by those who lost. All of it is the authors' own
signed messages, and history takes each once. Left out: what is asked of the half that counts
(``chat.lobbies.recalling``), and how halves meet (``chat.lobbies.healing``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from conclave.chat import groups
from conclave.chat.deeds import Recollect
from conclave.chat.hearing import HISTORY, Heard, hear
from conclave.chat.lobbies import bringers, timers
from conclave.chat.lobbies.voice import say_content, wait, without
from conclave.chat.lobby_state import Lobby, Step
from conclave.chat.words import gaps
from conclave.chat.words.content import Content, Delete, Shared, decode_content
from conclave.chat.words.line import Status
from conclave.chat.words.originals import Signed
from conclave.chat.work import Work
from conclave.crypto.certificate import subject_key
from conclave.errors import DecodeError, RemoteError, VerificationError
from conclave.lobby import order as orders
from conclave.mls import group as mls
from conclave.mls.group import Credential
from conclave.values import replace

SHARED_BYTES = 40 * 1024
"""Originals in one message; a single one may be larger."""
ORPHANS_AT_ONCE = 256
"""Originals that are read from the store at once."""


def read_signed(work: Work, lobby: Lobby, data: bytes) -> tuple[str, bytes, Signed]:
    """Verify signed words of this lobby: author, content, and the whole. Raises ``RemoteError``."""
    signed = Signed.decode(data)
    key = subject_key(signed.certificate)
    author = work.judges.members(Credential.x509((signed.certificate,)), key, work.now).decode()
    said = mls.verify_original(signed.original, key)
    if said.group_id != lobby.group:
        raise VerificationError("they were said elsewhere")
    stand = groups.read_stand(said.authenticated_data)  # without it a record would show them as a pair's
    out = bringers.out_by(work, lobby, author, signed.certificate)
    if out and stand.seq >= out and lobby.order is not None and orders.has(lobby.order, stand.run, stand.seq):
        raise VerificationError(f"they are of a device of {author} that was put out before")
    return author, said.data, signed


def batches(originals: Iterable[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Signed words for one message each, of ``SHARED_BYTES`` at most but where one alone is larger."""
    batch, size = list[bytes](), 0
    for data in originals:
        if batch and size + len(data) > SHARED_BYTES:
            yield tuple(batch)
            batch, size = [], 0
        batch.append(data)
        size += len(data)
    if batch:
        yield tuple(batch)


def believed(
    work: Work, lobby: Lobby, by: str, items: Sequence[tuple[int, bytes]]
) -> Iterator[tuple[int, str, Content, Signed]]:
    """What of the signed words that ``by`` gives is true, as place, author, content and all; the rest is told."""
    for seq, data in items:
        try:
            author, plain, signed = read_signed(work, lobby, data)
            yield seq, author, decode_content(plain), signed
        except RemoteError as error:
            work.trouble(by, f"something shared in {lobby.label} was refused: {error}")


def take(work: Work, lobby: Lobby, by: str, items: Sequence[tuple[int, bytes]], *, ordered: bool) -> None:
    """Signed words that ``by`` gives, and their places in the order.

    ``ordered``: they come through the order, so everybody has them. Else that they have a place in it is the word of
    ``by`` alone: what we are about to say again, or to share, we still do, and none have one that is not behind where
    their author stood. At place 0 they are outside the order: some alone have them.
    """
    strangers: set[str] = set()
    again: list[tuple[str, bytes]] = []
    for place, author, content, signed in believed(work, lobby, by, items):
        work.keep_certificate(signed.certificate, subject_key(signed.certificate))
        current = work.lobby(lobby.group) or lobby
        seq = place if ordered or _may_stand(current, signed, place) else 0
        timer = current.timer if 0 < current.timed < seq else 0
        awaited = (author, content.id) in current.healing.orphans or (
            author == work.me and _unsaid(current, author, content.id)
        )
        if ordered and awaited:  # what has its place keeps its time: anybody may share it again
            timers.hold(work, lobby.group, author, content)
        if author == work.me:
            if ordered and not _unsaid(current, author, content.id):  # what we asked for is given back untold
                bringers.named(work, current, by, author, signed, seq, shared=ordered)
            if ordered or not _unsaid(current, author, content.id):  # of a home from a backup it may be since then
                hear(work, Heard(lobby.label, author, content, signed.keep(), seq, Status.SENT, True, timer))
                work.mark_line(lobby.label, content.id, Status.SENT, seq)
                again.append((author, content.id))
                if isinstance(content.body, Delete):
                    _taken_back(work, lobby.group, content.body.id)
            elif place:
                _vouched(work, lobby.group, author, content.id, seq)
            continue
        heard = Heard(lobby.label, author, content, signed.keep(), seq, Status.RECEIVED, True, timer, ordered)
        if (author, content.id) in current.healing.orphans:
            work.place_line(lobby.label, author, content.id, seq)
            if ordered:
                hear(work, heard)  # it may be other words under that name
                again.append((author, content.id))
            elif place:
                _vouched(work, lobby.group, author, content.id, seq)
        else:
            shows = content.count or isinstance(content.body, HISTORY)  # who is counted is no stranger from then on
            if shows:
                bringers.meet(work, current, by, author, seq, strangers)
                bringers.named(work, current, by, author, signed, seq, shared=ordered)
            hear(work, heard)
        if _said_before(work, current, author, signed):
            continue
        counts = current.ears.counts
        if content.count > (counts.get(author) or 0):
            after = work.lobby(lobby.group) or current
            work.keep_lobby(replace(after, ears=replace(after.ears, counts=counts.put(author, content.count))))
        _filled(work, lobby.group, author, content.count)
    said_again(work, lobby.group, again)


def _may_stand(lobby: Lobby, signed: Signed, seq: int) -> bool:
    """Whether words may be at a place of our order: where their author had more of it, they came later."""
    stand = bringers.stand_of(signed)
    return lobby.order is None or stand.seq < seq or not orders.has(lobby.order, stand.run, stand.seq)


def _said_before(work: Work, lobby: Lobby, author: str, signed: Signed) -> bool:
    """Whether words are of before their author came in once more: it counts from the beginning since then.

    Of before we came in ourselves they may be: who is in may have been out meanwhile.
    """
    state = work.session(lobby.group)
    ours = bringers.came_in(work, lobby) if state is not None and author in groups.roster(state) else 0
    return bringers.stand_of(signed).seq < max(ours, lobby.healing.entered.get(author, 0))


def _unsaid(lobby: Lobby, author: str, identity: bytes) -> bool:
    """Whether words of ours are yet to get their place."""
    again = (author, identity) in lobby.healing.orphans and identity not in lobby.healing.unsealed
    return again or any(one.id == identity for one in (*lobby.voice.flying, *lobby.voice.waiting))


def _vouched(work: Work, group: bytes, author: str, identity: bytes, seq: int) -> None:
    """Somebody says that words have their place, which we are to say again or to share."""
    lobby = work.lobby(group)
    if lobby is not None:
        vouched = {**lobby.healing.vouched, (author, identity): seq}
        work.keep_lobby(replace(lobby, healing=replace(lobby.healing, vouched=vouched)))


def _taken_back(work: Work, group: bytes, identity: bytes) -> None:
    """We took back words of ours that we, who come from a backup, are to say again: they had been sent."""
    lobby = work.lobby(group)
    if lobby is None or not (_unsaid(lobby, work.me, identity) or identity in lobby.healing.unsealed):
        return
    work.mark_line(lobby.label, identity, Status.SENT)
    voice = without(work, lobby, lambda one: one.id == identity)
    work.keep_lobby(replace(lobby, voice=replace(voice, sent=0)), reworded=True)
    said_again(work, group, [(work.me, identity)])


def _filled(work: Work, group: bytes, author: str, count: int) -> None:
    lobby = work.lobby(group)
    if lobby is not None and author in lobby.ears.gaps:
        work.keep_lobby(replace(lobby, ears=replace(lobby.ears, gaps=gaps.filled(lobby.ears.gaps, author, count))))


def said_again(work: Work, group: bytes, lines: Collection[tuple[str, bytes]]) -> None:
    """These of a half that lost, if they are, have their place in the order that counts.

    All of one message at once: there may be many more, and each time all are looked through.
    """
    lobby = work.lobby(group)
    if lobby is None or not lines:
        return
    first = {one: lobby.healing.vouched[one] for one in lines if one in lobby.healing.vouched}
    if first:
        vouched = {one: seq for one, seq in lobby.healing.vouched.items() if one not in first}
        lobby = replace(lobby, healing=replace(lobby.healing, vouched=vouched))
        work.keep_lobby(lobby)
    for (author, identity), seq in first.items():
        if author == work.me:  # it is ordered now for certain; the others have it where it was ordered first
            work.mark_line(lobby.label, identity, Status.SENT, seq)
    again = {*lines}
    orphans = tuple(one for one in lobby.healing.orphans if one not in again)
    if len(orphans) == len(lobby.healing.orphans):
        return
    unsealed = lobby.healing.unsealed - {identity for _, identity in again}
    work.keep_lobby(replace(lobby, healing=replace(lobby.healing, orphans=orphans, unsealed=unsealed)), reworded=True)


# --- what our half said ---


def begin(work: Work, group: bytes, *, at_once: bool = True) -> None:
    """We are in the half that counts: our own words of the other are said again at once, others' a while later.

    Not ``at_once`` by a home that may come from a backup: it hears what it lacks first, and so what it took back.
    """
    lobby = work.lobby(group)
    if lobby is None or not lobby.healing.orphans:
        return
    own = tuple(one for one in lobby.healing.orphans if at_once and one[0] == work.me)
    for at in range(0, len(own), ORPHANS_AT_ONCE):
        work.deed(Recollect(group, lobby.label, own[at : at + ORPHANS_AT_ONCE]))
    share = work.now + work.settings.share_after * (1 + work.chance())
    work.keep_lobby(replace(lobby, healing=replace(lobby.healing, share=share)))
    work.wake(share)


def passed(work: Work, group: bytes) -> None:
    """Time passed: share what its authors have not said again."""
    lobby = work.lobby(group)
    if lobby is None or lobby.healing.step is not Step.SOUND or not lobby.healing.orphans:
        return
    healing = lobby.healing
    if not healing.share:
        begin(work, group, at_once=False)
        return
    if work.now < healing.share:
        work.wake(healing.share)
        return
    # What is vouched for waits for the next time: where it was shared in truth, most hear so until then.
    awaited = {(work.me, one) for one in healing.unsealed} if healing.pull else set()
    ready = (one for one in healing.orphans if one not in awaited)
    due = [one for one in ready if one[0] == work.me or one not in healing.vouched]
    if due:
        work.deed(Recollect(group, lobby.label, tuple(due[:ORPHANS_AT_ONCE])))
    share = work.now + 4 * work.settings.share_after * (1 + work.chance())
    ours = {one: seq for one, seq in healing.vouched.items() if one[0] == work.me}
    work.keep_lobby(replace(lobby, healing=replace(healing, share=share, vouched=ours)))
    work.wake(share)


def recollected(
    work: Work,
    group: bytes,
    items: Sequence[tuple[str, bytes, bytes]],
    missing: Sequence[tuple[str, bytes]] = (),
) -> None:
    """The store gives originals: ours are said again, others' shared. What it has no more cannot be either."""
    again: list[tuple[str, bytes]] = []
    for author, identity in missing:
        lobby = work.lobby(group)
        if lobby is not None and author == work.me and (author, identity) not in lobby.healing.vouched:
            if lobby.healing.pull:  # it waited as a backup was made: who is asked may have it
                healing = replace(lobby.healing, unsealed=lobby.healing.unsealed | {identity})
                work.keep_lobby(replace(lobby, healing=healing))
                continue
            # Nobody has it; but who was let in anew asks for nothing from before, and it may have been sent then.
            unheard = lobby.healing.entered.get(work.me, 0) > lobby.healing.common
            work.mark_line(lobby.label, identity, Status.SENT if unheard else Status.FAILED)
        again.append((author, identity))
    said_again(work, group, again)
    lobby = work.lobby(group)
    if lobby is None or lobby.healing.step is not Step.SOUND:
        return
    flying = {one.id for one in lobby.voice.flying} | {one.id for one in lobby.voice.waiting}
    given, shared = set(lobby.healing.given), list[bytes]()
    for author, identity, data in items:
        if (author, identity) not in lobby.healing.orphans or identity in flying:
            continue
        try:
            signed = Signed.decode(data)
            if author == work.me:
                plain = mls.read_original(signed.original).data
                wait(work, work.lobby(group) or lobby, identity, plain)
                continue
        except DecodeError:
            continue
        given.add((author, identity))
        shared.append(data)
    for batch in batches(shared):
        say_content(work, group, Shared(batch))
    lobby = work.lobby(group) or lobby
    work.keep_lobby(replace(lobby, healing=replace(lobby.healing, given=frozenset(given))))
    work.stir(group)


def given(work: Work, group: bytes) -> None:
    """What we shared has its place. Who believes it has it; we share it no more, though nobody may."""
    lobby = work.lobby(group)
    if lobby is not None:
        said_again(work, group, lobby.healing.given)
    lobby = work.lobby(group)
    if lobby is not None and lobby.healing.given:
        work.keep_lobby(replace(lobby, healing=replace(lobby.healing, given=frozenset())))
