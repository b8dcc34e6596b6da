"""What a handle and a lobby's name may be. Both come from strangers, and both end up on a screen.

A handle is a DNS label (RFC 1035 section 2.3.1, in lower case); an authority gives 32 letters of its 63 at most. A
lobby's name is kept to the same narrow letters, with ``.`` and ``_``, so that no two names look alike and none can
drive a terminal.
"""

from __future__ import annotations

import re

from conclave.errors import VerificationError
from conclave.wire.limits import HANDLE

NAME_LETTERS = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)


def check_handle(handle: str) -> str:
    """The handle itself. Raises ``VerificationError`` for anything that is not one."""
    if HANDLE.fullmatch(handle) is None:
        raise VerificationError(
            f"{handle[:80]!r} is not a handle",
            reason="bad-name",
            remedy="handles have 1 to 32 of a-z, 0-9 and -, and neither begin nor end with -",
        )
    return handle


def check_name(name: str) -> str:
    """The lobby's name itself. Raises ``VerificationError`` for anything that is not one."""
    if _NAME.fullmatch(name) is None:
        raise VerificationError(
            f"{name[:80]!r} cannot be the name of a lobby",
            reason="bad-name",
            remedy=f"use 1 to {NAME_LETTERS} of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit",
        )
    return name
