"""How the command line starts, and is ended while it does."""

from __future__ import annotations

import runpy

import pytest

from conclave.cli import main


def test_what_was_interrupted_ends_as_that_also_where_a_library_calls_it_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted() -> None:
        raise ValueError('SchemaError: Error building "literal" validator:\n  KeyboardInterrupt: \n')

    monkeypatch.setattr(main, "run", interrupted)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("conclave", run_name="__main__")
    assert ended.value.code == 130


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty() -> None:
        raise ValueError("a fault")

    monkeypatch.setattr(main, "run", faulty)
    with pytest.raises(ValueError, match="a fault"):
        runpy.run_module("conclave", run_name="__main__")
