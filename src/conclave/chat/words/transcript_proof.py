"""Does a transcript hold? Judged from its bytes and the authority's root certificate alone, by anybody, offline.

Every line is read even where one before it does not hold, so that all that was changed, left out, put in or exchanged
is told. What the record's writer alone says (the conversation's name, notices, the order's numbers, words without a
signature) is counted, not believed; revocation is not looked at, as no list goes with a record. What its author alone
can have done wrong, to its clock or its numbers, is remarked: nobody can make others' records such that do not hold.
Left out: what a line may look like (``transcript_fields``), reading the file (``cli.record``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from itertools import chain, pairwise

from conclave.chat.words.content import decode_content
from conclave.chat.words.originals import Signed
from conclave.chat.words.transcript import FORMAT, LABEL, Object, link, readable
from conclave.chat.words.transcript_fields import (
    CHAIN,
    PROOF,
    conversation,
    demand_fields,
    from_base64,
    from_hex,
    get,
    get_bytes,
    made,
    read_line,
)
from conclave.chat.words.transcript_numbers import GAPS_MOST, Gap, Numbers, told
from conclave.crypto.certificate import subject_key
from conclave.crypto.signature import ED25519
from conclave.errors import DecodeError, RemoteError, VerificationError
from conclave.mls.group import Said, verify_original
from conclave.pki.certificate import Certificate, read_certificate
from conclave.pki.trust import ISSUING_MOST, Trust, pin_root
from conclave.pki.verify import GRACE_SECONDS, claimed_identity, verify_credential
from conclave.values import dataclass, field, replace

FINDINGS_MOST = 100
"""Findings that are told one by one."""
CERTIFICATES_MOST = 10_000
"""Certificates in one record."""
_UNPROVEN = frozenset({"notice", "deleted", "unproven"})
_BESIDE = (CHAIN | PROOF.keys()) - {"kind"}
EARLY = "said, by its author's clock, before its certificate began: it waited for keys, or the clock was wrong"
LATE = "said, by its author's clock, more than 14 days after its certificate ended: the clock was wrong"
TWICE = "signed under a number that another message of its author has"


class TranscriptChanged(VerificationError):
    """A record does not hold. ``findings`` says of what and where, in words; ``more`` how many are not told."""

    def __init__(self, findings: Iterable[str], more: int = 0) -> None:
        """Its message is the first finding."""
        self.findings = tuple(findings)
        self.more = more
        super().__init__(
            f"this record does not hold: {self.findings[0]}",
            reason="transcript-changed",
            remedy="ask whoever gave it to you for the file as it was exported, or others for theirs",
        )


@dataclass(frozen=True, slots=True)
class Remark:
    """What an author's clock or numbers have wrong in ``lines`` of its lines, of which the first is ``line``."""

    author: str
    line: int
    lines: int
    what: str


@dataclass(frozen=True, slots=True)
class VerifiedTranscript:
    """A record that holds: what it is of, who wrote it, and what of it is proven. Times are UNIX seconds."""

    conversation: str
    realm: str
    exporter: str
    made: float
    lines: int
    authors: dict[str, int]
    """How many signed messages are each one's: words, edits, reactions and the like."""
    first: float
    last: float
    groups: tuple[bytes, ...]
    """Ids of the MLS groups in which they were said: mostly one; a pair has another each time it begins anew."""
    unproven: int
    """Lines that rest on the exporter's word: notices, words without a signature, what was deleted."""
    gaps: tuple[Gap, ...]
    """Numbers of messages that are not in the record, as its writer says too; of each author some."""
    more: int = 0
    """So many stretches of missing numbers are not among these."""
    unsigned: int = 0
    """Of the unproven lines those with words, whoever they name."""
    remarks: tuple[Remark, ...] = ()


@dataclass(slots=True)
class _Spoken:
    """A certificate, and the first line that is signed under it."""

    inner: Certificate
    author: str
    device: str
    line: int | None = None


