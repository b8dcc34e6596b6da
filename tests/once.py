"""Many members of a group ask the same of the same bytes: for tests of what follows, that is worked out once.

Only functions whose answer is a function of their arguments are remembered, and only what they gave, not what they
raised: what a member refuses is looked at anew.
"""

from __future__ import annotations

from functools import lru_cache

import pytest

from conclave.crypto.kem import Montgomery, Weierstrass
from conclave.crypto.signature import EdDSA

KEPT = 4096
"""Answers kept of each function, the latest."""


def remember(patch: pytest.MonkeyPatch) -> None:
    """From now on, sign and verify with a key, and find a key's public half, once for the same bytes."""
    for kind, name in ((EdDSA, "sign"), (EdDSA, "verify"), (Montgomery, "public"), (Weierstrass, "public")):
        patch.setattr(kind, name, lru_cache(KEPT)(getattr(kind, name)))
