"""Who asks? From a connection to a ``Member``, from HTTP Basic to a token or a verified password; and how often.

A certificate is verified once per connection, its validity and its state in the database at every request. Refusals
are recorded. Left out: what the admitted may do.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable
from concurrent.futures import Future

from aiohttp import web  # noqa: TC002 - aiohttp reads handlers' annotations

from conclave.authority.accounts import hash_token
from conclave.authority.audit import Actor, claimed, entry
from conclave.authority.enrolment import bad_credentials
from conclave.authority.limits import Buckets, TooMany, origin_of
from conclave.authority.members import NEW_INVITE, Member, admit
from conclave.authority.ports import Store
from conclave.authority.records import ANYONE, Action
from conclave.authority.settings import AuthoritySettings
from conclave.crypto.password import NOBODY, verify_password
from conclave.errors import DecodeError, Refused, VerificationError
from conclave.net.accept import Acceptor, Connection
from conclave.net.authority_limits import ServerLimits
from conclave.pki.invite import TOKEN_BYTES, decode_base32
from conclave.pki.names import Handle, parse_handle
from conclave.pki.profile import Profile
from conclave.pki.trust import Trust
from conclave.pki.verify import VerifiedPeer, verify_peer
from conclave.values import dataclass

BASIC_CHARACTERS = 1024
log = logging.getLogger("conclave.authority")

_REMEDIES = {"not-yet-valid": "compare the clocks of this machine and of the authority"}


@dataclass(frozen=True, slots=True)
class TokenShown:
    """An invite's token that is known here, and the handle that came with it, unchecked."""

    handle: str
    token: bytes


@dataclass(frozen=True, slots=True)
class PasswordShown:
    """An account whose password was verified."""

    handle: Handle


def complain(done: Future[None]) -> None:
    """Log what a decision that nobody waits for came to, where it failed."""
    error = done.exception()
    if error is not None:
        log.error("could not be recorded: %s", error)


