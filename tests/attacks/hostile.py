"""A peer that is who it says it is, and hostile: a real link whose frames are chosen by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from conclave.link.events import Closed
from conclave.link.limits import LinkLimits
from conclave.net.contexts import link_client_context
from conclave.net.dialling import dial
from conclave.net.streams import LinkStream
from conclave.pki.credentials import Credentials
from conclave.pki.profile import Profile
from conclave.pki.verify import verify_peer
from conclave.wire.frames import Frame, encode_frame
from tests.node.homes import realm


class Mallory:
    """Dials, sends what it is told to, and writes down what comes back. Acknowledges nothing by itself."""

    def __init__(self) -> None:
        self.heard: list[Frame] = []
        self.closed: list[Closed] = []
        self.stream: LinkStream | None = None

    async def link(self, address: str, credentials: Credentials) -> None:
        host, _, port = address.rpartition(":")
        trust = realm().trust
        context = link_client_context(credentials, trust)
        self.stream = await dial(
            host, int(port), context, lambda leaf, now: verify_peer(leaf, trust, now, Profile.TLS), LinkLimits(), self
        )

    def send(self, *frames: Frame) -> None:
        assert self.stream is not None
        for frame in frames:
            self.stream.send_encoded(encode_frame(frame))

    def raw(self, data: bytes) -> None:
        """Bytes inside the link that may be no frames at all."""
        assert self.stream is not None
        self.stream.send_encoded(data)

    def of(self, kind: type[Any]) -> list[Any]:
        return [frame for frame in self.heard if isinstance(frame, kind)]

    async def until(self, true: Callable[[], object], patience: float = 15.0) -> None:
        end = time.monotonic() + patience
        while not true():
            assert time.monotonic() < end
            await asyncio.sleep(0.005)

    def end(self) -> None:
        if self.stream is not None:
            self.stream.abort()

    # What links tell.

    def on_link(self, stream: LinkStream) -> None:
        raise AssertionError("nobody dials mallory")

    def on_frames(self, stream: LinkStream, frames: Sequence[Frame]) -> None:
        self.heard += frames

    def on_drained(self, stream: LinkStream) -> None:
        pass

    def on_closed(self, stream: LinkStream, closed: Closed) -> None:
        self.closed.append(closed)

    def on_refused(self, address: str, closed: Closed) -> None:
        pass
