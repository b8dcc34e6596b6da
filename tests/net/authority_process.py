"""An authority in a process of its own that kills itself at a chosen point.

Points: ``before-commit`` (it is written, not committed), ``after-commit`` (committed, not answered), or ``never``;
steps are of what, one of ``STEPS``. The processes are forked from one that has read the program already.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from conclave.authority.mailbox import Deposited
from conclave.authority.packages import Taken
from conclave.authority.records import Issued
from conclave.authority.settings import AuthoritySettings
from conclave.cli.office import open_office
from conclave.cli.serving import serve
from conclave.pki.address import Address
from conclave.store import authority as store
from conclave.store.authority_rows import SqlTransaction

STEPS: dict[str, tuple[str, type]] = {
    "enrolment": ("spend", Issued),
    "publication": ("set_last_package", int),
    "take": ("take_package", Taken),
    "deposit": ("add_mail", Deposited),
    "acknowledgement": ("drop_mail", tuple),
}
"""What the transaction does last, and what comes of the decision."""


def die_at(point: str, step: str) -> None:
    method, outcome = STEPS[step]
    if point == "before-commit":
        write = getattr(SqlTransaction, method)

        def writing(self: SqlTransaction, *values: object) -> None:
            write(self, *values)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(SqlTransaction, method, writing)
    elif point == "after-commit":
        resolve = store._Task.resolve

        def resolved(self: store._Task) -> None:
            if isinstance(self.outcome, outcome):
                os.kill(os.getpid(), signal.SIGKILL)
            resolve(self)

        store._Task.resolve = resolved  # type: ignore[method-assign]


def main(home: Path, point: str, step: str, port: Connection) -> None:
    """Serve, and tell the port."""
    warnings.simplefilter("error")
    die_at(point, step)
    with open_office(home) as office:

        def ready(address: Address, _: object) -> None:
            port.send(address.port)

        serve(office, office.issuer("passphrase"), AuthoritySettings(), ("127.0.0.1", 0), [], ready)


@contextmanager
def process(home: Path, point: str = "never", step: str = "enrolment") -> Iterator[tuple[ForkServerProcess, int]]:
    """The server, and its port."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    ours, theirs = context.Pipe(duplex=False)
    running = context.Process(target=main, args=(home, point, step, theirs))
    running.start()
    theirs.close()
    try:
        with ours:
            yield running, ours.recv()
    finally:
        running.terminate()
        running.join(20)
    assert running.exitcode == (0 if point == "never" else -signal.SIGKILL)


def killed(running: ForkServerProcess) -> bool:
    """Whether it killed itself, as it was to."""
    running.join(10)
    return running.exitcode == -signal.SIGKILL
