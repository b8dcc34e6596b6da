"""Files from one peer to another, over real links and disks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.node.filing import Filer, filers
from conclave.node.notices import FileOffered


async def test_smoke(tmp_path: Path) -> None:
    ayse, burak = (Filer(me, tmp_path / me, {}) for me in ("ayse", "burak"))
    source = tmp_path / "report.pdf"
    source.write_bytes(os.urandom(3_000_000))
    async with filers(ayse, burak):
        await ayse.offer("@burak", source)
        [told] = burak.told(FileOffered)
        await burak.accept(told.id)
        path = await burak.fetched()
        assert path.read_bytes() == source.read_bytes()
        assert os.listdir(burak.into) == ["report.pdf"]
