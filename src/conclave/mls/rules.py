"""How a broken rule of RFC 9420 is told: one error type, and the rule's own name in it.

Each name is a row of the validation table in the documentation, with the section that states it, the function that
checks it and the test that breaks it. The first part of a name is the section.
"""

from __future__ import annotations

from conclave.errors import RemoteError


class RuleError(RemoteError):
    """A message breaks the rule named ``rule``. Nothing of it has been taken over."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{message} (RFC 9420, {rule})")
        self.rule = rule


class OwnMessageError(RuleError):
    """A message of our own: nobody but others can open it."""

    def __init__(self) -> None:
        super().__init__(
            "6.3-own-message", "a message of our own: its key is gone, and its text was kept when it was sent"
        )