@dataclass(slots=True)
class _Check:
    trust: Trust
    header: Object
    numbers: Numbers
    findings: list[str] = field(default_factory=list)
    more: int = 0
    seen: set[int] = field(default_factory=set)
    before: tuple[int, str] = (-1, "")  # number and hash of the line before
    certificates: dict[str, _Spoken] = field(default_factory=dict)
    names: set[tuple[str, str]] = field(default_factory=set)
    authors: Counter[str] = field(default_factory=Counter)
    groups: dict[bytes, None] = field(default_factory=dict)
    unproven: Counter[str] = field(default_factory=Counter)  # by kind
    remarks: dict[tuple[str, str], Remark] = field(default_factory=dict)
    first: float = math.inf
    last: float = 0.0
    end: Object | None = None

    def find(self, text: str) -> None:
        """Take a finding down, or count it."""
        if len(self.findings) < FINDINGS_MOST:
            self.findings.append(text)
        else:
            self.more += 1

    def remark(self, author: str, at: int, what: str) -> None:
        """Take down what is its author's own fault, or count it."""
        known = self.remarks.get((author, what), Remark(author, at + 1, 0, what))
        self.remarks[author, what] = replace(known, lines=known.lines + 1)


def verify_transcript(lines: Iterable[bytes], root: Certificate) -> VerifiedTranscript:
    """Check a record, given line by line, under the authority's ``root``.

    Raises ``TranscriptChanged`` with all that does not hold, ``VerificationError`` (``unknown-authority``) where it
    is of another authority, and ``DecodeError`` where it is of a later format.
    """
    rest = iter(lines)
    header = _first(next(rest, b""))
    check = _Check(_trust(header, root), header, Numbers(str(header.get("conversation"))))
    at = 0
    for at, line in enumerate(chain((header,), (_parse(check, at, data) for at, data in enumerate(rest, 1)))):
        if line is None:
            check.before = (-2, "")
            continue
        try:
            _take(check, at, line)
        except RemoteError as error:
            check.find(f"{_place(at, line)} does not hold: {error}")
    return _verdict(check, at + 1)


def _first(data: bytes) -> Object:
    try:
        header = read_line(data)
        if header["kind"] != "transcript":
            raise TranscriptChanged(["it does not begin with the line that says what it is of"])
        if header["format"] != FORMAT:
            raise DecodeError(
                f"a transcript of format {str(header['format'])[:20]}; this program knows {FORMAT}",
                remedy="use a newer version of Conclave",
            )
    except (ValueError, KeyError, RecursionError) as error:
        raise TranscriptChanged(["it does not begin as a transcript does"]) from error
    return header


def _trust(header: Object, root: Certificate) -> Trust:
    named = get(header, "root_sha256", str)
    if named != root.fingerprint.hex():
        raise VerificationError(
            f"the record is of another authority: it names the root {named[:16]}…, yours is "
            f"{root.fingerprint.hex()[:16]}…",
            reason="unknown-authority",
            remedy="give the root certificate of the authority under which it was said",
        )
    issuing = get(header, "issuing", list)
    if len(issuing) > ISSUING_MOST:
        raise TranscriptChanged(["line 1 names more issuing authorities than there can be"])
    try:
        return pin_root((root, *(read_certificate(from_base64(der)) for der in issuing)), root.fingerprint)
    except RemoteError as error:
        raise TranscriptChanged([f"line 1 names issuing authorities that are not the root's: {error}"]) from error


def _parse(check: _Check, at: int, data: bytes) -> Object | None:
    try:
        return read_line(data)
    except (ValueError, RecursionError):
        check.find(f"line {at + 1} is not as Conclave writes it: it was changed or put in")
        return None


def _place(at: int, line: Object) -> str:
    author = line.get("author")
    return f"line {at + 1}, {str(author)[:40]}'s," if isinstance(author, str) else f"line {at + 1}"


