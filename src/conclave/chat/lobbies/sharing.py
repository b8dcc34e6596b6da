"""Signed words of others: given to who missed them, taken from who has them, believed by their authors' signatures.

Where two halves of a lobby meet, each lacks what was said in the other. Authors who lost say their own words again;
what of others stays unsaid for a while is shared through the order by those who lost. Who comes into the half that
counts asks its leader for what was said there, and others where the leader lacks some too. All of it is the authors'
own signed messages, and history takes each once. Left out: how halves meet (``chat.lobbies.healing``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from conclave.chat import groups
from conclave.chat.effects import Recollect, SendOriginals
from conclave.chat.hearing import HISTORY, Heard, hear, is_over, own_notice
from conclave.chat.links import send
from conclave.chat.lobbies import audience, lacks, receipts
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
from conclave.wire.order import Originals, Recall

SHARED_BYTES = 40 * 1024
"""Originals in one message, about; a single one may be larger."""
ORPHANS_AT_ONCE = 256
"""Originals that are read from the store at once."""
ASKED_MOST = 3
"""Where all others answer so often that they lack some too, nobody has them."""
SILENT_MOST = 12
"""Who said so, or did not answer so often in a row, is asked half as often from then on each time ..."""
RARELY = 5
"""... so many times: it may get them, or come here from another half."""
TIED_MOST = 3
"""Members to whom we want links at once to ask them, where the leader lacks it too."""
STRANGERS_MOST = 8
"""So many are named whose words one message brings, and who were not in; of more it is said that there are more."""


def read_signed(work: Work, lobby: Lobby, data: bytes) -> tuple[str, bytes, Signed]:
    """Verify signed words of this lobby: author, content, and the whole. Raises ``RemoteError``."""
    signed = Signed.decode(data)
    key = subject_key(signed.certificate)
    author = work.judges.members(Credential.x509((signed.certificate,)), key, work.now).decode()
    said = mls.verify_original(signed.original, key)
    if said.group_id != lobby.group:
        raise VerificationError("they were said elsewhere")
    return author, said.data, signed


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
    their author stood.
    """
    strangers: set[str] = set()
    for place, author, content, signed in believed(work, lobby, by, items):
        work.keep_certificate(signed.certificate, subject_key(signed.certificate))
        current = work.lobby(lobby.group) or lobby
        seq = place if ordered or _may_stand(current, signed, place) else 0
        timer = current.timer if 0 < current.timed < seq else 0
        if author == work.me:
            if ordered or not _unsaid(current, author, content.id):  # of a home from a backup it may be since then
                hear(work, Heard(lobby.label, author, content, signed.keep(), seq, Status.SENT, True, timer))
                work.mark_line(lobby.label, content.id, Status.SENT, seq)
                said_again(work, lobby.group, author, content.id)
                if isinstance(content.body, Delete):
                    _taken_back(work, lobby.group, content.body.id)
            else:
                _vouched(work, lobby.group, author, content.id, seq)
            continue
        if (author, content.id) in current.healing.orphans:
            work.place_line(lobby.label, author, content.id, seq)
            if ordered:
                said_again(work, lobby.group, author, content.id)
            else:
                _vouched(work, lobby.group, author, content.id, seq)
        else:
            heard = Heard(lobby.label, author, content, signed.keep(), seq, Status.RECEIVED, True, timer)
            if not ordered and is_over(work, heard) and not is_over(work, replace(heard, timer=0)):
                continue  # that they were said under the timer is the word of ``by`` alone: they lack still
            shows = content.count or isinstance(content.body, HISTORY)  # who is counted is no stranger from then on
            if shows and author not in strangers and _strange(work, current, author):
                strangers.add(author)
                _met(work, current, by, author, seq, len(strangers))
            hear(work, heard)
        counts = current.ears.counts
        if content.count > (counts.get(author) or 0):
            after = work.lobby(lobby.group) or current
            work.keep_lobby(replace(after, ears=replace(after.ears, counts=counts.put(author, content.count))))
        _filled(work, lobby.group, author, content.count)


