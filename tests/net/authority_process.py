"""An authority in a process of its own that kills itself at a chosen point: ``authority_process HOME POINT STEP``.

``POINT``: ``before-commit`` (it is written, not committed), ``after-commit`` (committed, not answered), or ``never``.
``STEP``: of what, one of ``STEPS``. Prints its port.
"""

from __future__ import annotations

import os
import signal
import sys
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


def main() -> None:
    home, point, step = Path(sys.argv[1]), *sys.argv[2:]
    die_at(point, step)
    with open_office(home) as office:

        def ready(address: Address, _: object) -> None:
            print(address.port, flush=True)  # noqa: T201

        serve(office, office.issuer("passphrase"), AuthoritySettings(), ("127.0.0.1", 0), [], ready)


if __name__ == "__main__":
    main()