def _take(check: _Check, at: int, line: Object) -> None:
    _chain(check, at, line)
    kind = get(line, "kind", str)
    if check.end is not None:
        check.find(f"{_place(at, line)} stands behind the end: it was put in")
    elif kind == "end":
        check.end = line  # it is looked at last
    elif kind == "transcript" and at:
        check.find(f"line {at + 1} begins another record")
    else:
        demand_fields(line, kind)
        if kind == "transcript":
            _header(check, line)
        elif kind == "certificate":
            _certificate(check, line)
        elif kind in _UNPROVEN:
            check.unproven[kind] += 1
        else:
            _message(check, at, line)


def _header(check: _Check, line: Object) -> None:
    conversation(line)
    made(line)
    for group in get(line, "groups", list):
        from_hex(group)
    if line["realm"] != check.trust.realm:
        raise VerificationError(f"it names another realm than that of its authority, {check.trust.realm}")


def _chain(check: _Check, at: int, line: Object) -> None:
    number, own, previous = get(line, "line", int), get(line, "hash", str), get(line, "previous", str)
    if link(line) != own:
        check.find(f"{_place(at, line)} was changed: its hash is another")
    if number in check.seen:
        check.find(f"{_place(at, line)} has the number {number}, which was there: one of the two was put in")
    elif check.seen and number < max(check.before[0], 0):
        check.find(f"{_place(at, line)} has the number {number} and stands in another's place")
    elif number == check.before[0] + 1 and previous != check.before[1]:
        check.find(f"{_place(at, line)} does not follow from the line before it: that one was exchanged")
    check.seen.add(number)
    check.before = (number, own)


def _certificate(check: _Check, line: Object) -> None:
    der = get_bytes(line, "der")
    if len(check.certificates) >= CERTIFICATES_MOST:
        raise DecodeError(f"more than {CERTIFICATES_MOST} certificates")
    identity = claimed_identity(der)
    spoken = _Spoken(read_certificate(der), identity.handle, identity.device)
    check.certificates.setdefault(spoken.inner.fingerprint.hex(), spoken)


def _message(check: _Check, at: int, line: Object) -> None:
    author, name = get(line, "author", str), get(line, "certificate", str)
    spoken = check.certificates.get(name)
    if spoken is None:
        raise VerificationError("the certificate under which it was signed is not in the record")
    spoken.line = at if spoken.line is None else spoken.line
    signed = Signed(get_bytes(line, "content"), get_bytes(line, "signature"), spoken.inner.der)
    said = verify_original(signed.original, subject_key(spoken.inner.der))
    content = decode_content(said.data)
    if author != spoken.author:
        raise VerificationError(f"it was signed by {spoken.author}")
    expected, shown = readable(content), {key: value for key, value in line.items() if key not in _BESIDE}
    if shown != expected:
        other = sorted(key for key in shown.keys() | expected.keys() if shown.get(key) != expected.get(key))
        raise VerificationError(f"{author} signed something else than stands there ({', '.join(other)[:80]})")
    _demand_place(check, author, said)
    if (author, content.id.hex()) in check.names:
        raise VerificationError("it stands in the record twice")
    check.names.add((author, content.id.hex()))
    if not check.numbers.see(author, spoken.device, said, content):
        check.remark(author, at, TWICE)
    if content.sent < spoken.inner.not_before:
        check.remark(author, at, EARLY)
    if content.sent > spoken.inner.not_after + GRACE_SECONDS:
        check.remark(author, at, LATE)
    check.groups[said.group_id] = None
    check.authors[author] += 1
    check.first, check.last = min(check.first, content.sent), max(check.last, content.sent)


