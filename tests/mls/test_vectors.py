"""The working group's vectors, every file that is there; skipped loudly where there is no folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conclave.crypto import kem
from tests.vectors import folder
from tests.vectors.__main__ import main, run

FOUND = folder()
FILES = sorted(FOUND.glob("mls/*.json")) if FOUND else []
HPKE = FOUND / "hpke" / "hpke-pq.json" if FOUND else Path()
NEEDED = pytest.mark.skipif(
    FOUND is None, reason="NO TEST VECTORS: set CONCLAVE_VECTORS to the folder that holds them"
)


@NEEDED
def test_there_are_vectors() -> None:
    assert len(FILES) >= 15


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.stem))
def test_vectors(path: Path) -> None:
    passed, failures, skipped = run(path)
    assert not failures, failures[0]
    assert not skipped
    assert passed


@NEEDED
def test_hpke_vectors() -> None:
    """The KEM of every mechanism that is ours, X-Wing's in both of its entries; skipped is only what is not ours."""
    passed, failures, skipped = run(HPKE)
    assert not failures, failures[0]
    assert passed == 1
    ours = {each.code for each in (kem.P256, kem.P384, kem.X25519, kem.X448, kem.XWING)}
    assert {code for code in ours if any(f"(KEM {code:#06x} passed)" in each for each in skipped)} == ours
    assert not any(f"HPKE KEM {code:#06x}" in skipped for code in ours)


def test_the_runner_says_what_it_saw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.json"
    good, bad = {"vlbytes_header": "3f", "length": 63}, {"vlbytes_header": "403f", "length": 63}
    path.write_text(json.dumps([good, {"cipher_suite": 0x0A0A, "ref_hash": {}}]))
    assert main([str(path)]) == 0
    assert capsys.readouterr().out.endswith("skipped: suite 0x0a0a\n1 passed, 0 failed\n")
    path.write_text(json.dumps([good, bad, {"strange": 1}]))
    assert main([str(path)]) == 1
    out = capsys.readouterr().out
    assert "not in its shortest form" in out
    assert "no kind of vector that we know has the fields strange" in out
    assert out.endswith("skipped: nothing\n1 passed, 2 failed\n")
    path.write_text("[]")
    assert main([str(path)]) == 1, "nothing was checked"
    for none in ("{}", "[1]", "no JSON"):
        path.write_text(none)
        assert main([str(path)]) == 2
    assert main([str(tmp_path / "absent.json")]) == 2
    assert main([]) == 2
