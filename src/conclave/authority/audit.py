"""The audit log: one row for every action, refused ones included, in the transaction of the action itself.

Whatever a stranger sent is quoted and cut before it becomes part of a row; tokens and passwords never do. That rows
are never changed is the store's promise.
"""

from __future__ import annotations

from collections.abc import Callable

from conclave.authority.ports import Transaction
from conclave.authority.records import DONE, Action, AuditEntry
from conclave.errors import Refused
from conclave.pki.names import quote
from conclave.values import dataclass

TEXT_CHARACTERS = 200
"""Longest ``what`` of a row."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, from where (an IP address, or ``console:`` and the system's user)."""

    who: str
    origin: str


def entry(actor: Actor, action: Action, what: str, now: float, outcome: str = DONE) -> AuditEntry:
    """Make a row."""
    return AuditEntry(now, actor.who, action, what[:TEXT_CHARACTERS], actor.origin, outcome)


def on_refusal(actor: Actor, action: Action, what: str, now: float) -> Callable[[Transaction, Refused], None]:
    """What a store does with a refused decision: record it under its reason."""

    def record(transaction: Transaction, refused: Refused) -> None:
        transaction.record(entry(actor, action, what, now, refused.reason))

    return record


def claimed(handle: str) -> str:
    """Spell who somebody claims to be, before that is proved."""
    return f"?{quote(handle)}"
