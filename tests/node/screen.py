"""``conclave`` in this process, with its exit code and what it printed; a traceback fails the test."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from conclave.cli.main import run
from tests.node.homes import passphrase_file


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows = [json.loads(line) for line in self.out.splitlines()]
        assert all(isinstance(row, dict) for row in rows)
        return rows


def conclave(home: Path | None, *words: str, stdin: bytes = b"") -> Done:
    """Type it. Without a home, no options stand before the verb."""
    before = [] if home is None else ["--home", str(home), "--passphrase-file", str(passphrase_file(home))]
    out, err = io.StringIO(), io.StringIO()
    code: object = None
    typed = io.TextIOWrapper(io.BytesIO(stdin), "utf-8", errors="strict")
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        patch("sys.argv", ["conclave", *before, *words]),
        patch("sys.stdin", typed),
    ):
        try:
            run()
        except SystemExit as end:
            code = end.code
    assert "Traceback" not in err.getvalue()
    assert isinstance(code, int), (code, sys.exc_info())
    return Done(code, out.getvalue(), err.getvalue())
