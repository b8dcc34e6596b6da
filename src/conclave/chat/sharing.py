"""Signed words of others: given to who missed them, taken from who has them, believed by their authors' signatures.

Where two halves of a lobby meet, each lacks what was said in the other. Authors who lost say their own words again;
what of others stays unsaid for a while is shared through the order by those who lost. Who comes into the half that
counts asks its leader for what was said there. All of it is the authors' own signed messages, and history takes each
once. Left out: how halves meet (``chat.healing``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conclave.chat import groups
from conclave.chat.content import Shared, decode_content
from conclave.chat.effects import Recollect, SendOriginals, Status
from conclave.chat.hearing import Heard, hear
from conclave.chat.links import send
from conclave.chat.originals import Signed
from conclave.chat.state import Lobby, Step
from conclave.chat.voice import say_content, wait
from conclave.chat.work import Work
from conclave.crypto.certificate import subject_key
from conclave.errors import DecodeError, RemoteError, VerificationError
from conclave.mls import group as mls
from conclave.mls.group import Credential
from conclave.wire.frames import Originals, Recall

SHARED_BYTES = 40 * 1024
"""Originals in one message, about; a single one may be larger."""
ORPHANS_AT_ONCE = 256
"""Originals that are read from the store at once."""


def read_signed(work: Work, lobby: Lobby, data: bytes) -> tuple[str, bytes, bytes, Signed]:
    """Verify signed words of this lobby: author, id, content, and the whole. Raises ``RemoteError``."""
    signed = Signed.decode(data)
    key = subject_key(signed.certificate)
    author = work.judges.members(Credential.x509((signed.certificate,)), key, work.now).decode()
    said = mls.verify_original(signed.original, key)
    if said.group_id != lobby.group:
        raise VerificationError("they were said elsewhere")
    state = work.session(lobby.group)
    people = groups.roster(state) if state is not None else {}
    if author not in people and author not in lobby.ears.counts and author not in lobby.healing.gone:
        raise VerificationError(f"{author} was never in {lobby.label}", reason="not-a-member")
    return author, decode_content(said.data).id, said.data, signed


def take(work: Work, lobby: Lobby, items: Sequence[tuple[int, bytes]]) -> None:
    """Signed words and their places in the order."""
    for seq, data in items:
        current = work.lobby(lobby.group) or lobby
        try:
            author, identity, plain, signed = read_signed(work, current, data)
            content = decode_content(plain)
        except RemoteError as error:
            work.trouble(lobby.leader, f"something shared in {lobby.label} was refused: {error}")
            continue
        if author == work.me:
            work.mark_line(lobby.label, identity, Status.SENT, seq)
            said_again(work, lobby.group, author, identity)
            continue
        work.keep_certificate(signed.certificate, subject_key(signed.certificate))
        heard = Heard(lobby.label, author, content, signed.keep(), seq, Status.RECEIVED)
        if (author, identity) in current.healing.orphans:
            work.place_line(lobby.label, author, identity, seq)
            said_again(work, lobby.group, author, identity)
        else:
            hear(work, heard)
        counts = current.ears.counts
        if content.count > (counts.get(author) or 0):
            after = work.lobby(lobby.group) or current
            work.keep_lobby(replace(after, ears=replace(after.ears, counts=counts.put(author, content.count))))
        _filled(work, lobby.group, author, content.count)


def _filled(work: Work, group: bytes, author: str, count: int) -> None:
    lobby = work.lobby(group)
    if lobby is not None and (author, count) in lobby.ears.gaps:
        gaps = {key: since for key, since in lobby.ears.gaps.items() if key != (author, count)}
        work.keep_lobby(replace(lobby, ears=replace(lobby.ears, gaps=gaps)))


def said_again(work: Work, group: bytes, author: str, identity: bytes) -> None:
    """Something of a half that lost has its place in the order that counts."""
    lobby = work.lobby(group)
    if lobby is None or (author, identity) not in lobby.healing.orphans:
        return
    orphans = tuple(one for one in lobby.healing.orphans if one != (author, identity))
    work.keep_lobby(replace(lobby, healing=replace(lobby.healing, orphans=orphans)), reworded=True)


# --- what our half said ---


def begin(work: Work, group: bytes) -> None:
    """We are in the half that counts: our own words of the other are said again at once, others' a while later."""
    lobby = work.lobby(group)
    if lobby is None or not lobby.healing.orphans:
        return
    own = tuple(one for one in lobby.healing.orphans if one[0] == work.me)
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
            begin(work, group)
        elif work.now >= healing.share:
            work.deed(Recollect(group, lobby.label, healing.orphans[:ORPHANS_AT_ONCE]))
            share = work.now + 4 * work.settings.share_after * (1 + work.chance())
            work.keep_lobby(replace(lobby, healing=replace(healing, share=share)))
            work.wake(share)
        else:
            work.wake(healing.share)
    ask(work, group)