def _demand_place(check: _Check, author: str, said: Said) -> None:
    """Assert that it may have been said in this conversation: in a lobby with its author's stand, in a pair without.

    So what was said in the one fills no gap of the other.
    """
    if said.group_id.hex() not in get(check.header, "groups", list):
        raise VerificationError("it was said in another conversation")
    name, exporter = conversation(check.header), get(check.header, "exporter", str)
    if name.startswith("#"):
        if not said.authenticated_data:
            raise VerificationError("it was said in a pair, and this is a lobby")
        return
    if said.authenticated_data:
        raise VerificationError("it was said in a lobby, and this is a pair")
    if author not in (exporter, name.removeprefix("@")):
        raise VerificationError(f"{author} does not speak in a pair of {exporter} and {name.removeprefix('@')}")


def _verdict(check: _Check, lines: int) -> VerifiedTranscript:
    header = check.header
    missing = _missing(check)
    for first, last in missing:
        check.find(
            f"line {first + 1} is missing" if first == last else f"lines {first + 1} to {last + 1} are missing"
        )
    try:
        _end(check)
    except RemoteError as error:
        check.find(f"the last line does not hold: {error}")
    for spoken in check.certificates.values():
        _credential(check, spoken)
    if check.findings:
        raise TranscriptChanged(check.findings, check.more)
    gaps = check.numbers.gaps()
    return VerifiedTranscript(
        get(header, "conversation", str),
        check.trust.realm,
        get(header, "exporter", str),
        made(header),
        lines,
        dict(sorted(check.authors.items())),
        check.first if check.authors else 0.0,
        check.last,
        tuple(check.groups),
        check.unproven.total(),
        tuple(told(gaps)),
        max(0, len(gaps) - GAPS_MOST),
        check.unproven["unproven"],
        tuple(check.remarks.values()),
    )


def _missing(check: _Check) -> list[tuple[int, int]]:
    """Stretches of lines that nobody has seen, up to the last one that was."""
    numbers = sorted(check.seen)
    return [(before + 1, after - 1) for before, after in pairwise(numbers) if after > before + 1]


def _end(check: _Check) -> None:
    """The writer's own word: how many lines, what is missing, and the signature over all of it."""
    end, header = check.end, check.header
    if end is None:
        check.find("it was cut short: the last line, which its writer signed, is missing")
        return
    demand_fields(end, "end")
    der = get_bytes(header, "certificate")
    own = get(end, "hash", str)
    try:
        ED25519.verify(subject_key(der), LABEL + from_hex(own), get_bytes(end, "signed"))
    except VerificationError:
        check.find("its writer's signature does not hold: whoever changed it wrote the rest anew")
    if get(end, "lines", int) != get(end, "line", int):
        check.find("the last line counts other lines than there are")
    try:
        exporter = verify_credential((der,), check.trust, made(header), GRACE_SECONDS)
    except VerificationError as error:
        check.find(f"its writer's certificate does not hold: {error}")
    else:
        if exporter.handle != header.get("exporter"):
            check.find(f"its writer's certificate is {exporter.handle}'s, and it names another")
    said, devices = set(), {(one.author, one.device) for one in check.certificates.values()}
    for gap in get(end, "gaps", list):
        match gap:
            case [str(author), str(device), int(first), int(last)] if (author, device) in devices:
                said.add((author, device, first, last))
            case _:
                check.find("the last line tells what is missing of somebody who says nothing in the record")
    for author, device, first, last in told(check.numbers.gaps()):
        if (author, device, first, last) not in said:
            numbers = f"message {first}" if first == last else f"messages {first} to {last}"
            check.find(f"{author}'s {numbers} from {device} are not in it, and its writer does not say so")


def _credential(check: _Check, spoken: _Spoken) -> None:
    """Whether the authority gave it. When something was said under it, its author's clock says: see the remarks."""
    if spoken.line is None:
        check.find(f"it has a certificate of {spoken.author}'s under which nothing in it is signed: it was put in")
        return
    try:
        verify_credential((spoken.inner.der,), check.trust, spoken.inner.not_after)
    except VerificationError as error:
        check.find(
            f"line {spoken.line + 1}, {spoken.author}'s, was signed under a certificate that does not hold: {error}"
        )
