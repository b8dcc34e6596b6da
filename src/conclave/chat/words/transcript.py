"""The record of a conversation, for somebody who was not there: what it says, and how it is written.

A transcript is JSON, one object a line, each bound to the one before by its hash. A header names the conversation and
who wrote the record; every message stands in words and as its author signed it (RFC 9420 section 6.1); certificates
come before their first use. The last line has the count, what is known to be missing, and the writer's signature over
the chain. Left out: checking it (``transcript_proof``), files (``node.door.export``).
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Any

from conclave.chat.words.content import About, Content, Delete, Edit, Offer, Pin, Reaction, Text, decode_content
from conclave.chat.words.line import Line, LineKind
from conclave.chat.words.originals import read_kept
from conclave.chat.words.transcript_numbers import Numbers, told
from conclave.errors import DecodeError, StorageError
from conclave.mls.group import read_original
from conclave.pki.verify import claimed_identity
from conclave.values import dataclass, field

FORMAT = 1
LABEL = b"conclave transcript 1"
"""What the writer signs: this, and the hash of the last line (32 bytes)."""
LINE_BYTES = 1 << 20
"""The longest line: a message of the greatest length with its proof takes 700 KB."""

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Header:
    """What the record is of, and who wrote it when. ``groups``: ids of the MLS groups in which it was said."""

    conversation: str
    realm: str
    groups: tuple[bytes, ...]
    exporter: str
    certificate: bytes = field(repr=False)  # the exporter's, profile im, DER
    made: float  # UNIX seconds
    root: bytes  # SHA-256 of the root's certificate
    issuing: tuple[bytes, ...] = field(repr=False)  # DER


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of history and what its author signed; empty where there is nothing."""

    line: Line
    original: bytes
    deleted: bool = False


def readable(content: Content) -> Object:
    """What a message says, for reading. It follows from what was signed, so that the two can be compared."""
    body = content.body
    said: Object = {"id": content.id.hex(), "number": content.count, "said": milliseconds(content.sent)}
    match body:
        case Text(text, reply, expires):
            shown: Object = {"kind": "message", "words": text}
            shown |= {} if reply is None else {"reply": _about(reply)}
            shown |= {"expires": expires} if expires else {}
        case Offer(name, size, expires=expires):
            shown = {"kind": "file", "words": name, "size": size}
            shown |= {"expires": expires} if expires else {}
        case Edit(target, text):
            shown = {"kind": "edit", "of": target.hex(), "words": text}
        case Delete(target):
            shown = {"kind": "deletion", "of": target.hex()}
        case Reaction(about, sign, on):
            shown = {"kind": "reaction", "at": _about(about), "sign": sign, "on": on}
        case Pin(about, on):
            shown = {"kind": "pin", "at": _about(about), "on": on}
        case _:
            shown = {"kind": "other", "what": type(body).__name__.lower()}
    return said | shown


def _about(about: About) -> Object:
    return {"author": about.author, "id": about.id.hex()}


def milliseconds(seconds: float) -> int:
    """A time as transcripts have it."""
    return round(seconds * 1000)


def canonical(line: Object) -> bytes:
    """The one way in which an object is written."""
    return json.dumps(line, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode()


def link(line: Object) -> str:
    """The hash (hex) of a line: of all of it but the hash and, in the last one, the writer's signature."""
    without = ("hash", "signed") if line.get("kind") == "end" else ("hash",)
    bare = {name: value for name, value in line.items() if name not in without}
    return sha256(LABEL + canonical(bare)).hexdigest()


def write_transcript(
    header: Header,
    entries: Iterable[Entry],
    certificate: Callable[[bytes], bytes | None],
    sign: Callable[[bytes], bytes],
) -> Iterator[bytes]:
    """The lines, each with its end. ``certificate`` finds one by its SHA-256, ``sign`` signs as the exporter.

    Raises ``StorageError`` where an original that is kept cannot be read, or its certificate is not kept.
    """
    writer = _Writer(header.conversation, certificate)
    yield writer.line(_header(header))
    for entry in entries:
        yield from writer.entry(entry)
    end: Object = {"kind": "end", "lines": writer.count, "gaps": [list(gap) for gap in told(writer.numbers.gaps())]}
    yield writer.line(end, sign)


def _header(header: Header) -> Object:
    return {
        "kind": "transcript",
        "format": FORMAT,
        "conversation": header.conversation,
        "realm": header.realm,
        "groups": [group.hex() for group in header.groups],
        "exporter": header.exporter,
        "certificate": encoded(header.certificate),
        "made": milliseconds(header.made),
        "root_sha256": header.root.hex(),
        "issuing": [encoded(der) for der in header.issuing],
    }


def encoded(data: bytes) -> str:
    """Bytes in base64."""
    return b64encode(data).decode()


class _Writer:
    def __init__(self, conversation: str, certificate: Callable[[bytes], bytes | None]) -> None:
        self._certificate = certificate
        self._authors: dict[bytes, tuple[str, str]] = {}  # handle and device by the certificate's fingerprint
        self._previous = ""
        self.count = 0
        self.numbers = Numbers(conversation)

    def line(self, line: Object, sign: Callable[[bytes], bytes] | None = None) -> bytes:
        whole = line | {"line": self.count, "previous": self._previous}
        whole["hash"] = self._previous = link(whole)
        if sign is not None:
            whole["signed"] = encoded(sign(LABEL + bytes.fromhex(self._previous)))
        self.count += 1
        return canonical(whole) + b"\n"

    def entry(self, entry: Entry) -> Iterator[bytes]:
        line = entry.line
        place: Object = {"author": line.sender, "order": line.seq}
        if not entry.original:
            bare = place | {"id": line.id.hex(), "said": milliseconds(line.sent)}
            if line.kind is LineKind.NOTICE:
                yield self.line(bare | {"kind": "notice", "words": line.text})
            elif entry.deleted or line.kind is LineKind.ABOUT:
                yield self.line(bare | {"kind": "deleted"})
            else:
                yield self.line(bare | {"kind": "unproven", "words": line.text})
            return
        try:
            original, fingerprint = read_kept(entry.original)
            said = read_original(original)
            content = decode_content(said.data)
        except DecodeError as error:
            raise StorageError(f"what {line.sender} signed cannot be read any more: {error}") from error
        if fingerprint not in self._authors:
            yield self._introduce(line.sender, fingerprint)
        self.numbers.see(*self._authors[fingerprint], said, content)
        proof: Object = {"content": encoded(original.content), "signature": encoded(original.signature)}
        yield self.line(place | readable(content) | proof | {"certificate": fingerprint.hex()})

    def _introduce(self, author: str, fingerprint: bytes) -> bytes:
        der = self._certificate(fingerprint)
        if der is None:
            raise StorageError(f"the certificate under which {author} spoke is not kept here")
        identity = claimed_identity(der)
        self._authors[fingerprint] = (identity.handle, identity.device)
        return self.line({"kind": "certificate", "der": encoded(der)})
