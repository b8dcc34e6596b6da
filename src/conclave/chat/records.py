"""How the core's states are written: small records under plain keys, each with its version in the first byte.

``desk``: busy or not. ``peer/<handle>``: both streams, the pair and its groups (``chat.peer_records``).
``lobby/<group>``: what changes when people come and go. ``place/<group>``: where the order stands and who
has what, rewritten with what is said (``chat.lobby_records``). ``out/<lobby or peer>/…``: what we say, until it has
its place. ``staged/``: our commit under way. ``mls/<group>/…``: keys, in two parts. ``package/<reference>``: key
packages of ours (``chat.package_records``). ``met/<handle>``: which certificates somebody showed
(``chat.pairs.certificates``). ``safety/<handle>``: what was compared with it before, and of what people were warned
(``chat.pairs.safety``). Left out: links, windows and what followers have, which are learnt again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from conclave.chat.effects import DropState, PutState
from conclave.chat.words.content import Unsaid
from conclave.errors import DecodeError, of_no_release
from conclave.mls.group import State
from conclave.wire.codec import Reader, Writer, decode
from conclave.wire.limits import ID_BYTES

VERSION = 6
"""Of every state, up to 5 of homes that no release made. What is added later stands at the end of its state, and is
read with a default where nothing remains (``docs/adr/0022``)."""
DESK_KEY = "desk"
PEER_KEY = "peer/"
LOBBY_KEY = "lobby/"
PLACE_KEY = "place/"
OUT_KEY = "out/"
STAGED_KEY = "staged/"
SESSION_KEY = "mls/"
EPOCH = "/epoch"
TRAFFIC = "/traffic"
PACKAGE_KEY = "package/"
MET_KEY = "met/"
SAFETY_KEY = "safety/"

T = TypeVar("T")


def read(data: bytes, item: Callable[[Reader], T]) -> T:
    """A state whose first byte is its version. Raises ``DecodeError``, and ``NotReady`` for one of no release."""

    def versioned(r: Reader) -> T:
        version = r.uint8()
        if 0 < version < VERSION:
            raise of_no_release()
        if version != VERSION:
            raise DecodeError("a state of an unknown version")
        try:
            return item(r)
        except ValueError as error:
            raise DecodeError("a state with an unknown value") from error

    return decode(data, versioned)


def encode_busy(*, busy: bool) -> bytes:
    """The state under ``desk``."""
    return bytes((VERSION, busy))


def decode_busy(data: bytes) -> bool:
    """The inverse of ``encode_busy``. Raises ``DecodeError``."""
    return read(data, Reader.flag)


def waiting_key(conversation: str, key: int) -> str:
    """Where content waits to be protected; ``conversation`` is a group in hex, or ``@`` and a handle."""
    return f"{OUT_KEY}{conversation}/w/{key:016x}"


def encode_unsaid(unsaid: Unsaid) -> bytes:
    """The state of content that waits."""
    return Writer().uint8(VERSION).fixed(unsaid.id, ID_BYTES).opaque(unsaid.content).done()


def decode_unsaid(key: str, data: bytes) -> Unsaid:
    """The inverse of ``encode_unsaid``. Raises ``DecodeError``."""
    return read(data, lambda r: Unsaid(int(key.rpartition("/")[2], 16), r.fixed(ID_BYTES), r.opaque()))


def session_records(group: bytes, state: State | None, before: State | None) -> Iterator[PutState | DropState]:
    """What is to be written of a conversation's keys, if they are still there."""
    key = SESSION_KEY + group.hex()
    if state is None:
        yield DropState(key + EPOCH)
        yield DropState(key + TRAFFIC)
        return
    if before is None or before.epoch is not state.epoch:
        yield PutState(key + EPOCH, state.epoch_part)
    yield PutState(key + TRAFFIC, lambda: state.traffic_part)
