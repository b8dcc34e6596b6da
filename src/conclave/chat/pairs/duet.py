"""A group of two: made of a key package, and spoken in.

Where both made a group at once, or one has lost its home, there are several; the one that both choose (the smaller
handle's, of those that neither has lost) is spoken in, the others are only heard. Left out: who may talk to whom
(``chat.pairs.talk``), and fresh keys (``chat.pairs.renewing``).
"""

from __future__ import annotations

from collections.abc import Sequence

from conclave.chat import allowed, groups, links, packages, records, timers
from conclave.chat.deeds import FindPackage, Send
from conclave.chat.delivery import Fate
from conclave.chat.effects import DropState, KeepOriginal, PutState
from conclave.chat.fifo import Fifo
from conclave.chat.hearing import Heard, hear
from conclave.chat.notices import Receipted
from conclave.chat.pairs import certificates, lost, safety
from conclave.chat.state import PairGroup, Peer
from conclave.chat.words.content import (
    FOR_GOOD,
    Body,
    Content,
    Receipt,
    Timer,
    Unsaid,
    decode_content,
    encode_content,
)
from conclave.chat.words.line import Status
from conclave.chat.words.originals import Signed
from conclave.chat.work import Work
from conclave.errors import DecodeError, LocalError, RemoteError, VerificationError
from conclave.mls import group as mls
from conclave.mls.group import State
from conclave.values import replace
from conclave.wire.limits import ID_BYTES
from conclave.wire.packages import AskPackage
from conclave.wire.posts import Begin, Message

GROUPS_KEPT = 4
"""Groups of one pair whose keys are held: words said in the older ones may still be under way."""
ASK_AGAIN = 30.0
"""A key package that did not come is asked for again after so long (seconds)."""

Lines = Sequence[tuple[str, bytes, bytes]]
"""Author, id, and what was signed."""


# --- saying ---


def say(work: Work, handle: str, identity: bytes, body: Body, *, counted: bool = True) -> None:
    """Say something: at once where there is a group, else as soon as there is one."""
    peer = work.peer(handle)
    count = peer.count + 1 if counted else 0
    if counted:
        peer = replace(peer, count=count)
        work.keep(peer)
    body = timers.stamped(peer, body)
    content = Content(identity, count, work.now, body)
    encoded = encode_content(content)
    group = spoken(peer) if not len(peer.waiting) else None
    sealed = groups.seal(work, group.id, encoded) if group is not None else None
    if counted:
        original = sealed.original if sealed is not None else b""
        hear(work, Heard("@" + handle, work.me, content, original, count, Status.WAITING))
    if isinstance(body, Timer):
        timers.set_by_us(work, handle, body)
    if group is not None and sealed is not None:
        work.post(handle, Message(identity, group.id, sealed.payload), identity)
    else:
        _wait(work, handle, identity, encoded)


def recollected(work: Work, handle: str, items: Lines, missing: Sequence[tuple[str, bytes]]) -> None:
    """Say once more, in another group, what the peer could not read in the one that it has lost."""
    peer = work.peer(handle)
    found = {identity: data for _, identity, data in items} | dict.fromkeys((one for _, one in missing), b"")
    again = [one for one in peer.unread if one in found]
    if not again:
        return
    rest = tuple(one for one in peer.unread if one not in found)
    work.keep(replace(peer, unread=rest, recollecting=bool(rest)))
    for identity in again:
        counted = _counted(found[identity]) if peer.pair.speaks else None
        if counted is None:
            work.mark_line("@" + handle, identity, Status.FAILED)
            continue
        work.mark_line("@" + handle, identity, Status.WAITING)
        one = work.peer(handle)
        work.keep(_hold(replace(one, again=one.again | {identity}), counted[0]))
        if spoken(one) is not None and not len(one.waiting):
            _post(work, handle, Unsaid(0, identity, counted[1]))
        else:
            _wait(work, handle, identity, counted[1])


def _counted(signed: bytes) -> tuple[int, bytes] | None:
    """The counter of what we signed, and its content."""
    try:
        content = mls.read_original(Signed.decode(signed).original).data
        return decode_content(content).count, content
    except DecodeError:
        return None


def _hold(peer: Peer, count: int) -> Peer:
    """What is said again comes behind what was said since: who has read that has not read this.

    So nothing from its counter on counts as read before something does that is said later.
    """
    least = min(peer.held[0] or count, count)
    return replace(peer, read=min(peer.read, least - 1), held=(least, peer.count)) if count else peer


def _wait(work: Work, handle: str, identity: bytes, encoded: bytes) -> None:
    peer = work.peer(handle)
    last = peer.waiting.last()
    unsaid = Unsaid(last.key + 1 if last is not None else 1, identity, encoded)
    work.keep(replace(peer, waiting=peer.waiting.push(unsaid)))
    work.record(PutState(records.waiting_key("@" + handle, unsaid.key), records.encode_unsaid(unsaid)))
    want_group(work, handle)


