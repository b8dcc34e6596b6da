"""``verify``: a certificate that does not count is as bad as another number."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from typer.testing import CliRunner

from conclave.cli import roll
from conclave.cli.main import app


class Client:
    """A node that answers so."""

    answer: ClassVar[dict[str, Any]] = {"peer": "ayse", "words": ["a"] * 4, "digits": ["1"] * 4, "certificates": {}}

    def __init__(self, _: Path) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def call(self, *_: object, **__: object) -> dict[str, Any]:
        return self.answer


def test_who_is_suspended_is_not_called_revoked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = "ayse's account is suspended"
    monkeypatch.setattr(Client, "answer", Client.answer | {"revoked": words, "suspended": True})
    monkeypatch.setattr(roll, "NodeClient", Client)
    shown = CliRunner().invoke(app, ["--home", str(tmp_path), "verify", "@ayse"])
    assert (shown.exit_code, f"SUSPENDED: {words}" in shown.stderr) == (roll.DIFFERENT, True)


@pytest.mark.parametrize("more", [[], ["--is", "aaaa"], ["--json"]])
@pytest.mark.parametrize("revoked", ["suspended: lost laptop", ""])
def test_a_revoked_certificate_is_as_bad_as_another_number(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, revoked: str, more: list[str]
) -> None:
    monkeypatch.setattr(Client, "answer", Client.answer | {"revoked": revoked})
    monkeypatch.setattr(roll, "NodeClient", Client)
    shown = CliRunner().invoke(app, ["--home", str(tmp_path), "verify", "@ayse", *more])
    assert shown.exit_code == (roll.DIFFERENT if revoked else 0)
    assert (f"REVOKED: {revoked}" in shown.stderr) == bool(revoked)
    assert ("the same:" in shown.stderr) == ("--is" in more and not revoked)
