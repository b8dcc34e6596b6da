"""Frames by which one peer asks another for a key package, so that a group of two can begin without the authority."""

from __future__ import annotations

from collections.abc import Callable

from conclave.values import dataclass
from conclave.wire.codec import Reader, Writer
from conclave.wire.kinds import Kind
from conclave.wire.limits import PAYLOAD_BYTES


@dataclass(frozen=True, slots=True)
class AskPackage:
    """A key package of the receiver's is asked for, so that a group of two can begin without the authority."""


@dataclass(frozen=True, slots=True)
class Package:
    """A key package of the sender's (an ``MLSMessage``)."""

    package: bytes


PackageFrame = AskPackage | Package

DECODERS: dict[int, Callable[[Reader], PackageFrame]] = {
    Kind.ASK_PACKAGE: lambda _: AskPackage(),
    Kind.PACKAGE: lambda r: Package(r.opaque(PAYLOAD_BYTES)),
}
"""What ``wire.frames`` adds to its own table."""


def package_body(frame: PackageFrame) -> tuple[int, bytes]:
    """The kind and the body of a frame."""
    if isinstance(frame, AskPackage):
        return Kind.ASK_PACKAGE, b""
    return Kind.PACKAGE, Writer().opaque(frame.package).done()
