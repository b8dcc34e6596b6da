"""What a front may ask about files, in the manner of ``node.door.commands``, which adds ``METHODS`` to its own.

Left out: how a command is carried out (``node.files.filing``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from conclave.node.params import Name, Params, Path

_Conversation = Annotated[str, Field(max_length=140)]
Id = Annotated[str, Field(min_length=4, max_length=32, pattern="^[0-9a-fA-F]+$")]
"""The first digits (4 to 32, hexadecimal) of an offer's id, enough to tell it from others."""


@dataclass(frozen=True, slots=True)
class FileOffer(Params):
    """Offer the file at ``path`` (absolute) to ``@handle`` or ``#lobby``; answered once it was read and said."""

    to: Name
    path: Path


@dataclass(frozen=True, slots=True)
class FileList(Params):
    """Files that were offered, by us or to us, the latest last; of one conversation, or of all."""

    conversation: _Conversation = ""


@dataclass(frozen=True, slots=True)
class FileAccept(Params):
    """Fetch an offered file into the folder ``into`` (absolute); answered at once, notices tell how it goes."""

    id: Id
    into: Path
    conversation: _Conversation = ""


@dataclass(frozen=True, slots=True)
class FileCancel(Params):
    """Stop fetching a file and remove what is there of it; or decline it; or, where we offer it, send it no more."""

    id: Id
    conversation: _Conversation = ""


FileCommand = FileOffer | FileList | FileAccept | FileCancel

METHODS: dict[str, type[FileCommand]] = {
    "file.offer": FileOffer,
    "file.list": FileList,
    "file.accept": FileAccept,
    "file.cancel": FileCancel,
}
