"""A conversation between certified people, spoken in a real MLS group, as history keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field

from conclave.chat.groups import write_stand
from conclave.chat.words.content import Body, Content, encode_content
from conclave.chat.words.line import Line, LineKind, Status
from conclave.chat.words.originals import keep
from conclave.chat.words.transcript import Entry, Header, write_transcript
from conclave.crypto.signature import ED25519
from conclave.crypto.suite import CLASSICAL
from conclave.lobby.order import begin
from conclave.mls import group
from conclave.mls.credentials import Credential
from conclave.mls.keypackage import OwnKeyPackage
from conclave.node.authentication import verifier
from conclave.pki.credentials import Credentials
from conclave.pki.profile import Profile
from tests.mls.world import seeded
from tests.pki.ward import NOW, Ward, ward

GROUP = b"g" * 16


@dataclass
class Talk:
    """Members by name, and what history has."""

    credentials: dict[str, Credentials]
    states: dict[str, group.State]
    ward: Ward
    entries: list[Entry] = field(default_factory=list)
    certificates: dict[bytes, bytes] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    conversation: str = "#ops"

    def identity(self) -> bytes:
        return (len(self.entries) + 1).to_bytes(16)

    def say(
        self, by: str, body: Body, text: str = "", kind: LineKind = LineKind.TEXT, *, at: float | None = None
    ) -> bytes:
        """One message, in history; its id."""
        number = len(self.entries) + 1
        self.counts[by] = self.counts.get(by, 0) + 1
        content = Content(self.identity(), self.counts[by], NOW + number if at is None else at, body)
        stand = write_stand(begin(self.states[by].group_id, by), number) if self.conversation.startswith("#") else b""
        plain = encode_content(content)
        sending = group.protect(self.states[by], plain, random=seeded(number), authenticated_data=stand)
        self.states[by] = sending.state
        assert sending.original is not None
        certificate = self.credentials[by].certificate.der
        line = Line(content.id, by, kind, text, content.sent, content.sent, Status.SENT, number)
        self.certificates[self.credentials[by].certificate.fingerprint] = certificate
        self.entries.append(Entry(line, keep(sending.original, certificate)))
        return content.id

    def anew(self, *names: str) -> None:
        """A commit ends the epoch, and these count from 1 again, as they came in by it."""
        first, *others = self.states
        verify = verifier(self.ward.trust)
        staged = group.commit(self.states[first], verify=verify, now=NOW, random=seeded(len(self.entries)))
        for name in others:
            taken = group.process(self.states[name], staged.message, verify=verify, now=NOW)
            assert isinstance(taken, group.Staged)
            self.states[name] = group.merge(self.states[name], taken)
        self.states[first] = group.merge(self.states[first], staged)
        self.counts |= dict.fromkeys(names, 0)

    def add(self, by: str, kind: LineKind, text: str = "", *, deleted: bool = False) -> None:
        """A line without a signature."""
        line = Line(self.identity(), by, kind, text, NOW, NOW, Status.RECEIVED)
        self.entries.append(Entry(line, b"", deleted))

    def header(self, by: str = "ayse", groups: tuple[bytes, ...] = ()) -> Header:
        groups = groups or (next(iter(self.states.values())).group_id,)
        own, trust = self.credentials[by].certificate.der, self.ward.trust
        issuing = tuple(one.der for one in trust.issuing)
        return Header(self.conversation, trust.realm, groups, by, own, NOW + 999, trust.root.fingerprint, issuing)

    def write(self, by: str = "ayse", header: Header | None = None) -> list[bytes]:
        key = self.credentials[by].key.raw()
        sign = lambda data: ED25519.sign(key, data)  # noqa: E731
        return list(write_transcript(header or self.header(by), self.entries, self.certificates.get, sign))


def talk(*names: str, realm: Ward | None = None, group_id: bytes = GROUP, conversation: str = "#ops") -> Talk:
    """A group of these people."""
    made = realm or ward()
    credentials = {name: made.enrol(name, Profile.IM) for name in names}
    verify = verifier(made.trust)
    own = {
        name: OwnKeyPackage.create(
            CLASSICAL,
            Credential.x509((one.certificate.der,)),
            one.key.raw(),
            (int(NOW) - 100, int(NOW) + 86_400),
            seeded(name),
        )
        for name, one in credentials.items()
    }
    first, *others = names
    state = group.create(own[first], group_id, verify=verify, now=NOW, random=seeded(0))
    states = {}
    if others:
        adds = [group.Add(own[name].package) for name in others]
        staged = group.commit(state, adds, verify=verify, now=NOW, random=seeded(1))
        state = group.merge(state, staged)
        states = {name: group.join(staged.welcome, own[name], verify=verify, now=NOW) for name in others}
    return Talk(credentials, {first: state, **states}, made, conversation=conversation)
