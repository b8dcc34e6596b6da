"""From a proven request to a certificate: by an invite's token, by password, by the certificate at hand, by file.

Every way is one decision of the store: certificate, spent token and audit row are committed together, so a crash
loses nothing, and asking again with the same token and key gives the same certificate. The name always comes from
the account, the device label from the authority. Left out: HTTP, and the check of a password (``crypto.password``).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from conclave.authority.accounts import ensure_account, hash_token
from conclave.authority.audit import Actor, claimed, entry, on_refusal
from conclave.authority.members import NEW_INVITE, Member, demand_active
from conclave.authority.ports import Store, Transaction
from conclave.authority.records import Action, Invitation, Issued
from conclave.authority.settings import AuthoritySettings
from conclave.errors import DecodeError, Refused
from conclave.pki.certificate import moment
from conclave.pki.credentials import Issuer
from conclave.pki.invite import TOKEN_BYTES, decode_base32
from conclave.pki.issue import issue
from conclave.pki.keys import public_fingerprint
from conclave.pki.names import Device, Handle, Identity, parse_handle
from conclave.pki.policy import judge
from conclave.pki.request import ProvenRequest
from conclave.pki.revocation import because
from conclave.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class Signed:
    """What came of one request that was brought as a file."""

    issued: Issued
    vouched: bool
    """The operator stood for the handle, no token did."""
    account_made: bool


def bad_credentials() -> Refused:
    """One answer for an unknown handle, a wrong token and a wrong password, so that none of them is told apart."""
    return Refused(
        "the handle and the token or password do not fit",
        reason="bad-credentials",
        remedy="check both; an invite's token works for the invited handle only",
    )


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The use cases. ``now`` is UNIX seconds; refusals come through the futures, with the reasons named there."""

    store: Store
    issuer: Issuer
    settings: AuthoritySettings

    def by_token(self, request: ProvenRequest, handle: str, token: bytes, now: float, origin: str) -> Future[Issued]:
        """Spend an invite on one profile.

        Refused: ``bad-credentials``, ``other-handle``, ``invite-expired``, ``token-used``, ``key-used``, ``revoked``,
        ``suspended``.
        """
        actor = Actor(claimed(handle), origin)

        def decision(transaction: Transaction) -> Issued:
            return self._spend(transaction, request, handle, token, now, origin)

        return self.store.decide(decision, on_refusal(actor, Action.ENROL, request.profile, now))

    def by_password(self, request: ProvenRequest, handle: Handle, now: float, origin: str) -> Future[Issued]:
        """Enrol for an account whose password the caller has verified.

        The first request opens a device; those for other profiles within ``password_device_seconds`` are for the
        same one. Refused: ``device-unclear`` where two devices are under way, ``key-used``, ``revoked``,
        ``suspended``, ``other-handle``.
        """
        actor = Actor(handle, origin)

        def decision(transaction: Transaction) -> Issued:
            demand_active(transaction.account(handle))
            known = transaction.issued_for_key(public_fingerprint(request.public))
            if known is not None and (known.handle, known.profile) == (handle, request.profile):
                if known.not_after < now:
                    return self._certify(transaction, request, handle, known.device, now, actor, Action.ENROL)
                self._demand_good(known, now)
                transaction.record(entry(actor, Action.ENROL, f"{_title(known)} again", now))
                return known
            since = now - self.settings.password_device_seconds
            under_way = transaction.devices_lacking(handle, request.profile, since)
            if len(under_way) > 1:
                raise Refused(
                    "several devices of this account are enrolling: which one asks is unclear",
                    reason="device-unclear",
                    remedy="ask again by simplereenroll with the device's tls certificate, or wait ten minutes",
                )
            device = under_way[0] if under_way else transaction.add_device(handle, now, by_password=True)
            return self._certify(transaction, request, handle, device, now, actor, Action.ENROL)

        return self.store.decide(decision, on_refusal(actor, Action.ENROL, request.profile, now))

    def renew(self, request: ProvenRequest, member: Member, now: float, origin: str) -> Future[Issued]:
        """Certify a new or the same key for the device that asks, in any profile.

        Refused: ``key-used``, ``other-handle``, ``revoked``, ``suspended``.
        """
        actor = Actor(member.handle, origin)

        def decision(transaction: Transaction) -> Issued:
            demand_active(transaction.account(member.handle))
            shown = transaction.issued(member.serial)
            if shown is None or shown.revoked is not None:  # revoked since the request came in
                raise _revoked(shown)
            return self._certify(
                transaction, request, member.handle, member.device, now, actor, Action.RENEW, renewed=shown.not_before
            )

        return self.store.decide(decision, on_refusal(actor, Action.RENEW, request.profile, now))

    def by_file(
        self, requests: Sequence[ProvenRequest], handle: Handle | None, now: float, actor: Actor
    ) -> Future[list[Signed]]:
        """Sign requests that an operator brings: all of them, or none.

        A request that carries a token is judged by it. For another one the operator vouches: it goes to ``handle``,
        or to the handle that it claims, whose account is made where missing. Requests of one call for one handle are
        for one device, or for the device that has the key already. Raises ``DecodeError`` for a claim that is no
        handle.
        """

        def decision(transaction: Transaction) -> list[Signed]:
            opened: dict[Handle, Device] = {}
            return [self._sign(transaction, request, handle, opened, now, actor) for request in requests]

        return self.store.decide(decision, on_refusal(actor, Action.SIGN, handle or "request files", now))

    def _sign(
        self,
        transaction: Transaction,
        request: ProvenRequest,
        override: Handle | None,
        opened: dict[Handle, Device],
        now: float,
        actor: Actor,
    ) -> Signed:
        if request.challenge and override is None:
            token = decode_base32(request.challenge, TOKEN_BYTES, "token in the request")
            issued = self._spend(transaction, request, request.claimed, token, now, actor.origin)
            return Signed(issued, vouched=False, account_made=False)
        if override is None and not request.claimed:
            raise DecodeError("the request names nobody", remedy="say whose it is: --handle HANDLE")
        handle = override or parse_handle(request.claimed)
        made = ensure_account(transaction, handle, "", now)
        demand_active(transaction.account(handle))
        known = transaction.issued_for_key(public_fingerprint(request.public))
        if known is not None and known.handle == handle:
            device = known.device
        else:
            device = opened.get(handle) or transaction.add_device(handle, now, by_password=False)
            opened[handle] = device
        own = replace(request, claimed=handle)
        issued = self._certify(transaction, own, handle, device, now, actor, Action.SIGN)
        return Signed(issued, vouched=True, account_made=made)

    def _spend(
        self, transaction: Transaction, request: ProvenRequest, handle: str, token: bytes, now: float, origin: str
    ) -> Issued:
        token_hash = hash_token(token)
        invitation = transaction.invitation(token_hash)
        if invitation is None:
            raise bad_credentials()
        if handle and handle != invitation.handle:
            raise Refused(
                "the invite is for another handle",
                reason="other-handle",
                remedy="use the handle in the invite, before the @",
            )
        actor = Actor(invitation.handle, origin)
        demand_active(transaction.account(invitation.handle))
        spent = transaction.spent(token_hash, request.profile)
        if spent is not None:
            if spent.public != public_fingerprint(request.public):
                raise Refused(
                    f"the invite for {invitation.handle} was used already, for another key",
                    reason="token-used",
                    remedy="tell whoever runs the authority if that was not you, and ask for a new invite",
                )
            self._demand_good(spent, now)
            transaction.record(entry(actor, Action.ENROL, f"{_title(spent)} again", now))
            return spent
        _demand_fresh(invitation, now)
        if invitation.device is not None and any(
            issued.revoked is not None and issued.device == invitation.device
            for issued in transaction.issued_to(invitation.handle)
        ):
            raise _revoked(None)
        device = invitation.device or transaction.add_device(invitation.handle, now, by_password=False)
        issued = self._certify(transaction, request, invitation.handle, device, now, actor, Action.ENROL)
        transaction.spend(token_hash, issued)
        return issued

    def _certify(
        self,
        transaction: Transaction,
        request: ProvenRequest,
        handle: Handle,
        device: Device,
        now: float,
        actor: Actor,
        action: Action,
        *,
        renewed: float | None = None,
    ) -> Issued:
        public = public_fingerprint(request.public)
        known = transaction.issued_for_key(public)
        if known is not None and (known.handle, known.device, known.profile) != (handle, device, request.profile):
            raise Refused(
                "this key is certified already, for another person, device or purpose",
                reason="key-used",
                remedy="make a fresh key for every device and profile, then ask again",
            )
        if known is not None and known.revoked is not None:
            raise _revoked(known)
        identity = Identity(handle, device, self.issuer.realm)
        grant = judge(request, identity, now, self.settings.grant, renewed=renewed)
        certificate = issue(grant, self.issuer)
        issued = Issued(
            certificate.serial,
            handle,
            device,
            request.profile,
            public,
            certificate.not_before,
            certificate.not_after,
            certificate.der,
        )
        transaction.add_issued(issued)
        transaction.record(entry(actor, action, _title(issued), now))
        return issued

    def _demand_good(self, issued: Issued, now: float) -> None:
        if issued.revoked is not None:
            raise _revoked(issued)
        if now > issued.not_after:
            raise Refused(
                f"the certificate that was made for this key expired on {moment(issued.not_after)}",
                reason="expired",
                remedy=NEW_INVITE,
            )


def _title(issued: Issued) -> str:
    return f"{issued.handle}/{issued.device} {issued.profile} {issued.serial:x}"


def _revoked(issued: Issued | None) -> Refused:
    why = because(issued.reason) if issued is not None else ""
    return Refused(
        f"the certificate of this device was revoked{why}",
        reason="revoked",
        remedy=f"make fresh keys; {NEW_INVITE}",
    )


def _demand_fresh(invitation: Invitation, now: float) -> None:
    if now > invitation.expires:
        raise Refused(
            f"the invite for {invitation.handle} ran out on {moment(invitation.expires)}",
            reason="invite-expired",
            remedy=NEW_INVITE,
        )