def spoken(peer: Peer) -> PairGroup | None:
    """The group in which something is said now."""
    return peer.groups[0] if peer.groups and not peer.groups[0].dead else None


def _post(work: Work, handle: str, unsaid: Unsaid) -> None:
    group = spoken(work.peer(handle))
    if group is None:
        raise LocalError(f"there are no keys for {handle} yet", remedy="wait a moment")
    sealed = groups.seal(work, group.id, unsaid.content)
    work.record(KeepOriginal("@" + handle, work.me, unsaid.id, sealed.original))
    work.post(handle, Message(unsaid.id, group.id, sealed.payload), unsaid.id)


def _flush(work: Work, handle: str, *, gone: bool) -> None:
    """There is a group: what waited for it is said, and to whose home is ``gone`` the timer that it does not know."""
    peer = work.peer(handle)
    waiting = tuple(peer.waiting)
    work.keep(replace(peer, waiting=Fifo()))
    for unsaid in waiting:
        work.record(DropState(records.waiting_key("@" + handle, unsaid.key)))
        _post(work, handle, unsaid)
    if gone and peer.timer != FOR_GOOD and peer.pair.speaks:
        say(work, handle, groups.new_id(work), peer.timer, counted=False)


# --- making a group ---


def want_group(work: Work, handle: str) -> None:
    """Ask for a key package: of the peer where it is linked, else of the authority."""
    peer = work.peer(handle)
    if spoken(peer) is not None or work.own is None:
        return
    work.wake(work.now + ASK_AGAIN)
    if peer.sought and abs(work.now - peer.sought) < ASK_AGAIN:
        return
    work.keep(replace(peer, sought=work.now))
    if peer.linked:
        work.deed(Send(handle, AskPackage()))
    else:
        work.deed(FindPackage(handle))


def package_found(work: Work, handle: str, data: bytes) -> None:
    """A key package that is said to be ``handle``'s: make the group, if we still want one."""
    peer = replace(work.peer(handle), sought=0.0)
    work.keep(peer)
    if spoken(peer) is not None or not len(peer.waiting):
        return
    try:
        package = mls.read_key_package(data)
        allowed.demand_small(package)
        whose = mls.identify_package(package, verify=work.judges.newcomers, now=work.now)
        if whose.identity.decode() != handle:
            raise VerificationError(f"it is {whose.identity.decode()}'s")
        own = groups.package(work)
        group = groups.new_id(work)
        alone = mls.create(own, group, verify=work.judges.members, now=work.now, random=work.random)
        staged = mls.commit(alone, [mls.Add(package)], verify=work.judges.newcomers, now=work.now, random=work.random)
    except (RemoteError, LocalError) as error:
        work.trouble(handle, f"no keys for {handle}: its key package was refused: {error}")
        work.keep(replace(work.peer(handle), sought=work.now))
        return
    state = mls.merge(alone, staged)
    told = certificates.met(work, handle, state, vouched=False)
    work.keep_session(state)
    gone = _adopt(work, handle, PairGroup(group, ours=True, turn=False, begun=work.peer(handle).out.next), told=told)
    work.post(handle, Begin(staged.welcome))
    _flush(work, handle, gone=gone)


def package_missing(work: Work, handle: str) -> None:
    """There is none to be had now; it is asked for again, and of the peer itself once it is linked."""
    if len(work.peer(handle).waiting):
        work.wake(work.now + ASK_AGAIN)


def begun(work: Work, handle: str, begin: Begin) -> Fate:
    """The peer made a group with a key package of ours."""
    try:
        if len(begin.welcome) > allowed.PAIR_BYTES:  # before it is looked at: anybody may begin
            raise VerificationError("it is larger than two account for", reason="too-large")
        reference, own = packages.for_welcome(work, begin.welcome)
        state = mls.join(
            begin.welcome,
            own,
            verify=work.judges.members,
            now=work.now,
            known_groups={group for group, _ in work.sessions()} | {lobby.group for lobby in work.lobbies()},
        )
        if len(state.group_id) != ID_BYTES or set(groups.roster(state)) != {work.me, handle}:
            raise VerificationError(f"it is not a group of {handle} and us")
        if state.epoch.context.extensions:
            raise VerificationError("a group of two agrees on nothing but its keys")
        allowed.demand_group(state)
    except (RemoteError, LocalError) as error:
        work.trouble(handle, f"a conversation that {handle} began was refused: {error}")
        return Fate.DECLINED
    packages.used(work, reference)
    _ended_by(work, handle)
    told = certificates.met(work, handle, state, vouched=False)
    work.keep_session(state)
    ended, number = certificates.revoked_in(work, state), work.peer(handle).out.next
    gone = _adopt(work, handle, PairGroup(state.group_id, ours=False, turn=True, dead=ended, begun=number), told=told)
    peer = work.peer(handle)
    if spoken(peer) is not None and (gone or len(peer.waiting)):
        _flush(work, handle, gone=gone)
    return Fate.TAKEN


