"""A node as a process: settings, the vault, being the only one on its home, signals. What ``conclave up`` runs.

Left out: the node itself (``node.run``).
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from conclave.errors import ConclaveError, NotEnrolled, NotReady, StorageError
from conclave.node.config import load
from conclave.node.identity import Identity
from conclave.node.paths import database_path, lock_path, vault_path
from conclave.node.run import Node, Tell
from conclave.store.peer import PeerDatabase
from conclave.store.vault import unlock


def run_node(home: Path, passphrase: str, flags: dict[str, str | None], tell: Tell) -> None:
    """Run the node of ``home`` until it is stopped. Raises ``ConclaveError`` where it cannot start."""
    settings = load(home, **flags)
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if not vault_path(home).exists():
        raise NotEnrolled(f"nobody is enrolled in {home}", remedy="conclave join '<invite>'")
    with alone(home):
        identity = Identity(unlock(vault_path(home), passphrase), settings.authority)
        store = PeerDatabase(database_path(home), identity.database_key)
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(_until_signal(lambda: Node(home, identity, store, settings, tell)))
        except* ConclaveError as group:
            raise _first(group) from None
        finally:
            store.close()


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Be the only node of ``home``, whatever is started at the same moment. Raises ``LocalError``."""
    try:
        file = lock_path(home).open("ab")
    except OSError as error:
        raise StorageError(f"{home} cannot be written: {error.strerror}", remedy="make the home yours") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lets go of it however this process ends
        except OSError as error:
            raise NotReady("this home's node is running already", remedy="conclave logout stops it") from error
        yield


async def _until_signal(make: Callable[[], Node]) -> None:
    node = make()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, node.stop)
    await node.run()


def _first(group: BaseExceptionGroup[ConclaveError]) -> ConclaveError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, ConclaveError):  # pragma: no cover - except* chose it
        raise error
    return error


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
