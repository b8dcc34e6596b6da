"""Passwords of accounts: Argon2id (RFC 9106) in its PHC string form, with the second recommended parameters.

64 MiB and three passes cost about a tenth of a second and that much memory: callers bound how many run at once. Left
out: where the strings are kept and how often somebody may guess.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from conclave.errors import LocalError, Refused

MEMORY_KIB: Final = 64 * 1024
PASSES: Final = 3
LANES: Final = 4
SALT_BYTES: Final = 16
TAG_BYTES: Final = 32
PASSWORD_LEAST: Final = 10
"""Fewest characters of a password."""
PASSWORD_MOST: Final = 256
"""Most characters: what a stranger makes us hash is bounded."""

NOBODY: Final = (
    f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$Y29uY2xhdmUtbm9ib2R5$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)
"""A string that no password fits, so that an unknown account costs as much time as a wrong password."""


def hash_password(password: str, salt: bytes) -> str:
    """The PHC string of a password; ``salt`` is 16 random bytes. Raises ``LocalError`` for a bad length."""
    if not PASSWORD_LEAST <= len(password) <= PASSWORD_MOST:
        raise LocalError(
            f"the password has {len(password)} characters",
            remedy=f"choose {PASSWORD_LEAST} to {PASSWORD_MOST}; several words are easy to remember",
        )
    if len(salt) != SALT_BYTES:
        raise LocalError(f"a salt has {SALT_BYTES} bytes")
    argon = Argon2id(salt=salt, length=TAG_BYTES, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)
    return argon.derive_phc_encoded(password.encode())


def verify_password(password: str, expected: str) -> None:
    """Assert that ``password`` is the one hashed to ``expected``. Raises ``Refused`` (``bad-credentials``)."""
    try:
        Argon2id.verify_phc_encoded(password[:PASSWORD_MOST].encode(errors="replace"), expected)
    except InvalidKey as error:
        raise Refused(
            "the handle and the token or password do not fit",
            reason="bad-credentials",
            remedy="check both; an invite's token works for the invited handle only",
        ) from error
