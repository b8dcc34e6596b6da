"""A conversation as an MLS group: who is in, who succeeds whom, and what goes in and out of it.

An identity in a group is a handle. A lobby's deputies are in its group context (an extension of our own), so that
all members agree on them as on everything else. Beside the words, authenticated data tells where its author stood:
the present run, entry and hash, by which a leader that shows two orders is found out. Left out: what a commit is for
(``chat.lobbies.membership``) and what words mean (``chat.hearing``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256

from conclave.chat.lobby_state import PAYLOAD_NAME_BYTES
from conclave.chat.words.content import Body, decode_content
from conclave.chat.words.originals import keep
from conclave.chat.work import Work
from conclave.errors import DecodeError, LocalError, VerificationError
from conclave.lobby.order import Order
from conclave.mls import group as mls
from conclave.mls.group import Extension, LeafNode, Opened, OwnKeyPackage, State
from conclave.pki.names import device_number
from conclave.pki.verify import claimed_identity
from conclave.values import dataclass, field
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.limits import HANDLE, HANDLE_BYTES, HASH_BYTES, ID_BYTES, TEXT_BYTES
from conclave.wire.order import Run

DEPUTIES = 0xF0C1
"""The extension that names a lobby's deputies, of the range for private use (RFC 9420 section 17.3)."""
DEPUTIES_MOST = 32
LEFT = "left"
"""The reason in a commit that removes somebody who asked for it."""
REASON_LETTERS = 200
"""Longer reasons are cut: they stand in one line of history."""
_DEPUTIES_BYTES = DEPUTIES_MOST * (HANDLE_BYTES + 1)


def _handle(r: Reader) -> str:
    return r.text(HANDLE_BYTES)


def deputies_extension(deputies: tuple[str, ...]) -> Extension:
    """The extension of a group context that names the deputies."""
    return Extension(DEPUTIES, Writer().vector(deputies, Writer.text).done())


def read_deputies(extensions: tuple[Extension, ...]) -> tuple[str, ...]:
    """The deputies that a group context names, by handle: people are shown them.

    Raises ``DecodeError`` where it names them otherwise, or has anything else.
    """
    if [one.type for one in extensions] != [DEPUTIES]:
        raise DecodeError("a group's extensions are its deputies, and nothing else")
    named = decode(extensions[0].data, lambda r: r.vector(_handle, _DEPUTIES_BYTES, DEPUTIES_MOST))
    if not all(HANDLE.fullmatch(one) for one in named):
        raise DecodeError("a group's deputies are handles")
    return named


def spoilt(state: State) -> bool:
    """Whether a lobby agrees on what is none of its business: it is in all that is signed there."""
    try:
        read_deputies(state.epoch.context.extensions)
    except DecodeError:
        return True
    return False


def in_the_way(state: State, leaving: Collection[int] = ()) -> str:
    """By whose leaf, of those that stay, a lobby cannot have deputies (RFC 9420 section 13.4); empty: nobody's."""
    staying = ((handle, state.epoch.tree.leaf(leaf)) for handle, leaf in roster(state).items() if leaf not in leaving)
    return next((handle for handle, leaf in staying if leaf is None or not knows_deputies(leaf)), "")


def knows_deputies(leaf: LeafNode) -> bool:
    """Whether a member by this leaf lists the extension that names a lobby's deputies."""
    return leaf.capabilities.has_extensions((DEPUTIES,))


def deputies(state: State) -> tuple[str, ...]:
    """A lobby's deputies, first first."""
    try:
        return read_deputies(state.epoch.context.extensions)
    except DecodeError:
        return ()


def roster(state: State) -> dict[str, int]:
    """Who is in, by leaf."""
    return {member.identity.decode(): leaf for leaf, member in sorted(mls.members(state).items())}


def succession(state: State) -> tuple[str, ...]:
    """Everybody in the order in which they lead: the deputies, then the others by their leaves."""
    people = roster(state)
    first = [one for one in deputies(state) if one in people]
    return (*first, *(one for one in people if one not in first))


def rank(state: State, handle: str) -> int:
    """A member's place in the succession; behind everybody for who is not in."""
    order = succession(state)
    return order.index(handle) if handle in order else len(order)


def certificate(state: State, leaf: int) -> bytes:
    """A member's certificate (DER)."""
    return mls.credential(state, leaf).certificates[0]


def replaced(before: State, after: State, handle: str) -> bool:
    """Whether a member that is in before and after shows another certificate."""
    return certificate(before, roster(before)[handle]) != certificate(after, roster(after)[handle])


def outlived(work: Work, state: State, handle: str, device: str) -> bool:
    """Whether a later device of the same person is in the group in place of this one."""
    name = handle.encode()
    leaf = next((at for at, one in state.epoch.roster.items() if one.identity == name), None)
    if leaf is None or not device:
        return False
    try:
        inside = claimed_identity(certificate(state, leaf)).device
    except VerificationError:
        return False
    if work.judges.revoked(certificate(state, leaf)):
        return False  # what took the place does not count any more
    return 0 < device_number(device) < device_number(inside)


# --- where an author stood ---


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a lobby's author stood when it spoke: the present run (without its entries), entry, hash, own number."""

    run: Run
    seq: int
    hash: bytes
    number: int


def write_stand(order: Order, number: int) -> bytes:
    """The authenticated data of what we say in a lobby."""
    run = order.run
    w = Writer().uint32(run.term).uint32(run.rank).text(run.leader).uint64(order.seq)
    return w.fixed(order.hash, HASH_BYTES).uint64(number).done()


