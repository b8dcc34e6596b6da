"""What a front may be told: the conversation's notices, and those of links, directory and certificates.

``as_json`` gives each as one flat object with its kind under ``notice``; bytes become hex, times stay UNIX seconds.
"""

from __future__ import annotations

import re
from typing import Any

from conclave.chat.notices import (
    LeaderChanged,
    LineAdded,
    LineChanged,
    LineMarked,
    Receipted,
    RequestAnswered,
    RequestArrived,
    RollCalled,
    Trouble,
)
from conclave.chat.words.line import Line
from conclave.node.classic.notices import LegacyNotice
from conclave.values import dataclass, fields

__all__ = [
    "AuthorityReached",
    "CertificateRenewed",
    "FileDone",
    "FileFailed",
    "FileListed",
    "FileProgress",
    "LeaderChanged",
    "LineAdded",
    "LineChanged",
    "LineMarked",
    "LinkClosed",
    "LinkOpened",
    "Notice",
    "PresenceChanged",
    "Receipted",
    "RequestAnswered",
    "RequestArrived",
    "Revoked",
    "RollCalled",
    "Trouble",
    "as_json",
    "line_as_json",
]


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """A mutually authenticated link to ``peer`` is open."""

    peer: str
    address: str


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """The link to ``peer`` ended. ``reason`` is a word of ``wire.link.CloseReason``; not ``clean``: it was cut."""

    peer: str
    reason: str
    text: str
    clean: bool


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """The directory says that ``handle`` came or went."""

    handle: str
    online: bool
    address: str


@dataclass(frozen=True, slots=True)
class AuthorityReached:
    """The connection to the authority came or went; chats go on without it, unless it ``refused`` this device."""

    reached: bool
    text: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Revoked:
    """The authority took ``handle``'s certificate back, or suspended it."""

    handle: str
    reason: str


@dataclass(frozen=True, slots=True)
class CertificateRenewed:
    """Our certificate of ``profile`` was renewed; it is valid until ``until``."""

    profile: str
    until: float


@dataclass(frozen=True, slots=True)
class FileListed:
    """``sender`` offers a file of ``size`` bytes; ``id`` is what ``file.accept`` takes."""

    conversation: str
    id: bytes
    sender: str
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class FileProgress:
    """So many bytes of a file (``done`` of ``size``) are fetched and kept, or, of one to be offered, read."""

    conversation: str
    id: bytes
    name: str
    done: int
    size: int


@dataclass(frozen=True, slots=True)
class FileDone:
    """A file was fetched whole, checked, and is at ``path``."""

    conversation: str
    id: bytes
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class FileFailed:
    """A file is not fetched any more; ``text`` says why, what is on disk is kept."""

    conversation: str
    id: bytes
    name: str
    text: str
    remedy: str


Notice = (
    LineAdded | LineMarked | LineChanged | Receipted | LeaderChanged | RollCalled | RequestArrived
    | RequestAnswered | Trouble | LinkOpened | LinkClosed | PresenceChanged | AuthorityReached | Revoked
    | CertificateRenewed
    | FileListed | FileProgress | FileDone | FileFailed | LegacyNotice
)  # fmt: skip


def line_as_json(line: Line, position: int = 0) -> dict[str, Any]:
    """A line of history as fronts get it; ``position`` is its place in the history (0: not known)."""
    shown: dict[str, Any] = {
        "id": line.id.hex(),
        "from": line.sender,
        "kind": line.kind.value,
        "text": line.text,
        "sent": line.sent,
        "stored": line.stored,
        "status": line.status.value,
    }
    if line.seq:
        shown["seq"] = line.seq
    if line.reply is not None:
        shown["reply"] = {"from": line.reply[0], "id": line.reply[1].hex()}
    if line.expires:
        shown["expires"] = line.expires
    if position:
        shown["position"] = position
    return shown


def as_json(notice: Notice) -> dict[str, Any]:
    """``LinkOpened("burak", …)`` as ``{"notice": "link-opened", "peer": "burak", …}``."""
    shown: dict[str, Any] = {"notice": re.sub(r"(?<!^)(?=[A-Z])", "-", type(notice).__name__).lower()}
    for field in fields(notice):
        value = getattr(notice, field.name)
        if isinstance(value, Line):
            value = line_as_json(value)
        elif isinstance(value, bytes):
            value = value.hex()
        shown[field.name] = value
    return shown
