"""What goes into others' mailboxes: sealed to key packages that were proven to be theirs, in the order asked for.

Nothing is kept here: what could not be left is told, and asked again by the core. Left out: the envelope itself
(``pki.envelope``), and what comes into our own (``node.mail.inbox``).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from conclave.chat.deeds import Deposit
from conclave.chat.events import Deposited, DepositFailed, Event
from conclave.errors import ConclaveError, LocalError, NetworkError, Refused, VerificationError
from conclave.mls.group import KeyPackage, Random, identify_package, read_key_package, seal_to
from conclave.net.authority_client import AuthorityClient
from conclave.node.authentication import verifier
from conclave.node.identity import Identity
from conclave.pki.envelope import fits, seal_envelope
from conclave.pki.names import Handle, parse_handle
from conclave.pki.profile import Profile
from conclave.pki.trust import Trust
from conclave.pki.verify import GRACE_SECONDS
from conclave.values import dataclass

log = logging.getLogger(__name__)

AT_ONCE = 4
"""People whose deposits are under way at once; those of one go one after the other."""
WAITING_MOST = 1024
WAITING_BYTES = 32 * 1024 * 1024
"""What may wait here; more is answered as *away*, for its turn comes too late."""
CACHE_SECONDS = 3600.0
CACHE_MOST = 1024
"""For how long, and of how many, last-resort key packages are remembered."""
LEFT_LEAST = 60.0
"""Mail is not left anew sooner than this (seconds), whatever the authority says how long it keeps it."""

Client = Callable[[], AuthorityClient]
"""The authority; raises ``NetworkError`` while it is away."""


def why(error: ConclaveError) -> str:
    """The word for the core: ``away``, ``full``, ``unknown``, ``too-large``, ``ours`` or ``refused``."""
    match error:
        case Refused(reason="mailbox-full"):
            return "full"
        case Refused(reason="unknown-user" | "expelled-user" | "no-package"):
            return "unknown"
        case Refused(reason="too-large" | "envelope-size"):
            return "too-large"
        case NetworkError() | Refused(reason="too-many-requests" | "storage" | "internal" | "too-slow"):
            return "away"
        case VerificationError(reason="unknown-authority" | "expired"):  # by TLS: what answers is not our authority
            return "away"
        case LocalError() | Refused(reason="suspended" | "revoked" | "not-enrolled"):
            return "ours"
        case _:
            return "refused"


@dataclass(frozen=True, slots=True)
class ProvenPackage:
    """A key package that is its owner's, by the certificate and signature in it, as of ``trust``."""

    owner: Handle
    package: KeyPackage
    trust: Trust


def prove_package(data: bytes, owner: Handle, trust: Trust, now: float, grace: float = 0.0) -> ProvenPackage:
    """Read a key package that the authority says is ``owner``'s, and prove it.

    Raises ``RemoteError``. ``grace`` is for the certificate in it, as in ``pki.verify.verify_credential``.
    """
    package = read_key_package(data)
    whose = identify_package(package, verify=verifier(trust, grace), now=now).identity
    if whose != owner.encode():
        raise VerificationError(
            f"the authority gave somebody else's key package for {owner}'s",
            reason="unexpected-handle",
            remedy="tell whoever runs the authority: it, or somebody in it, lies",
        )
    return ProvenPackage(owner, package, trust)


class Deposits:
    """Deposits that were asked for. ``clock`` is UNIX seconds."""

    def __init__(
        self,
        identity: Identity,
        client: Client,
        put: Callable[[Event], None],
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        self._identity = identity
        self._client = client
        self._put = put
        self._clock = clock
        self._random = random
        self._waiting: dict[str, deque[Deposit]] = {}
        self._peers: asyncio.Queue[str] = asyncio.Queue()
        self._count = self._bytes = 0
        self._known: dict[Handle, tuple[ProvenPackage, float]] = {}  # and until when

    def ask(self, deposit: Deposit) -> None:
        """Leave it when its turn comes."""
        queue = self._waiting.get(deposit.peer)
        if queue is not None and deposit in queue:
            return
        size = sum(map(len, deposit.frames))
        if self._count >= WAITING_MOST or self._bytes + size > WAITING_BYTES:
            self._put(_failed(deposit, "away"))
            return
        self._count += 1
        self._bytes += size
        if queue is None:
            queue = self._waiting[deposit.peer] = deque()
            self._peers.put_nowait(deposit.peer)
        queue.append(deposit)

    async def run(self) -> None:
        """Do what is asked for. Ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while True:
            peer = await self._peers.get()
            queue = self._waiting[peer]
            while queue:
                deposit = queue[0]  # stays there while it is under way, so that the same is not asked twice
                answer = await self._answer(deposit)
                queue.popleft()
                self._count -= 1
                self._bytes -= sum(map(len, deposit.frames))
                self._put(answer)
            del self._waiting[peer]

    async def _answer(self, deposit: Deposit) -> Deposited | DepositFailed:
        try:
            until = await self._leave(parse_handle(deposit.peer), deposit.frames)
        except ConclaveError as error:
            reason = why(error)
            log.info("nothing more left for %s (%s): %s", deposit.peer, reason, error)
            return _failed(deposit, reason)
        except Exception:  # a fault of ours costs this deposit, not the others
            log.exception("a deposit failed")
            return _failed(deposit, "fault")
        return Deposited(deposit.peer, deposit.upto, deposit.group, deposit.entry, until)

    async def _leave(self, peer: Handle, frames: Sequence[bytes]) -> float:
        """Leave them; until when the first of them is there (UNIX seconds)."""
        if peer == self._identity.handle:
            raise LocalError("that is ourselves")
        theirs = await self._package(peer)
        credentials = self._identity.credentials(Profile.IM)

        def seal(label: bytes, context: bytes, plain: bytes) -> bytes:
            return seal_to(theirs.package, label, context, plain, self._random)

        until = 0.0
        for items in _parts(frames):
            now = self._clock()
            left = await self._client().deposit(peer, seal_envelope(credentials, peer, items, now, seal))
            until = until or now + min(max(left.seconds or GRACE_SECONDS, LEFT_LEAST), GRACE_SECONDS)
        return until

    async def _package(self, peer: Handle) -> ProvenPackage:
        now, trust = self._clock(), self._identity.trust
        known, until = self._known.pop(peer, (None, 0.0))
        if known is None or known.trust is not trust or not now < until <= now + CACHE_SECONDS:
            data = await self._client().last_package(peer)
            known, until = prove_package(data, peer, trust, now, GRACE_SECONDS), now + CACHE_SECONDS
        self._known[peer] = (known, until)
        if len(self._known) > CACHE_MOST:
            del self._known[next(iter(self._known))]
        return known


def _failed(deposit: Deposit, reason: str) -> DepositFailed:
    return DepositFailed(deposit.peer, deposit.upto, reason, deposit.group, deposit.entry)


def _parts(frames: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    """The frames in order, in as few envelopes as take them. Raises ``Refused`` for one that none takes."""
    part: list[bytes] = []
    for frame in frames:
        if not fits([frame]) or not frame:
            raise Refused(f"a frame of {len(frame)} bytes fits no envelope", reason="too-large")
        if not fits([*part, frame]):
            yield tuple(part)
            part = []
        part.append(frame)
    if part:
        yield tuple(part)