def recollected(work: Work, group: bytes, items: Sequence[tuple[str, bytes, bytes]]) -> None:
    """The store gives originals: ours are said again, others' shared."""
    lobby = work.lobby(group)
    if lobby is None or lobby.healing.step is not Step.SOUND:
        return
    flying = {one.id for one in lobby.voice.flying} | {one.id for one in lobby.voice.waiting}
    batch: list[bytes] = []
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
        batch.append(data)
        size += len(data)
        if size >= SHARED_BYTES:
            say_content(work, group, Shared(tuple(batch)))
            batch, size = [], 0
    if batch:
        say_content(work, group, Shared(tuple(batch)))
    work.stir(group)


# --- what the other half said ---


def want(work: Work, lobby: Lobby, seq: int) -> None:
    """We have no key for this entry: its author's own signed words are asked for."""
    after, before = lobby.healing.pull or (seq - 1, seq + 1)
    pull = (min(after, seq - 1), max(before, seq + 1))
    work.keep_lobby(replace(lobby, healing=replace(lobby.healing, pull=pull)), reworded=True)
    work.pending = True


def ask(work: Work, group: bytes) -> None:
    """Ask the leader, or where that is us any other, for what was said while our half was another one."""
    lobby = work.lobby(group)
    state = work.session(group)
    if lobby is None or lobby.healing.pull is None or state is None:
        return
    people = [one for one in (lobby.leader, *groups.roster(state)) if one != work.me]
    source = next((one for one in people if work.peer(one).linked), None)
    if not people:
        work.keep_lobby(replace(lobby, healing=replace(lobby.healing, pull=None)), reworded=True)
    if source is None:
        return
    work.pending = True
    if abs(work.now - lobby.healing.pulled) < work.settings.resend_after:
        return
    after, before = lobby.healing.pull
    work.keep_lobby(replace(lobby, healing=replace(lobby.healing, pulled=work.now)))
    send(work, source, Recall(group, after, before))


def recall_arrived(work: Work, handle: str, recall: Recall) -> None:
    """A member asks for what was said between two entries: only since it came in, and what is not taken back."""
    lobby = work.lobby(recall.group)
    state = work.session(recall.group)
    if lobby is None or state is None or handle not in groups.roster(state):
        return
    first = lobby.healing.entered.get(handle, 0)
    work.deed(SendOriginals(handle, recall.group, lobby.label, max(recall.after, first), recall.before))


def originals_arrived(work: Work, handle: str, frame: Originals) -> None:
    """What we asked for."""
    lobby = work.lobby(frame.group)
    state = work.session(frame.group)
    if lobby is None or lobby.healing.pull is None or state is None or handle not in groups.roster(state):
        return
    after, before = lobby.healing.pull
    items = [(seq, data) for seq, data in frame.items if after < seq < before]
    take(work, lobby, items)
    now = work.lobby(frame.group) or lobby
    reached = max((seq for seq, _ in items), default=after)
    pull = None if frame.done else (max(after, reached - 1), before)
    work.keep_lobby(replace(now, healing=replace(now.healing, pull=pull, pulled=work.now)), reworded=True)