def _may_stand(lobby: Lobby, signed: Signed, seq: int) -> bool:
    """Whether words may be at a place of our order: where their author had more of it, they came later."""
    try:
        stand = groups.read_stand(mls.read_original(signed.original).authenticated_data)
    except DecodeError:  # its author says nothing of it
        return True
    return lobby.order is None or stand.seq < seq or not orders.has(lobby.order, stand.run, stand.seq)


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
    said_again(work, group, work.me, identity)


def _strange(work: Work, lobby: Lobby, author: str) -> bool:
    """Whether ``author`` came and went in another half: that it was in we have of who brings its words alone."""
    state = work.session(lobby.group)
    known = author in lobby.ears.counts or author in lobby.healing.gone
    return state is not None and not known and author not in groups.roster(state)


def _met(work: Work, lobby: Lobby, by: str, author: str, seq: int, number: int) -> None:
    """Say it of a stranger, the ``number``-th in one message: nobody fills our history with such notices.

    A home from a backup does not know who was in, and has gone, before it came in.
    """
    if number > STRANGERS_MOST + 1:
        return
    who, were = (author, "was") if number <= STRANGERS_MOST else ("others too", "were")
    if seq > lobby.healing.since(work.me):
        text = f"{by} brings words of {who}, who {were} not in {lobby.label} while you were"
    else:
        text = (
            f"{by} brings words of {who} from before this device was in {lobby.label}; who was then, it cannot tell"
        )
    own_notice(work, lobby.label, text, seq)


def _filled(work: Work, group: bytes, author: str, count: int) -> None:
    lobby = work.lobby(group)
    if lobby is not None and author in lobby.ears.gaps:
        work.keep_lobby(replace(lobby, ears=replace(lobby.ears, gaps=gaps.filled(lobby.ears.gaps, author, count))))


def said_again(work: Work, group: bytes, author: str, identity: bytes) -> None:
    """Something of a half that lost has its place in the order that counts."""
    lobby = work.lobby(group)
    if lobby is None:
        return
    vouched = dict(lobby.healing.vouched)
    first = vouched.pop((author, identity), None)
    if first is not None:
        lobby = replace(lobby, healing=replace(lobby.healing, vouched=vouched))
        work.keep_lobby(lobby)
        if author == work.me:  # it is ordered now for certain; the others have it where it was ordered first
            work.mark_line(lobby.label, identity, Status.SENT, first)
    if (author, identity) not in lobby.healing.orphans:
        return
    orphans = tuple(one for one in lobby.healing.orphans if one != (author, identity))
    healing = replace(lobby.healing, orphans=orphans, unsealed=lobby.healing.unsealed - {identity})
    work.keep_lobby(replace(lobby, healing=healing), reworded=True)


# --- what our half said ---


def kept_back(work: Work, lobby: Lobby, people: Iterable[str]) -> Lobby:
    """The same where we are in with ``people``: of our half nothing is said again from before one of them came in.

    Who came in there, and is in here, was asked in by somebody who had said it all again, or made the half up:
    then the others have what is from before it.
    """
    places = lobby.healing.places
    floor = max((lobby.healing.since(one) for one in people if one != work.me), default=0)
    back = {one for one, seq in places.items() if seq <= floor}
    for author, identity in back:
        if author == work.me:
            work.mark_line(lobby.label, identity, Status.SENT)
    orphans = tuple(one for one in lobby.healing.orphans if one not in back)
    return replace(lobby, healing=replace(lobby.healing, orphans=orphans, places={}))


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
    """Time passed: share what its authors have not said again; ask again for what we lack."""
    lobby = work.lobby(group)
    if lobby is None or lobby.healing.step is not Step.SOUND:
        return
    healing = lobby.healing
    if healing.orphans:
        if not healing.share:
            begin(work, group, at_once=False)
        elif work.now >= healing.share:
            # What is vouched for waits for the next time: where it was shared in truth, most hear so until then.
            awaited = {(work.me, one) for one in healing.unsealed} if healing.pull else set()
            due = [one for one in healing.orphans if one not in awaited]
            due = [one for one in due if one[0] == work.me or one not in healing.vouched]
            if due:
                work.deed(Recollect(group, lobby.label, tuple(due[:ORPHANS_AT_ONCE])))
            share = work.now + 4 * work.settings.share_after * (1 + work.chance())
            ours = {one: seq for one, seq in healing.vouched.items() if one[0] == work.me}
            work.keep_lobby(replace(lobby, healing=replace(healing, share=share, vouched=ours)))
            work.wake(share)
        else:
            work.wake(healing.share)
    ask(work, group)


