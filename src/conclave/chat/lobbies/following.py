"""Being in a lobby: taking entries of its order, one after the other, whoever leads.

An entry is taken only where it follows what we have. A commit changes the group; words are opened, and prove their
author and where the author stood when speaking. Ours come back and get their place. Left out: what to do when two
orders meet (``chat.lobbies.healing``) or the leader is gone (``chat.lobbies.leadership``), and who is to come and go
(``chat.lobbies.membership``).
"""

from __future__ import annotations

from conclave.chat import groups, packages
from conclave.chat.effects import PutEntry
from conclave.chat.groups import read_stand
from conclave.chat.hearing import Heard, own_notice
from conclave.chat.lobbies import audience, ending, healing, lacks, meaning, rejoining, sharing, terms, timers
from conclave.chat.lobbies.catching_up import DEAF, IN, catch_up, leader_heard, noticed
from conclave.chat.lobbies.purging import purge_expelled
from conclave.chat.lobbies.voice import displaced, landed, sealed_as, without_commit
from conclave.chat.lobby_state import Lobby, Step
from conclave.chat.pairs import certificates
from conclave.chat.words.content import Content, Term, Timer, decode_content
from conclave.chat.words.gaps import Gap, filled, opened
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.errors import DecodeError, LocalError, RemoteError, VerificationError
from conclave.lobby import leader as core
from conclave.lobby import order as orders
from conclave.lobby.order import Order
from conclave.mls import group as mls
from conclave.mls.group import Changes, Staged, State, Verify
from conclave.values import replace
from conclave.wire.order import EntryKind, Ordered
from conclave.wire.posts import Answer, Choice

KEY_USED = "9.2-key-consumed"
"""The rule of MLS that tells what was opened before."""


def entry_arrived(work: Work, handle: str, entry: Ordered) -> None:
    """An entry of the order: pushed by the leader, or fetched of somebody who has it."""
    lobby = work.lobby(entry.group)
    if lobby is None or lobby.order is None or lobby.stage not in IN or lobby.healing.step in DEAF:
        return
    watch = lobby.watch
    if handle != lobby.leader and not (handle == watch.goal_by and watch.fetching >= entry.seq):
        return
    if entry.seq <= lobby.order.seq:
        work.have(entry.group)
        return
    if entry.seq > lobby.order.seq + 1:
        noticed(work, lobby, handle, entry.seq)
        return
    try:
        order, encoded = orders.take(lobby.order, entry)
    except VerificationError as error:
        _does_not_fit(work, lobby, handle, error)
        return
    if not _proven(work, lobby, handle, entry):
        if lobby.healing.step is Step.ENTER and handle == lobby.leader:
            rejoining.ask_again(work, entry.group)  # another leads by now, maybe: it says whom it follows
            return
        work.trouble(handle, f"{lobby.label}: {handle} shows an entry that {entry.sender[:80]} did not make")
        healing.too_late(work, lobby, handle)
        return
    if _given_up(work, lobby, entry):
        healing.too_late(work, lobby, handle)
        return
    if handle == lobby.leader:
        lobby = leader_heard(work, lobby)  # not before: one that forgot its term may lead on in an older one
        if lobby.healing.unknown:  # who is out for it gets none
            lobby = replace(lobby, healing=replace(lobby.healing, unknown=0.0))
    audience.progressed(work, lobby, entry)
    took(work, lobby, order, entry, encoded)
    after = work.lobby(entry.group)
    if after is not None and after.order is not None and after.watch.fetching:
        done = after.order.seq >= min(after.watch.fetching, after.watch.goal)
        if done:
            work.keep_lobby(replace(after, watch=replace(after.watch, fetching=0)))
    catch_up(work, entry.group)


