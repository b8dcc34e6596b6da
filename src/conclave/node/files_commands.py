"""What a front may ask about files, in the manner of ``node.commands``, which adds ``METHODS`` to its own.

Left out: how a command is carried out (``node.files``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

_STRICT = ConfigDict(extra="forbid", strict=False, str_max_length=70_000)
_Name = Annotated[str, Field(min_length=1, max_length=140)]
_Conversation = Annotated[str, Field(max_length=140)]
_Path = Annotated[str, Field(min_length=1, max_length=4096)]
Id = Annotated[str, Field(min_length=4, max_length=32, pattern="^[0-9a-fA-F]+$")]
"""The first digits (4 to 32, hexadecimal) of an offer's id, enough to tell it from others."""


@dataclass(frozen=True, slots=True)
class FileOffer:
    """Offer the file at ``path`` (absolute) to ``@handle`` or ``#lobby``; answered once it was read and said."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    to: _Name
    path: _Path


@dataclass(frozen=True, slots=True)
class FileList:
    """Files that were offered, by us or to us, the latest last; of one conversation, or of all."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    conversation: _Conversation = ""


@dataclass(frozen=True, slots=True)
class FileAccept:
    """Fetch an offered file into the folder ``into`` (absolute); answered at once, notices tell how it goes."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    id: Id
    into: _Path
    conversation: _Conversation = ""


@dataclass(frozen=True, slots=True)
class FileCancel:
    """Stop fetching a file and remove what is there of it; or decline it; or, where we offer it, send it no more."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    id: Id
    conversation: _Conversation = ""


FileCommand = FileOffer | FileList | FileAccept | FileCancel

METHODS: dict[str, type[FileCommand]] = {
    "file.offer": FileOffer,
    "file.list": FileList,
    "file.accept": FileAccept,
    "file.cancel": FileCancel,
}
