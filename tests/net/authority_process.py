"""An authority in a process of its own that kills itself at a chosen point: ``authority_process HOME POINT``.

``POINT``: ``before-commit`` (the certificate is made and written, not committed), ``after-commit`` (committed, not
answered), or ``never``. Prints its port.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from conclave.authority.records import Issued
from conclave.authority.settings import AuthoritySettings
from conclave.cli.office import open_office
from conclave.cli.serving import serve
from conclave.pki.invite import Address
from conclave.store import authority as store
from conclave.store.authority_rows import SqlTransaction


def die_at(point: str) -> None:
    if point == "before-commit":
        add = SqlTransaction.spend

        def spend(self: SqlTransaction, token_hash: bytes, issued: Issued) -> None:
            add(self, token_hash, issued)
            os.kill(os.getpid(), signal.SIGKILL)

        SqlTransaction.spend = spend  # type: ignore[method-assign]
    elif point == "after-commit":
        resolve = store._Task.resolve

        def resolved(self: store._Task) -> None:
            if isinstance(self.outcome, Issued):
                os.kill(os.getpid(), signal.SIGKILL)
            resolve(self)

        store._Task.resolve = resolved  # type: ignore[method-assign]


def main() -> None:
    home, point = Path(sys.argv[1]), sys.argv[2]
    die_at(point)
    with open_office(home) as office:

        def ready(address: Address, _: object) -> None:
            print(address.port, flush=True)  # noqa: T201

        serve(office, office.issuer("passphrase"), AuthoritySettings(), ("127.0.0.1", 0), [], ready)


if __name__ == "__main__":
    main()