def _proven(work: Work, lobby: Lobby, handle: str, entry: Ordered) -> bool:
    """Whether an entry is its sender's, where it matters before it is read.

    A term makes its sender the leader; and who is not in may have come in behind what we have, or be lying. Where its
    keys are not ours, or are older ones of ours, we have to come in anew.
    """
    state = work.session(entry.group)
    if state is None or lobby.healing.step is Step.ENTER:
        leads_on = entry.sender == handle and terms.credible(work, lobby, entry.term)  # as by its Head
        return handle == lobby.leader and (entry.kind is not EntryKind.TERM or leads_on)
    people = groups.roster(state)
    if entry.kind is EntryKind.TERM:
        return takes_term(work, lobby, state, entry)
    if handle in people or handle == lobby.leader:
        return True
    if entry.sender == work.me or entry.sender not in people:
        return False
    try:
        if entry.kind is EntryKind.COMMIT:
            examine(work, state, entry.sender, entry.number, entry.payload, work.judges.members)
            return True
        author, _ = groups.look_into(work, state, entry.payload)
    except (RemoteError, LocalError):
        return False
    return author == entry.sender


def _given_up(work: Work, lobby: Lobby, entry: Ordered) -> bool:
    """Whether it is a commit of ours that we gave up, its keys too: the others go on by it, and we come in anew."""
    state = work.session(entry.group)
    if entry.kind is not EntryKind.COMMIT or entry.sender != work.me or state is None:
        return False
    if lobby.healing.step is Step.ENTER or under_way(work, lobby, entry) is not None:
        return False
    try:
        mls.process(state, entry.payload, verify=work.judges.members, now=work.now)
    except mls.OwnMessageError:
        return True
    except (RemoteError, LocalError):
        pass  # it changes nothing for anybody
    return False


def under_way(work: Work, lobby: Lobby, entry: Ordered) -> Staged | None:
    """The commit of ours that is under way, where ``entry`` is that one."""
    _, ours = landed(lobby, entry.number, work.now) if entry.sender == work.me else (lobby, None)
    mine = ours is not None and ours.kind is EntryKind.COMMIT and ours.payload == entry.payload
    return lobby.voice.staged if mine else None


def takes_term(work: Work, lobby: Lobby, state: State, entry: Ordered) -> bool:
    """Whether by this entry a member takes a term, in the present epoch of ``state``, that it is believed.

    Ours nobody can open. Of it comes back what we ourselves wrote, where it was cut, and another counts by now.
    """
    if entry.sender == work.me:
        later = lobby.lead is not None and entry.term < lobby.lead.term
        return later and healing.entry_name(entry) in lobby.healing.known
    if entry.sender not in groups.roster(state) or not terms.credible(work, lobby, entry.term):
        return False
    try:
        author, body = groups.look_into(work, state, entry.payload)
        epoch = mls.read_envelope(entry.payload).epoch
    except (RemoteError, LocalError):
        return False
    return author == entry.sender and epoch == state.number and isinstance(body, Term) and body.term == entry.term


def _does_not_fit(work: Work, lobby: Lobby, handle: str, error: VerificationError) -> None:
    """The leader, or whom we asked, shows what does not follow what we have."""
    work.trouble(handle, f"{lobby.label}: {error}")
    if handle != lobby.leader or error.reason != "forked":
        return
    if lobby.healing.step is Step.ENTER:
        rejoining.ask_again(work, lobby.group)  # it showed something else where our commit stands, maybe
    elif lobby.healing.step is Step.SOUND:
        healing.rejoin(work, lobby, max(0, lobby.order.run.first - 1) if lobby.order is not None else 0)


def took(
    work: Work, lobby: Lobby, order: Order, entry: Ordered, encoded: bytes, staged: Staged | None = None
) -> None:
    """The next entry is in: do what it says. ``staged`` is its commit where it was examined already."""
    if lobby.lead is None or orders.counts_before(order.run, lobby.lead):
        lobby = terms.spent(work, lobby, order.run.term)
        lobby = replace(lobby, order=order, lead=replace(order.run, first=0, last=0))
        work.keep_lobby(lobby, reworded=True)
    else:
        lobby = replace(lobby, order=order)
        work.keep_lobby(lobby)
    work.record(PutEntry(entry.group, entry.seq, encoded))
    if entry.kind is EntryKind.COMMIT:
        _committed(work, lobby, entry, staged)
    else:
        _words(work, lobby, entry)
    work.stir(entry.group)


