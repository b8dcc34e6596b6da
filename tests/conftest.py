"""What holds for all tests."""

from __future__ import annotations

import gc
import signal
from functools import cache

import pytest
import typer.main
import typer.testing


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach the programs under test, garbage be looked for less often, the command line be built once."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as for whatever a script starts in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.set_threshold(50_000, 20, 20)
    built = cache(typer.main.get_command)  # of what people may type, which no test changes
    typer.main.get_command = built
    typer.testing._get_command = built  # type: ignore[attr-defined]


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported stays: it is looked at no more."""
    gc.collect()
    gc.freeze()
