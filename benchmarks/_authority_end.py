"""The authority in a process of its own, wired as ``conclave authority serve`` wires it: ``_authority_end HOME``.

Only its rates are raised, since all of a benchmark's requests come from one address. Writes its port; ends with its
input.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from conclave.authority.limits import Rate
from conclave.authority.settings import AuthoritySettings
from conclave.cli.office import open_office
from conclave.cli.serving import serve
from conclave.pki.address import Address

PASSPHRASE = "a passphrase for this run"
MUCH = Rate(1_000_000, 1_000_000.0)


def until_input_ends() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    def ready(address: Address, _: object) -> None:
        print(address.port, flush=True)
        threading.Thread(target=until_input_ends, daemon=True).start()

    with open_office(Path(sys.argv[1])) as office:
        settings = AuthoritySettings(address_rate=MUCH, account_rate=MUCH)
        serve(office, office.issuer(PASSPHRASE), settings, ("127.0.0.1", 0), [], ready)


if __name__ == "__main__":
    main()