def recollected(
    work: Work,
    group: bytes,
    items: Sequence[tuple[str, bytes, bytes]],
    missing: Sequence[tuple[str, bytes]] = (),
) -> None:
    """The store gives originals: ours are said again, others' shared. What it has no more cannot be either."""
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
        said_again(work, group, author, identity)
    lobby = work.lobby(group)
    if lobby is None or lobby.healing.step is not Step.SOUND:
        return
    flying = {one.id for one in lobby.voice.flying} | {one.id for one in lobby.voice.waiting}
    batch: list[bytes] = []
    given = set(lobby.healing.given)
    size = 0
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
        batch.append(data)
        size += len(data)
        if size >= SHARED_BYTES:
            say_content(work, group, Shared(tuple(batch)))
            batch, size = [], 0
    if batch:
        say_content(work, group, Shared(tuple(batch)))
    lobby = work.lobby(group) or lobby
    work.keep_lobby(replace(lobby, healing=replace(lobby.healing, given=frozenset(given))))
    work.stir(group)


def given(work: Work, group: bytes) -> None:
    """What we shared has its place. Who believes it has it; we share it no more, though nobody may."""
    lobby = work.lobby(group)
    for one in lobby.healing.given if lobby is not None else ():
        said_again(work, group, *one)
    lobby = work.lobby(group)
    if lobby is not None and lobby.healing.given:
        work.keep_lobby(replace(lobby, healing=replace(lobby.healing, given=frozenset())))


# --- what the other half said ---


def want(work: Work, group: bytes, seq: int) -> None:
    """We have no key for this entry: its author's own signed words are asked for."""
    lobby = work.lobby(group)
    if lobby is None:
        return
    healing = replace(lobby.healing, pull=lacks.added(lobby.healing.pull, seq, seq), poor={})
    work.keep_lobby(replace(lobby, healing=healing), reworded=True)
    work.pending = True


def ask(work: Work, group: bytes) -> None:
    """Ask the leader, then the others, for what was said while our half was another one."""
    lobby = work.lobby(group)
    state = work.session(group)
    if lobby is None or not lobby.healing.pull or state is None:
        return
    after, before = lacks.between(lobby.healing.pull)
    poor, silent, people = lobby.healing.poor, dict(lobby.healing.silent), _others(work, lobby)
    if all(poor.get(one, 0) >= ASKED_MOST for one in people):
        ears = replace(lobby.ears, lost=lacks.known(lobby))
        healing = replace(lobby.healing, pull=(), poor={}, silent={}, source="")
        work.keep_lobby(replace(lobby, healing=healing, ears=ears), reworded=True)
        return
    linked = [one for one in people if work.peer(one).linked and not _elsewhere(work, lobby, one)]
    if not linked:
        return
    if lobby.healing.source:
        silent[lobby.healing.source] = silent.get(lobby.healing.source, 0) + 1

    def rarely(one: str) -> int:
        return min(RARELY, max(0, silent.get(one, 0) - SILENT_MOST, poor.get(one, 0) - ASKED_MOST + 1))

    source = min(linked, key=lambda one: (rarely(one), poor.get(one, 0) + silent.get(one, 0)))
    pause = work.settings.resend_after * 2 ** rarely(source)
    if abs(work.now - lobby.healing.pulled) < pause:
        work.wake(lobby.healing.pulled + pause)
        return
    work.pending = True
    healing = replace(lobby.healing, pulled=work.now, source=source, silent=silent)
    work.keep_lobby(replace(lobby, healing=healing))
    audience.show_head(work, lobby, source)  # the places are of this order: it may have another
    send(work, source, Recall(group, after, before))


def _others(work: Work, lobby: Lobby) -> list[str]:
    """All others who are in, the leader first."""
    state = work.session(lobby.group)
    people = dict.fromkeys((lobby.leader, *groups.roster(state))) if state is not None else {}
    return [one for one in people if one != work.me]