def read_stand(data: bytes) -> Stand:
    """The inverse of ``write_stand``. Raises ``DecodeError``."""

    def stand(r: Reader) -> Stand:
        run = Run(r.uint32(), r.uint32(), r.text(HANDLE_BYTES), 0, 0)
        return Stand(run, r.uint64(), r.fixed(HASH_BYTES), r.uint64())

    return decode(data, stand)


# --- why a commit removes somebody, and under which number it is handed in ---


def write_reasons(reasons: Mapping[str, str], number: int) -> bytes:
    """The authenticated data of a commit: why it removes whom, and its author's own number of it."""
    return Writer().vector(reasons.items(), lambda each, it: each.text(it[0]).text(it[1])).uint64(number).done()


def read_reasons(data: bytes) -> tuple[dict[str, str], int]:
    """The inverse of ``write_reasons``; the number is 0 where a version from before gave none.

    Raises ``DecodeError``.
    """

    def reasons(r: Reader) -> tuple[tuple[tuple[str, str], ...], int]:
        pairs = r.vector(lambda each: (each.text(HANDLE_BYTES), each.text(TEXT_BYTES)))
        return pairs, r.uint64() if r.remaining else 0

    pairs, number = decode(data, reasons)
    why = {handle: "".join(one for one in reason if one.isprintable())[:REASON_LETTERS] for handle, reason in pairs}
    return why, number


# --- in and out ---


@dataclass(frozen=True, slots=True)
class Sealed:
    """Something protected: the MLS message, its epoch, and what we signed, as the store keeps it."""

    payload: bytes = field(repr=False)
    epoch: int
    original: bytes = field(repr=False)


def seal(work: Work, group: bytes, content: bytes, authenticated_data: bytes = b"") -> Sealed:
    """Protect content for a group. Its key is used up with this step. Raises ``LocalError``."""
    state = need_session(work, group)
    sending = mls.protect(state, content, random=work.random, authenticated_data=authenticated_data)
    work.keep_session(sending.state)
    assert sending.original is not None
    own = certificate(state, state.epoch.me)
    work.keep_certificate(own, state.epoch.roster[state.epoch.me].signature_key)
    return Sealed(sending.message, state.number, keep(sending.original, own))


def payload_name(payload: bytes) -> bytes:
    """By what a ciphertext is known again (``PAYLOAD_NAME_BYTES``)."""
    return sha256(payload).digest()[:PAYLOAD_NAME_BYTES]


def open_words(work: Work, state: State, payload: bytes) -> Opened:
    """Open an application message; its key is used up with this step. Raises ``RemoteError``."""
    opened = unsealed(work, state, payload)
    work.keep_session(opened.state)
    return opened


def unsealed(work: Work, state: State, payload: bytes) -> Opened:
    """An application message, open; to keep the state that comes with it uses up its key. Raises ``RemoteError``."""
    opened = mls.process(state, payload, verify=work.judges.members, now=work.now)
    if not isinstance(opened, Opened):
        raise DecodeError("a handshake where words were expected")
    return opened


def look_into(work: Work, state: State, payload: bytes) -> tuple[str, Body]:
    """Who wrote an application message, and what it says; its key is not used up. Raises ``RemoteError``."""
    opened = unsealed(work, state, payload)
    return opened.identity.decode(), decode_content(opened.data).body


def original_of(work: Work, state: State, opened: Opened) -> bytes:
    """What the author of opened words signed, as the store keeps it; empty where its certificate is not known."""
    if opened.epoch == state.number:
        der = certificate(state, opened.sender)
        work.keep_certificate(der, state.epoch.roster[opened.sender].signature_key)
        return keep(opened.original, der)
    past = next((one for one in state.past if one.number == opened.epoch), None)
    author = past.roster.get(opened.sender) if past is not None else None
    if author is None:
        return b""
    der = work.certificate(author.signature_key) or _still_there(state, author.signature_key)
    if not der:
        return b""
    work.keep_certificate(der, author.signature_key)
    return keep(opened.original, der)


def first_epoch(state: State) -> int:
    """The first epoch whose words can be opened: those of before are from before we came in, or too old."""
    return min((past.number for past in state.past), default=state.number)


def _still_there(state: State, key: bytes) -> bytes:
    """The certificate of a signature key of a past epoch, where its owner still signs with it."""
    return next(
        (certificate(state, leaf) for leaf, one in mls.members(state).items() if one.signature_key == key), b""
    )


def need_session(work: Work, group: bytes) -> State:
    """The group's state. Raises ``LocalError`` where we have none."""
    state = work.session(group)
    if state is None:
        raise LocalError("this conversation has no keys yet", remedy="wait until the other side is in it")
    return state


def package(work: Work) -> OwnKeyPackage:
    """A fresh key package of ours, not kept yet. Raises ``LocalError`` where we have no certificate for it."""
    own = work.own
    if own is None:
        raise LocalError(
            "this device has no certificate for conversations",
            remedy="ask for a new invite: conclave join '<invite>'",
        )
    start = max(0, int(work.now) - 3600)
    lifetime = (start, start + int(work.settings.package_life))
    return OwnKeyPackage.create(
        mls.cipher_suite(own.suite), own.credential, own.signature_key, lifetime, work.random, extensions=(DEPUTIES,)
    )


def new_id(work: Work) -> bytes:
    """A name for something of ours (16 bytes)."""
    return work.random(ID_BYTES)