# --- words ---


def _words(work: Work, lobby: Lobby, entry: Ordered) -> None:
    if entry.sender == work.me:
        lobby, ours = landed(lobby, entry.number, work.now)
        if ours is not None and ours.kind is EntryKind.COMMIT:
            return  # under its number we handed in a commit, which flies on
        if ours is not None and not sealed_as(ours, entry.payload):
            work.keep_lobby(displaced(lobby, ours))
            text = "something else stands in the place of your words; they are sent again"
            work.trouble(lobby.leader, f"{lobby.label}: {text}")
            return
        assert lobby.order is not None
        work.keep_lobby(replace(lobby, order=orders.counted(lobby.order, entry)) if ours is not None else lobby)
        if ours is not None and ours.content:
            content = decode_content(ours.content)
            heard = Heard(lobby.label, work.me, content, ours.original, entry.seq, Status.SENT)
            if ours.id:
                work.mark_line(lobby.label, ours.id, Status.SENT, entry.seq)
            meaning.ours(work, lobby.group, heard)
            timers.tell_late(work, lobby.group, content, entry.epoch)
        return
    state = work.session(entry.group)
    if state is None or lobby.healing.step is Step.ENTER:
        return  # what was said until we are in again is asked for in its authors' own words
    sealed = state.number if entry.kind is EntryKind.TERM else entry.epoch  # a term's has its leader's rank there
    if sealed < groups.first_epoch(state):
        sharing.want(work, lobby.group, entry.seq)  # it was sealed before we came in, though ordered after
        return
    try:
        opened = groups.unsealed(work, state, entry.payload)
        author = opened.identity.decode()
        if author != entry.sender:
            raise VerificationError(f"it is {author}'s, shown as {entry.sender[:80]!r}'s")
        stand = read_stand(opened.authenticated_data)
        if stand.number != entry.number:
            raise VerificationError("it has another number inside than outside")
        work.keep_session(opened.state)  # not before: shown as what it is, it is to be read
        content = decode_content(opened.data)
    except RemoteError as error:
        if not _again(work, lobby, entry, error):
            _lost(work, lobby, entry, error)
        return
    assert lobby.order is not None
    if opened.epoch == state.number:  # what is older may have been said before its author came in anew
        lobby = replace(lobby, order=orders.counted(lobby.order, entry))
        work.keep_lobby(lobby)
    assert lobby.order is not None
    if orders.contradicts(lobby.order, stand.run, stand.seq, stand.hash):
        work.trouble(
            lobby.leader, f"{lobby.label}: {author} was shown another order than we: {lobby.leader} shows two orders"
        )
    original = groups.original_of(work, work.session(entry.group) or state, opened)
    _count(work, lobby.group, author, content)
    meaning.theirs(work, lobby.group, Heard(lobby.label, author, content, original, entry.seq, Status.RECEIVED))
    timers.tell_late(work, lobby.group, content, opened.epoch)


def _again(work: Work, lobby: Lobby, entry: Ordered, error: RemoteError) -> bool:
    """Whether we opened this in a half that lost, and others open it now: its author handed it in here too.

    Another may hand it in, and a leader order it as what it is not: nobody opens that, so it counts for nothing. That
    our key for it is used up shows that those who are in have theirs.
    """
    name = groups.payload_name(entry.payload)
    if name not in lobby.healing.known or not isinstance(error, mls.RuleError) or error.rule != KEY_USED:
        return False
    author, said = lobby.healing.known[name]
    try:
        envelope = mls.read_envelope(entry.payload)
        number = read_stand(envelope.authenticated_data).number
    except RemoteError:
        return False
    if author not in ("", entry.sender) or (envelope.epoch, number) != (entry.epoch, entry.number):
        return False
    known = {one: what for one, what in lobby.healing.known.items() if one != name}
    lobby = replace(lobby, healing=replace(lobby.healing, known=known))
    work.keep_lobby(lobby, reworded=True)
    if len(said) == timers.SECONDS_BYTES:
        timers.set_in_lobby(work, lobby, author, Timer(int.from_bytes(said)), entry.seq)
    elif said:
        work.place_line(lobby.label, author, said, entry.seq)
        sharing.said_again(work, lobby.group, author, said)
    return True