def wanted(work: Work, lobby: Lobby) -> frozenset[str]:
    """To whom we want links because the leader lacks it too, or does not answer: last to those who do not either."""
    if not lobby.healing.pull or lobby.healing.step is not Step.SOUND:
        return frozenset()
    poor, silent = lobby.healing.poor, lobby.healing.silent
    people = sorted(
        (one for one in _others(work, lobby) if poor.get(one, 0) < ASKED_MOST),
        key=lambda one: silent.get(one, 0) >= SILENT_MOST or _elsewhere(work, lobby, one),
    )
    return frozenset(people[:TIED_MOST] if lobby.leader not in people[:1] else ())


def recall_arrived(work: Work, handle: str, recall: Recall) -> None:
    """A member asks for what was said between two entries: only since it came in, and what is not taken back.

    What is between entries that we lack is answered by itself: of that we lack none.
    """
    lobby = work.lobby(recall.group)
    state = work.session(recall.group)
    if lobby is None or state is None or handle not in groups.roster(state) or _elsewhere(work, lobby, handle):
        return
    if lobby.healing.step is not Step.SOUND:  # what has a place behind it is of an order that we leave
        recall = replace(recall, before=min(recall.before, lobby.healing.common + 1))
        if recall.before <= recall.after:
            return
    since, ours = lobby.healing.since(handle), lobby.healing.since(work.me)
    edge = max(since, ours)  # of what was before us we know little, of what was before it came in it gets nothing
    inner = {edge, *(place for first, last in lacks.known(lobby) for place in (first - 1, last))}
    inner = {place for place in inner if recall.after < place < recall.before - 1}
    for after, before in pairwise((recall.after, *sorted(inner), recall.before)):
        end = before if before == recall.before else before + 1
        whole = after >= edge and lacks.none(lobby, after, end)
        work.deed(SendOriginals(handle, recall.group, lobby.label, after, end, since, whole))


def _elsewhere(work: Work, lobby: Lobby, handle: str) -> bool:
    """Whether somebody follows an order that counts before ours: its places are not those of ours."""
    told = lobby.watch.rumours.get(handle)
    return told is not None and audience.better(work, lobby, told)


def originals_arrived(work: Work, handle: str, frame: Originals) -> None:
    """What we asked for, or a part of it. Who lacks some too leaves us asking others."""
    lobby = work.lobby(frame.group)
    state = work.session(frame.group)
    if lobby is None or not lobby.healing.pull or state is None or handle not in groups.roster(state):
        return
    if handle != lobby.healing.source:
        return  # nobody asked it
    if _elsewhere(work, lobby, handle):  # it answers of other places
        work.keep_lobby(replace(lobby, healing=replace(lobby.healing, source="")))
        return
    after, before = lacks.between(lobby.healing.pull)
    asked = [one for one in frame.items if after < one[0] < before]
    given = lacks.of(lacks.known(lobby), asked)  # the rest came through the order, and keeps its place in it
    take(work, lobby, handle, given, ordered=False)
    lobby = work.lobby(frame.group) or lobby
    pull, poor, pulled = lobby.healing.pull, dict(lobby.healing.poor), lobby.healing.pulled
    source = "" if frame.before >= before else handle
    if frame.whole:
        ends = max(after, frame.after), min(before, frame.before)
        pull, lost = lacks.without(pull, *ends), lacks.without(lobby.ears.lost, *ends)
        if (pull, lost) != (lobby.healing.pull, lobby.ears.lost):
            pulled = work.now if pull else pulled
            lobby = receipts.regained(work, lobby, lost, [seq for seq, _ in given])
    elif not source:
        poor[handle] = poor.get(handle, 0) + 1
    silent = {one: times for one, times in lobby.healing.silent.items() if one != handle}
    if not pull:
        poor, silent, source = {}, {}, ""
    healing = replace(lobby.healing, pull=pull, poor=poor, silent=silent, source=source, pulled=pulled)
    work.keep_lobby(replace(lobby, healing=healing), reworded=True)
    if pull:
        work.pending = True
