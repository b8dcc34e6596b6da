"""Does a transcript hold? Judged from its bytes and the authority's root certificate alone, by anybody, offline.

Every line is read even where one before it does not hold, so that all that was changed, left out, put in or exchanged
is told. What the record's writer alone says (notices, the order's numbers, words without a signature) is counted, not
believed; revocation is not looked at, as no list goes with a record. Left out: reading the file (``cli.record``).
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from itertools import pairwise
from typing import TypeVar

from conclave.chat.words.content import decode_content
from conclave.chat.words.originals import Signed
from conclave.chat.words.transcript import (
    FORMAT,
    LABEL,
    LINE_BYTES,
    Object,
    canonical,
    link,
    readable,
)
from conclave.chat.words.transcript_numbers import Gap, Numbers
from conclave.crypto.certificate import subject_key
from conclave.crypto.signature import ED25519
from conclave.errors import DecodeError, RemoteError, VerificationError
from conclave.mls.group import verify_original
from conclave.pki.certificate import Certificate, read_certificate
from conclave.pki.trust import ISSUING_MOST, Trust, pin_root
from conclave.pki.verify import GRACE_SECONDS, claimed_identity, verify_credential
from conclave.values import dataclass, field

FINDINGS_MOST = 100
"""Findings that are told one by one."""
CERTIFICATES_MOST = 10_000
"""Certificates in one record."""
_UNPROVEN = frozenset({"notice", "deleted", "unproven"})
_PLACE = frozenset({"line", "previous", "hash", "author", "order", "content", "signature", "certificate"})

T = TypeVar("T", bound="str | int | list[object]")


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
    """Numbers of messages that are not in the record, as its writer says too."""


@dataclass(slots=True)
class _Spoken:
    """What one certificate vouches for: the line and time of its earliest and its latest message."""

    der: bytes
    author: str
    device: str
    earliest: tuple[float, int] | None = None
    latest: tuple[float, int] | None = None

    def at(self, said: float, line: int) -> None:
        if self.earliest is None or said < self.earliest[0]:
            self.earliest = (said, line)
        if self.latest is None or said > self.latest[0]:
            self.latest = (said, line)


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
    unproven: int = 0
    end: Object | None = None

    def find(self, text: str) -> None:
        """Take a finding down, or count it."""
        if len(self.findings) < FINDINGS_MOST:
            self.findings.append(text)
        else:
            self.more += 1


def verify_transcript(lines: Iterable[bytes], root: Certificate) -> VerifiedTranscript:
    """Check a record, given line by line, under the authority's ``root``.

    Raises ``TranscriptChanged`` with all that does not hold, ``VerificationError`` (``unknown-authority``) where it
    is of another authority, and ``DecodeError`` where it is of a later format.
    """
    rest = iter(lines)
    header = _first(next(rest, b""))
    check = _Check(_trust(header, root), header, Numbers(str(header.get("conversation"))))
    _take(check, 0, header)
    at = 0
    for at, data in enumerate(rest, 1):
        line = _parse(check, at, data)
        if line is None:
            check.before = (-2, "")
            continue
        try:
            _take(check, at, line)
        except (RemoteError, KeyError, TypeError) as error:
            check.find(f"{_place(at, line)} {_why(error)}")
    return _verdict(check, at + 1)


def _why(error: Exception) -> str:
    return f"does not hold: {error}" if isinstance(error, RemoteError) else "lacks what a line of its kind has"


def _first(data: bytes) -> Object:
    try:
        header = _object(data)
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
    named = _get(header, "root_sha256", str)
    if named != root.fingerprint.hex():
        raise VerificationError(
            f"the record is of another authority: it names the root {named[:16]}…, yours is "
            f"{root.fingerprint.hex()[:16]}…",
            reason="unknown-authority",
            remedy="give the root certificate of the authority under which it was said",
        )
    issuing = _get(header, "issuing", list)
    if len(issuing) > ISSUING_MOST:
        raise TranscriptChanged(["line 1 names more issuing authorities than there can be"])
    try:
        return pin_root((root, *(read_certificate(_bytes(der)) for der in issuing)), root.fingerprint)
    except RemoteError as error:
        raise TranscriptChanged([f"line 1 names issuing authorities that are not the root's: {error}"]) from error


def _parse(check: _Check, at: int, data: bytes) -> Object | None:
    try:
        return _object(data)
    except (ValueError, RecursionError):
        check.find(f"line {at + 1} is not as Conclave writes it: it was changed or put in")
        return None


def _object(data: bytes) -> Object:
    """A line as it was written: canonical, so that nothing can hide beside what is read."""
    if len(data) > LINE_BYTES:
        raise ValueError("too long")
    line = json.loads(data)
    if not isinstance(line, dict) or canonical(line) != data.rstrip(b"\n"):
        raise ValueError("not canonical")
    return line


def _get(line: Object, name: str, kind: type[T]) -> T:
    value = line.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise DecodeError(f"{name!r} is not there, or is no {kind.__name__}")
    return value


def _bytes(value: object) -> bytes:
    try:
        return b64decode(str(value), validate=True)
    except ValueError as error:
        raise DecodeError("what should be base64 is not") from error


def _hex(value: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except ValueError as error:
        raise DecodeError("what should be hexadecimal is not") from error


def _place(at: int, line: Object) -> str:
    author = line.get("author")
    return f"line {at + 1}, {str(author)[:40]}'s," if isinstance(author, str) else f"line {at + 1}"


def _take(check: _Check, at: int, line: Object) -> None:
    _chain(check, at, line)
    kind = _get(line, "kind", str)
    if check.end is not None:
        check.find(f"{_place(at, line)} stands behind the end: it was put in")
    elif kind == "certificate":
        _certificate(check, line)
    elif kind == "end":
        check.end = line
    elif kind in _UNPROVEN:
        _get(line, "author", str)
        check.unproven += 1
    elif kind != "transcript":
        _message(check, at, line)
    elif at:
        check.find(f"line {at + 1} begins another record")


def _chain(check: _Check, at: int, line: Object) -> None:
    number, own, previous = _get(line, "line", int), _get(line, "hash", str), _get(line, "previous", str)
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
    der = _bytes(_get(line, "der", str))
    if len(check.certificates) >= CERTIFICATES_MOST:
        raise DecodeError(f"more than {CERTIFICATES_MOST} certificates")
    identity = claimed_identity(der)
    check.certificates.setdefault(sha256(der).hexdigest(), _Spoken(der, identity.handle, identity.device))


def _message(check: _Check, at: int, line: Object) -> None:
    author, name = _get(line, "author", str), _get(line, "certificate", str)
    spoken = check.certificates.get(name)
    if spoken is None:
        raise VerificationError("the certificate under which it was signed is not in the record")
    signed = Signed(_bytes(line["content"]), _bytes(line["signature"]), spoken.der)
    said = verify_original(signed.original, subject_key(spoken.der))
    content = decode_content(said.data)
    if author != spoken.author:
        raise VerificationError(f"it was signed by {spoken.author}")
    shown = {key: value for key, value in line.items() if key not in _PLACE}
    if shown != readable(content):
        other = sorted(
            key for key in shown.keys() | readable(content).keys() if shown.get(key) != readable(content).get(key)
        )
        raise VerificationError(f"{author} signed something else than stands there ({', '.join(other)})")
    if said.group_id.hex() not in _get(check.header, "groups", list):
        raise VerificationError("it was said in another conversation")
    if (author, content.id.hex()) in check.names:
        raise VerificationError("it stands in the record twice")
    check.names.add((author, content.id.hex()))
    if not check.numbers.see(author, spoken.device, said, content):
        raise VerificationError(f"{author}'s number {content.count} is another message's already")
    check.groups[said.group_id] = None
    check.authors[author] += 1
    spoken.at(content.sent, at)


def _verdict(check: _Check, lines: int) -> VerifiedTranscript:
    header = check.header
    missing = _missing(check)
    for first, last in missing:
        check.find(
            f"line {first + 1} is missing" if first == last else f"lines {first + 1} to {last + 1} are missing"
        )
    try:
        _end(check)
    except (RemoteError, KeyError, TypeError) as error:
        check.find(f"the last line {_why(error)}")
    for spoken in check.certificates.values():
        _credential(check, spoken)
    if check.findings:
        raise TranscriptChanged(check.findings, check.more)
    times = [at[0] for one in check.certificates.values() for at in (one.earliest, one.latest) if at is not None]
    return VerifiedTranscript(
        _get(header, "conversation", str),
        check.trust.realm,
        _get(header, "exporter", str),
        _get(header, "made", int) / 1000,
        lines,
        dict(sorted(check.authors.items())),
        min(times, default=0.0),
        max(times, default=0.0),
        tuple(check.groups),
        check.unproven,
        check.numbers.gaps(),
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
    der = _bytes(_get(header, "certificate", str))
    own = _get(end, "hash", str)
    try:
        ED25519.verify(subject_key(der), LABEL + _hex(own), _bytes(_get(end, "signed", str)))
    except VerificationError:
        check.find("its writer's signature does not hold: whoever changed it wrote the rest anew")
    if _get(end, "lines", int) != _get(end, "line", int):
        check.find("the last line counts other lines than there are")
    made = _get(header, "made", int) / 1000
    try:
        exporter = verify_credential((der,), check.trust, made, GRACE_SECONDS)
    except VerificationError as error:
        check.find(f"its writer's certificate does not hold: {error}")
    else:
        if exporter.handle != header.get("exporter"):
            check.find(f"its writer's certificate is {exporter.handle}'s, and it names another")
    told = {tuple(gap) for gap in _get(end, "gaps", list) if isinstance(gap, list)}
    for author, device, first, last in check.numbers.gaps():
        if (author, device, first, last) not in told:
            numbers = f"message {first}" if first == last else f"messages {first} to {last}"
            check.find(f"{author}'s {numbers} from {device} are not in it, and its writer does not say so")


def _credential(check: _Check, spoken: _Spoken) -> None:
    """Validity is a stretch of time: what holds for the earliest and the latest message holds for all between."""
    for when in {spoken.earliest, spoken.latest}:
        if when is None:
            continue
        said, at = when
        try:
            verify_credential((spoken.der,), check.trust, said, GRACE_SECONDS)
        except VerificationError as error:
            check.find(
                f"line {at + 1}, {spoken.author}'s, was signed under a certificate that does not hold: {error}"
            )
