"""The one tree of errors: whose fault it was, and what to do next.

Every error that leaves a module of Conclave is one of these; errors of foreign libraries are translated at the
door of the module that owns the library. The message is the text that a person reads; ``remedy`` is the next step,
where there is one. Left out: exit codes and colours, which are the fronts' business.
"""

from __future__ import annotations


class ConclaveError(Exception):
    """Root of the tree. ``str(error)`` says what happened; ``remedy`` says what to do next, or is empty."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class LocalError(ConclaveError):
    """Our side was asked for something that it cannot do now."""


class UsageError(LocalError):
    """What was asked for makes no sense as it was written: an empty text, a time that is none."""


class NotReady(LocalError):
    """What everything else needs is not there, locked or wrong: the home, its vault, the settings, the node."""


class NotEnrolled(LocalError):
    """This home has no certificate yet: nobody joined here, or joining was not finished."""


class RemoteError(ConclaveError):
    """The other side broke the protocol. At most its own connection is closed for it."""


class DecodeError(RemoteError):
    """Bytes that do not follow their format, or exceed a limit of it."""


class VerificationError(RemoteError):
    """A signature, a certificate, a hash or a claimed name does not hold."""

    def __init__(self, message: str, *, reason: str = "bad-certificate", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason  # a word of wire.link.CloseReason, in kebab case


class Refused(ConclaveError):
    """The other side understood and said no. ``reason`` is a short kebab-case word that programs may test."""

    def __init__(self, message: str, *, reason: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason


class NetworkError(ConclaveError):
    """The other side could not be reached, or the connection was cut."""


class Truncated(NetworkError):
    """The stream ended without an orderly close: whatever was under way must be taken as cut short."""


class StorageError(ConclaveError):
    """The disk refused: full, locked, corrupt. Nothing that was acknowledged is lost."""


def of_no_release() -> NotReady:
    """What is kept was written before the first release, which nothing reads any more."""
    return NotReady(
        "this was kept by a Conclave from before the first release, which is not read any more",
        remedy="export what you want to keep with that one, and begin anew: conclave --home DIR join INVITE",
    )