def _lost(work: Work, lobby: Lobby, entry: Ordered, error: RemoteError) -> None:
    lost = lacks.added(lobby.ears.lost, entry.seq, entry.seq)
    work.keep_lobby(replace(lobby, ears=replace(lobby.ears, lost=lost)))
    linked = entry.sender if lobby.leader == work.me else lobby.leader
    work.trouble(linked, f"a message from {entry.sender[:80]} in {lobby.label} could not be read: {error}")


def _count(work: Work, group: bytes, author: str, content: Content) -> None:
    """Every author counts: a gap shows that something is kept from us, and of whom."""
    lobby = work.lobby(group)
    if lobby is None or not content.count:
        return
    ears = lobby.ears
    known = ears.counts.get(author)
    gaps = filled(ears.gaps, author, content.count)
    if known is not None and content.count > known + 1:
        gaps = opened(gaps, author, Gap(known + 1, content.count - 1, work.now))
        work.wake(work.now + work.settings.gap_after)
    counts = ears.counts if known is not None and known >= content.count else ears.counts.put(author, content.count)
    if counts is not ears.counts or gaps is not ears.gaps:
        work.keep_lobby(replace(lobby, ears=replace(ears, counts=counts, gaps=gaps)))


# --- commits ---


def examine(work: Work, state: State, handle: str, number: int, payload: bytes, verify: Verify) -> Staged:
    """Somebody's commit on ``state``, checked, its number too. Raises ``RemoteError`` or ``LocalError``."""
    staged = mls.process(state, payload, verify=verify, now=work.now)
    if not isinstance(staged, Staged):
        raise DecodeError("it is no commit")
    changes = staged.changes
    if changes.external:
        if changes.replaced is None:
            raise VerificationError("a stranger lets itself in", reason="not-a-member")
        author = mls.members(state)[changes.replaced].identity
    else:
        author = mls.members(state)[changes.committer].identity
    if author.decode() != handle:
        raise VerificationError(f"it is {author.decode()}'s", reason="not-a-member")
    if _reasons(staged)[1] not in (0, number):
        raise VerificationError("it has another number inside than outside")
    return staged


def _committed(work: Work, lobby: Lobby, entry: Ordered, staged: Staged | None) -> None:
    state = work.session(entry.group)
    if lobby.healing.step is Step.ENTER:
        rejoining.committed(work, lobby, entry)
        return
    if state is None:
        return
    ours = under_way(work, lobby, entry)
    if ours is not None:
        staged, (flown, _) = ours, landed(lobby, entry.number, work.now)
        before, after = state, mls.merge(state, staged)
        done = lobby.intents.deputies == groups.deputies(after)
        intents = replace(lobby.intents, deputies=None) if done else lobby.intents
        watch = replace(lobby.watch, renew=work.now + work.settings.update_every)
        lobby = replace(flown, voice=replace(flown.voice, staged=None), intents=intents, watch=watch)
        work.keep_lobby(lobby)
        if staged.welcome and lobby.order is not None:
            # By leaf: who is in by one key package may have answered with another since.
            awaited = {leaf: one for one, leaf in groups.roster(after).items() if one in lobby.intents.adds}
            work.welcome(lobby.order, staged.welcome, [awaited.get(leaf, "") for leaf in staged.changes.added])
    else:
        try:
            staged = staged or examine(work, state, entry.sender, entry.number, entry.payload, work.judges.members)
        except (RemoteError, LocalError) as error:
            _lost(work, lobby, entry, DecodeError(str(error)))
            return
        if staged.removes_us:
            if staged.changes.external:
                own_notice(work, lobby.label, "another device of yours took the place of this one")
                ending.end(work, lobby)
            else:
                ending.out(work, lobby, _reasons(staged)[0].get(work.me, ""))
            return
        before = state
        after = mls.merge(staged.state or state, staged)
        lobby = replace(lobby, voice=without_commit(work, lobby.voice))
    assert lobby.order is not None
    work.keep_session(after)
    order = orders.begun_anew(replace(lobby.order, epoch=after.number), _came(after, staged.changes))
    if _reasons(staged)[1] == entry.number:
        order = orders.counted(order, entry)
    work.keep_lobby(replace(lobby, order=order))
    changed(work, entry, before, after, staged)


