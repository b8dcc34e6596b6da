"""What a member keeps of a group between two calls, and how it is written (RFC 9420 sections 9.2 and 14).

``State`` is immutable and complete: the epoch, its unused message keys, the proposals waiting in it, and a window of
past epochs for late messages. It writes itself to one blob and back, or to two: ``epoch_part``, which grows with the
group and changes only by a merge, and the small ``traffic_part``, which changes with each message.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple, Self

from conclave.errors import DecodeError
from conclave.mls.epoch import Epoch, Member, Roster
from conclave.mls.framing import Sender
from conclave.mls.limits import Policy
from conclave.mls.proposallist import Sent
from conclave.mls.proposals import read_proposal, write_proposal
from conclave.mls.secrettree import SecretTree
from conclave.mls.struct import Struct
from conclave.values import astuple, dataclass, field, fields
from conclave.wire.codec import Reader, Writer

FORMAT = 2
"""Version of the blob; another is refused."""


class PastEpoch(NamedTuple):
    """What late messages of an earlier epoch need to be opened, and no more."""

    number: int
    context: bytes
    sender_data: bytes
    traffic: SecretTree
    roster: Roster


@dataclass(frozen=True, repr=False)
class State(Struct):
    """A group as one member knows it.

    ``held`` are proposals of this epoch by reference, ``updates`` the private encryption and signature keys of our
    own among them by public encryption key, ``resumptions`` the resumption keys of past epochs by number.
    """

    epoch: Epoch
    traffic: SecretTree
    policy: Policy = field(default_factory=Policy)
    held: Mapping[bytes, Sent] = field(default_factory=dict)
    updates: Mapping[bytes, tuple[bytes, bytes]] = field(default_factory=dict)
    past: tuple[PastEpoch, ...] = ()
    resumptions: tuple[tuple[int, bytes], ...] = ()

    def used(self, traffic: SecretTree) -> State:
        """The same with the keys that ``traffic`` still makes: each message uses one up."""
        return State(self.epoch, traffic, self.policy, self.held, self.updates, self.past, self.resumptions)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Our own form. Raises ``DecodeError``, also where the two parts are not of one epoch."""
        if reader.uint8() != FORMAT:
            raise DecodeError("the state of a group was written by another version")
        epoch, policy = Epoch.read(reader), _read_policy(reader)
        past: list[PastEpoch] = []
        for _ in range(reader.uint8()):
            past.append(_read_past(reader, past[-1].roster if past else epoch.roster))
        resumptions = reader.vector(lambda each: (each.uint64(), each.opaque()))
        if reader.opaque() != epoch.interim_transcript:
            raise DecodeError("the message keys are not those of the group's epoch")
        traffic, held = SecretTree.read(reader), dict(reader.vector(_read_held))
        updates = dict(reader.vector(lambda each: (each.opaque(), (each.opaque(), each.opaque()))))
        late = tuple(each._replace(traffic=SecretTree.read(reader)) for each in past)
        return cls(epoch, traffic, policy, held, updates, late, resumptions)

    @classmethod
    def join_parts(cls, epoch_part: bytes, traffic_part: bytes) -> Self:
        """The state of its two parts, the newest of each. Raises ``DecodeError``, also for parts of two epochs."""
        return cls.decode(epoch_part + traffic_part)

    def write(self, writer: Writer) -> Writer:
        """Our own form: one part after the other."""
        return writer.raw(self.epoch_part).raw(self.traffic_part)

    @cached_property
    def epoch_part(self) -> bytes:
        """What only ``merge`` changes. A merge changes both parts: store both then, in one transaction."""
        writer = _write_policy(self.epoch.write(Writer().uint8(FORMAT)), self.policy)
        writer.uint8(len(self.past))
        newer = self.epoch.roster
        for past in self.past:
            _write_past(writer, past, newer)
            newer = past.roster
        return writer.vector(self.resumptions, lambda each, it: each.uint64(it[0]).opaque(it[1])).done()

    @property
    def traffic_part(self) -> bytes:
        """What each message changes: store it before the message is sent, or its words are shown."""
        writer = self.traffic.write(Writer().opaque(self.epoch.interim_transcript))
        writer.vector(self.held.items(), _write_held)
        writer.vector(self.updates.items(), lambda each, it: each.opaque(it[0]).opaque(it[1][0]).opaque(it[1][1]))
        for past in self.past:
            past.traffic.write(writer)
        return writer.done()

    @property
    def group_id(self) -> bytes:
        """The group's identifier."""
        return self.epoch.context.group_id

    @property
    def number(self) -> int:
        """The epoch's number."""
        return self.epoch.context.epoch

    @property
    def authenticator(self) -> bytes:
        """Equal for all in one state; shown, it finds a leader who forks the group (RFC 9420 section 8.7)."""
        return self.epoch.secrets.authenticator

    @property
    def closed(self) -> bool:
        """Whether the group was re-initialised, so that nothing more may be said in it (RFC 9420 section 11.2)."""
        return self.epoch.reinit is not None

    def __repr__(self) -> str:
        """Without the keys."""
        return f"State({self.epoch!r})"


_POLICY: Any = tuple(bool if each.type is bool else int for each in fields(Policy))


def _read_policy(reader: Reader) -> Policy:
    return Policy(*(kind(reader.uint64()) for kind in _POLICY))


def _write_policy(writer: Writer, policy: Policy) -> Writer:
    for value in astuple(policy):
        writer.uint64(int(value))
    return writer


def _read_held(reader: Reader) -> tuple[bytes, Sent]:
    return reader.opaque(), Sent(Sender.read(reader), read_proposal(reader), by_reference=True)


def _write_held(writer: Writer, held: tuple[bytes, Sent]) -> None:
    reference, sent = held
    write_proposal(sent.sender.write(writer.opaque(reference)), sent.proposal)


_NO_KEYS = SecretTree(1, b"")


def _read_past(reader: Reader, newer: Roster) -> PastEpoch:
    """A past epoch without its message keys, which stand in the other part."""
    number, context, sender_data = reader.uint64(), reader.opaque(), reader.opaque()
    roster = dict(newer)
    for gone in reader.vector(Reader.uint32):
        roster.pop(gone, None)
    roster.update(reader.vector(lambda each: (each.uint32(), Member(each.opaque(), each.opaque()))))
    return PastEpoch(number, context, sender_data, _NO_KEYS, roster)


def _write_past(writer: Writer, past: PastEpoch, newer: Roster) -> None:
    """A past epoch without its message keys, its members told by what differs from the epoch after it."""
    writer.uint64(past.number).opaque(past.context).opaque(past.sender_data)
    writer.vector(sorted(newer.keys() - past.roster.keys()), Writer.uint32)
    other = ((index, member) for index, member in sorted(past.roster.items()) if newer.get(index) != member)
    writer.vector(other, lambda each, it: each.uint32(it[0]).opaque(it[1].signature_key).opaque(it[1].identity))