def _ended_by(work: Work, handle: str) -> None:
    """The peer began another group: it speaks no more in those that it made, or that it had when it began this one.

    Posts come in order, so it had those in which it has said something; who began at once had none of ours.
    """
    peer = work.peer(handle)
    had = (replace(one, dead=one.dead or not one.ours or one.answered) for one in peer.groups)
    work.keep(replace(peer, groups=tuple(had)))


def _answered(work: Work, handle: str, group: PairGroup) -> None:
    """The peer has said something in a group, so it has it."""
    if not group.answered:
        peer, heard = work.peer(handle), replace(group, answered=True)
        work.keep(replace(peer, groups=tuple(heard if one.id == group.id else one for one in peer.groups)))


def came_back(work: Work, handle: str) -> None:
    """A link opened: what waits for a key package asks for it here."""
    peer = work.peer(handle)
    if len(peer.waiting) and spoken(peer) is None:
        work.keep(replace(peer, sought=0.0))
        want_group(work, handle)


def passed(work: Work, peer: Peer) -> None:
    """Time passed: ask again for a key package; and, after a restart, for what is to be said again."""
    if peer.unread and not peer.recollecting:
        links.recollect(work, peer.handle)
    if len(peer.waiting) and spoken(peer) is None:
        want_group(work, peer.handle)


def _adopt(work: Work, handle: str, group: PairGroup, *, told: bool) -> bool:
    """Hold a new group. Whether it takes the place of those that the peer has lost."""
    peer = work.peer(handle)
    kept = lost.in_order(work, handle, (group, *peer.groups))
    safety.moved(work, peer, kept[0], told=told)
    for old in kept[GROUPS_KEPT:]:
        work.drop_session(old.id)
    held = replace(work.peer(handle), groups=kept[:GROUPS_KEPT])
    due(work, held, work.now + work.settings.update_spread * work.chance())
    return bool(peer.groups) and all(one.dead for one in peer.groups)


def due(work: Work, peer: Peer, at: float) -> None:
    """Our keys are to be renewed at this time (UNIX seconds), or as soon behind it as it is our turn."""
    work.keep(replace(peer, updated=at))
    work.wake(at)


# --- hearing ---


def group_of(work: Work, handle: str, group: bytes) -> tuple[PairGroup, State] | None:
    """A group with the peer and its keys; None where we have none."""
    known = next((one for one in work.peer(handle).groups if one.id == group), None)
    state = work.session(group)
    return None if known is None or state is None else (known, state)


def heard(work: Work, handle: str, said: Message) -> Fate:
    """Words of the peer. Declined where they cannot be read: the peer says them again in another group, if it can."""
    found = group_of(work, handle, said.group)
    if found is None:
        return Fate.DECLINED
    group, state = found
    try:
        opened = groups.open_words(work, state, said.payload)
        if opened.identity.decode() != handle:
            raise VerificationError(f"they are {opened.identity.decode()}'s")
        if opened.authenticated_data:  # with it a record would show them as a lobby's
            raise DecodeError("they are sealed as words of a lobby are")
        content = decode_content(opened.data)
        if content.id != said.id:
            raise DecodeError("they have another name inside than outside")
    except RemoteError as error:
        work.trouble(handle, f"a message from {handle} could not be read: {error}")
        return Fate.DECLINED
    _answered(work, handle, group)
    if isinstance(content.body, Receipt):
        _receipt(work, handle, content.body)
        return Fate.TAKEN
    peer = work.peer(handle)
    work.keep(replace(peer, counts=max(peer.counts, content.count)))
    original = groups.original_of(work, work.session(said.group) or state, opened)
    hear(
        work, Heard("@" + handle, handle, content, original, content.count, Status.RECEIVED, timer=peer.timer.seconds)
    )
    if isinstance(content.body, Timer):
        timers.set_by_peer(work, handle, content.body)
    return Fate.TAKEN


def _receipt(work: Work, handle: str, receipt: Receipt) -> None:
    peer = work.peer(handle)
    least, latest = peer.held
    read = min(receipt.read, peer.count)
    if read > latest:
        peer = replace(peer, held=(0, 0))
    else:
        read = min(read, least - 1)
    read = max(peer.read, read)
    work.keep(replace(peer, read=read))
    work.tell(Receipted("@" + handle, handle, min(receipt.has, peer.count), read))


def read_up_to(work: Work, handle: str, count: int) -> None:
    """Our person has read the peer's words up to this counter: the peer may know."""
    peer = work.peer(handle)
    count = min(count, peer.counts)
    if count <= peer.told or not peer.pair.speaks:
        return
    work.keep(replace(peer, told=count))
    if work.settings.read_receipts and spoken(peer) is not None:
        say(work, handle, groups.new_id(work), Receipt(peer.counts, count), counted=False)
