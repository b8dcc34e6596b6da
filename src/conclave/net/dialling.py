"""Dialling a peer. Left out: whom and when (``node.peers``), the link itself (``net.streams``)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from conclave.errors import ConclaveError, NetworkError, RemoteError, Truncated, VerificationError
from conclave.link.events import Closed, Verify
from conclave.link.limits import LinkLimits
from conclave.net.streams import LinkOwner, LinkStream
from conclave.wire.link import CloseReason


def _error(closed: Closed, address: str) -> ConclaveError:
    """The exception for a link that did not open."""
    text = f"no link to {address}: {closed.text}"
    reason = closed.reason
    if reason >= CloseReason.BAD_CERTIFICATE:
        return VerificationError(text, reason=reason.word)
    if reason in (CloseReason.PROTOCOL, CloseReason.VERSION):
        return RemoteError(text)
    return (Truncated if reason is CloseReason.TRUNCATED else NetworkError)(text)


async def dial(
    host: str, port: int, context: ssl.SSLContext, verify: Verify, limits: LinkLimits, owner: LinkOwner
) -> LinkStream:
    """An open link to whoever listens at ``host``; ``verify`` accepts the expected handle only.

    What arrives on it is told to ``owner`` from the next turn of the loop on. Raises ``NetworkError`` where nobody
    could be reached in ``handshake_seconds``, ``VerificationError`` (``reason`` is a word of ``CloseReason``) where
    either side does not accept the other's certificate, ``RemoteError`` where the other side speaks something else.
    """
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[Closed | None] = loop.create_future()
    stream = LinkStream(context, verify, limits, owner, opened=opened)
    make: Callable[[], LinkStream] = lambda: stream  # noqa: E731 - a factory, as asyncio wants it
    try:
        async with asyncio.timeout(limits.handshake_seconds):
            await loop.create_connection(make, host, port)
            closed = await opened
    except TimeoutError as error:
        stream.abort()
        text = f"{host}:{port} did not answer within {limits.handshake_seconds:g} seconds"
        raise NetworkError(text, remedy="check that the peer is up and that no firewall is between") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no resolver takes
        text = f"{host}:{port} cannot be reached: {getattr(error, 'strerror', None) or error}"
        raise NetworkError(text, remedy="check the address, and that the peer is up") from error
    except asyncio.CancelledError:
        stream.abort()
        raise
    if closed is not None:
        raise _error(closed, stream.address)
    loop.call_soon(stream.release)
    return stream
