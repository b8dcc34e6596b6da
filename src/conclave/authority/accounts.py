"""Who may come: invites, and accounts with a password. Handles are unique for ever, whoever asks at the same time."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future

from conclave.authority.audit import Actor, entry, on_refusal
from conclave.authority.members import demand_active
from conclave.authority.ports import Store, Transaction
from conclave.authority.records import Account, Action, Invitation
from conclave.errors import LocalError, UsageError
from conclave.pki.invite import TOKEN_BYTES
from conclave.pki.names import Handle
from conclave.values import replace

NAME_CHARACTERS = 64


def parse_name(text: str) -> str:
    """Read a person's display name: printable, at most 64 characters. Raises ``LocalError``."""
    name = " ".join(text.split())
    if len(name) > NAME_CHARACTERS or not name.isprintable():
        raise UsageError(
            "the name is too long or has characters that cannot be printed",
            remedy=f"use at most {NAME_CHARACTERS} printable characters",
        )
    return name


def hash_token(token: bytes) -> bytes:
    """The form in which a token is kept and looked up: SHA-256, which 128 random bits need no salt for."""
    return hashlib.sha256(token).digest()


def ensure_account(transaction: Transaction, handle: Handle, name: str, now: float) -> bool:
    """Make an account where there is none, give it a name where one is given; true where it is new."""
    fresh = transaction.add_account(Account(handle, name, now))
    if not fresh and name:
        account = transaction.account(handle)
        if account is not None and account.name != name:
            transaction.update_account(replace(account, name=name))
    return fresh


def invite(
    store: Store, handle: Handle, name: str, token: bytes, now: float, valid: float, actor: Actor
) -> Future[Invitation]:
    """Invite one device of ``handle`` for ``valid`` seconds with a fresh random 16-byte ``token``.

    Raises ``LocalError``, and through the future ``Refused`` (``suspended``).
    """
    if len(token) != TOKEN_BYTES or valid <= 0:
        raise LocalError(f"an invite has a token of {TOKEN_BYTES} bytes and some time to live")

    def decision(transaction: Transaction) -> Invitation:
        ensure_account(transaction, handle, parse_name(name), now)
        demand_active(transaction.account(handle))
        invitation = Invitation(hash_token(token), handle, now, now + valid)
        transaction.add_invitation(invitation)
        transaction.record(entry(actor, Action.INVITE, handle, now))
        return invitation

    return store.decide(decision, on_refusal(actor, Action.INVITE, handle, now))


def set_password(
    store: Store, handle: Handle, name: str, password_hash: str, now: float, actor: Actor
) -> Future[bool]:
    """Make an account that enrols with a password, or give one a new password; true where it is new."""

    def decision(transaction: Transaction) -> bool:
        fresh = ensure_account(transaction, handle, parse_name(name), now)
        account = demand_active(transaction.account(handle))
        transaction.update_account(replace(account, password=password_hash))
        transaction.record(entry(actor, Action.ACCOUNT, handle if fresh else f"{handle}: new password", now))
        return fresh

    return store.decide(decision, on_refusal(actor, Action.ACCOUNT, handle, now))
