"""``verify``: a certificate that does not count is as bad as another number."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from typer.testing import CliRunner

from conclave.cli import roll
from conclave.cli.main import app
from conclave.wire.spoken import digits, words


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
    why = "ayse's account is suspended"
    monkeypatch.setattr(Client, "answer", Client.answer | {"revoked": why, "suspended": True})
    monkeypatch.setattr(roll, "NodeClient", Client)
    shown = CliRunner().invoke(app, ["--home", str(tmp_path), "verify", "@ayse"])
    assert (shown.exit_code, f"SUSPENDED: {why}" in shown.stderr) == (roll.DIFFERENT, True)


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


def test_a_number_of_before_is_told_from_somebody_who_stands_between(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer = {"words": list(words(bytes(32))), "digits": list(digits(bytes(32))), "former": [(b"f" * 32).hex()]}
    monkeypatch.setattr(Client, "answer", Client.answer | answer | {"revoked": "", "elsewhere": {"#ops": "ab" * 32}})
    monkeypatch.setattr(roll, "NodeClient", Client)

    def shown(number: bytes) -> tuple[int, str]:
        given = ["--is", " ".join(words(number))]
        ran = CliRunner().invoke(app, ["--home", str(tmp_path), "verify", "@ayse", *given])
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        assert "in #ops ayse shows another certificate" in ran.stderr
        return ran.exit_code, ran.stderr

    code, told = shown(b"f" * 32)
    assert (code, "that is the number of before" in told, "DIFFERENT" in told) == (roll.DIFFERENT, True, False)
    code, told = shown(b"g" * 32)
    assert (code, "that is the number of before" in told, "DIFFERENT" in told) == (roll.DIFFERENT, False, True)
    assert shown(bytes(32))[0] == 0