class Admission:
    """The door. ``acceptor`` is set when the server starts."""

    acceptor: Acceptor

    def __init__(
        self,
        store: Store,
        trust: Trust,
        settings: AuthoritySettings,
        limits: ServerLimits,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._trust = trust
        self._limits = limits
        self._clock = clock
        self._addresses = Buckets("requests from this address", settings.address_rate)
        self._accounts = Buckets("requests of this account", settings.account_rate)
        self._searches = Buckets("searches of this account", settings.search_rate)
        self._renewals = Buckets("renewals of this account", settings.renewal_rate)
        self._announcements = Buckets("announcements of this account", settings.announce_rate)
        self._tokens = Buckets("requests with this invite", settings.token_rate)
        self._passwords = Buckets("wrong passwords for this account", settings.password_rate)
        self._publications = Buckets("publications of this account", settings.publish_rate)
        self._deposits = Buckets("deposits of this account", settings.deposit_rate)
        self._takes = Buckets("key packages for this account", settings.take_rate)
        self._taken = Buckets("key packages of this account", settings.taken_rate)
        self._takes_from = Buckets("key packages of one account for another", settings.take_from_rate)
        self._hashing = asyncio.Semaphore(limits.passwords_at_once)
        self._hashing_wait = 0

    def connection(self, request: web.Request) -> Connection:
        """The connection that a request came on."""
        return self.acceptor.connection(request.protocol)

    def origin(self, request: web.Request) -> str:
        """The IP address that a request came from, for the log."""
        return self.connection(request).address

    def stranger(self, request: web.Request) -> None:
        """Let one request through that needs no certificate. Raises ``TooMany``."""
        self._addresses.take(origin_of(self.origin(request)), self._clock())

    def member(self, request: web.Request) -> Member:
        """Whose request it is, by the certificate of its connection.

        Raises ``Refused``: ``certificate-required``, the reasons of ``verify_peer`` and of ``members.admit``, and
        ``too-many-requests``.
        """
        now = self._clock()
        try:
            member = admit(self._store.reads, self._verified(request, now))
        except Refused as refused:
            self.stranger(request)
            peer = self.connection(request).peer
            self.record(request, peer.handle if peer else ANYONE, Action.ACCESS, request.path, refused.reason)
            raise
        self._accounts.take(member.handle, now)
        return member

    def verified(self, request: web.Request) -> VerifiedPeer:
        """The certificate of a request's connection, as far as no database is needed. Raises ``Refused``."""
        return self._verified(request, self._clock())

    def searching(self, member: Member) -> None:
        """Let one search of the directory through. Raises ``TooMany``."""
        self._searches.take(member.handle, self._clock())

    def renewing(self, member: Member) -> None:
        """Let one renewal through. Raises ``TooMany``."""
        self._renewals.take(member.handle, self._clock())

    def announcing(self, member: Member) -> None:
        """Let one announcement through. Raises ``TooMany``."""
        self._announcements.take(member.handle, self._clock())

    def publishing(self, member: Member) -> None:
        """Let one publication of key packages through. Raises ``TooMany``."""
        self._publications.take(member.handle, self._clock())

    def depositing(self, member: Member) -> None:
        """Let one deposit in a mailbox through. Raises ``TooMany``."""
        self._deposits.take(member.handle, self._clock())

    def spares(self, member: Member, owner: str) -> bool:
        """Whether ``owner`` spares ``member`` a single-use key package now: nobody uses up somebody's stock.

        No check but a choice between two goods, so it raises nothing.
        """
        now = self._clock()
        try:
            self._takes_from.take(f"{member.handle} {owner}", now)
            self._takes.take(member.handle, now)
            self._taken.take(owner, now)
        except TooMany:
            return False
        return True

    def frame(self, member: Member) -> None:
        """Let one frame on the presence connection through. Raises ``TooMany``."""
        self._accounts.take(member.handle, self._clock())

    def record(self, request: web.Request, who: str, action: Action, what: str, outcome: str) -> None:
        """Append to the log, without waiting."""
        row = entry(Actor(who, self.origin(request)), action, what, self._clock(), outcome)
        self._store.decide(lambda transaction: transaction.record(row)).add_done_callback(complain)

    def _verified(self, request: web.Request, now: float) -> VerifiedPeer:
        connection = self.connection(request)
        if connection.peer is not None and now <= connection.peer.not_after:
            return connection.peer
        tls = None if request.transport is None else request.transport.get_extra_info("ssl_object")
        der = None if tls is None else tls.getpeercert(binary_form=True)
        if not der:
            raise Refused(
                "this needs the certificate of an enrolled device, profile tls",
                reason="certificate-required",
                remedy="enrol first: conclave join '<invite>'",
            )
        try:
            connection.peer = verify_peer(der, self._trust, now, Profile.TLS)
        except VerificationError as error:
            remedy = _REMEDIES.get(error.reason, NEW_INVITE)
            raise Refused(str(error), reason=error.reason, remedy=remedy) from error
        return connection.peer

    async def credentials(self, request: web.Request, profile: Profile) -> TokenShown | PasswordShown:
        """What HTTP Basic (RFC 7617) brings: a token that is known, or a password that fits.

        Raises ``Refused``: ``credentials-required``, ``bad-credentials``, ``too-many-requests``.
        """
        handle_text, secret = _basic(request.headers.get("Authorization", ""))
        now = self._clock()
        try:
            token: bytes | None = decode_base32(secret, TOKEN_BYTES, "token")
        except DecodeError:
            token = None
        if token is not None and self._store.reads.invitation(hash_token(token)) is not None:
            self._tokens.take(hash_token(token), now)
            return TokenShown(handle_text, token)
        try:
            handle = parse_handle(handle_text)
            await self._check_password(handle, secret, now)
        except (Refused, DecodeError) as error:
            refused = error if isinstance(error, Refused) else bad_credentials()
            if not isinstance(refused, TooMany):
                self.record(request, claimed(handle_text), Action.ENROL, profile, refused.reason)
            raise refused from error
        return PasswordShown(handle)

    async def _check_password(self, handle: Handle, password: str, now: float) -> None:
        account = self._store.reads.account(handle)
        if self._hashing_wait >= self._limits.passwords_waiting:
            raise TooMany("passwords at once", 1)
        self._passwords.take(handle, now)
        self._hashing_wait += 1
        try:
            async with self._hashing:
                expected = account.password if account is not None and account.password else NOBODY
                await asyncio.to_thread(verify_password, password, expected)
        finally:
            self._hashing_wait -= 1
        self._passwords.give_back(handle)


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if not header or scheme.lower() != "basic":
        raise Refused(
            "enrolment needs HTTP Basic: the handle, and an invite's token or the account's password",
            reason="credentials-required",
            remedy="give them as in: curl --user ayse:TOKEN ...",
        )
    try:
        if len(encoded) > BASIC_CHARACTERS:
            raise bad_credentials()
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise bad_credentials() from error
    handle, colon, secret = text.partition(":")
    if not colon or not secret:
        raise bad_credentials()
    return handle, secret