def _came(after: State, changes: Changes) -> list[str]:
    """Who entered by a commit, or entered anew."""
    leaves = {*changes.added, *((changes.committer,) if changes.external else ())}
    return [handle for handle, leaf in groups.roster(after).items() if leaf in leaves]


def changed(work: Work, entry: Ordered, before: State, after: State, staged: Staged) -> None:
    """Who is in is otherwise: say so in the conversation, and lead accordingly."""
    lobby = work.lobby(entry.group)
    if lobby is None:
        return
    was, now = groups.roster(before), groups.roster(after)
    came = [one for one in now if one not in was]
    went = [one for one in was if one not in now]
    entered, gone = dict(lobby.healing.entered), dict(lobby.healing.gone)
    reasons, _ = _reasons(staged)
    marks = lobby.ears.marks
    for handle in came:
        entered[handle] = entry.seq
        gone.pop(handle, None)
        own_notice(work, lobby.label, f"{handle} entered", entry.seq)
    for handle in went:
        why = reasons.get(handle, "")
        gone[handle] = (entry.seq, why)
        entered.pop(handle, None)
        marks = marks.drop(handle)
        packages.taken_back(work, lobby.group, handle)
        words = f"{handle} left" if why == groups.LEFT else f"{handle} was removed" + (f": {why}" if why else "")
        own_notice(work, lobby.label, words, entry.seq)
    certificates.shown_in(work, lobby, entry.seq, before, after, staged.changes)
    certificates.went_from(work, before, went)
    people = lobby.watch.followers
    if people is not None:
        for handle in came:
            people = core.admit(
                people, handle, entry.seq, work.now, linked=audience.follows(work, entry.group, handle)
            )
        for handle in went:
            people = core.part(people, handle, entry.seq)
    intents = lobby.intents
    for handle in sorted(intents.adds.keys() & now.keys()) if entry.sender != work.me else ():
        work.post(handle, Answer(lobby.group, Choice.REJECT))  # another let it in: ours is no welcome to wait for
    intents = intents.keep_in(intents.removes.keys() - now.keys())
    intents = replace(intents, adds={handle: one for handle, one in intents.adds.items() if handle not in now})
    lobby = replace(
        lobby,
        intents=intents,
        invited=lobby.invited - set(came),
        healing=replace(
            lobby.healing,
            entered=entered,
            gone=gone,
            owed=(lobby.healing.owed | set(went)) - set(came),
            anew=lobby.healing.anew - set(came),
        ),
        watch=replace(lobby.watch, followers=people),
        ears=replace(lobby.ears, marks=marks),
    )
    work.keep_lobby(lobby, reworded=True)
    purge_expelled(work, entry.group)
    if came or staged.changes.external:
        timers.tell(work, entry.group)


def _reasons(staged: Staged) -> tuple[dict[str, str], int]:
    try:
        return groups.read_reasons(staged.authenticated_data)
    except DecodeError:
        return {}, 0
