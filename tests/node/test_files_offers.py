"""Offers of one conversation that are remembered: whose goes where there are too many, and what is left of none."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import pytest

from conclave.chat.effects import AddState
from conclave.errors import LocalError
from conclave.files.limits import FileLimits
from conclave.files.offer import Offered
from conclave.files.record import FileRecord, Stage, encode_record, record_of
from conclave.node.files.part import PartFile
from conclave.node.notices import Trouble
from conclave.values import replace
from conclave.wire.files import CHUNK_BYTES
from tests.node.filing import Filer, filers


def offer(sender: str, number: int) -> FileRecord:
    """Said at that second."""
    offered = Offered(f"{sender} {number}", 1, CHUNK_BYTES, number.to_bytes(32), bytes(32))
    return record_of("#ops", sender, number.to_bytes(16), offered, float(number))


@pytest.fixture
def burak(tmp_path: Path) -> Filer:
    return Filer("burak", tmp_path / "burak", {}, limits=FileLimits(offers=6))


async def names(filer: Filer) -> list[str]:
    return [each["name"] for each in await filer.list()]


async def test_who_offers_many_takes_no_place_of_what_another_offered(burak: Filer) -> None:
    async with filers(burak):
        for one in (offer("ayse", 1), offer("ayse", 2), *(offer("cem", n) for n in range(3, 20))):
            await burak.files.heard(one)
        assert await names(burak) == ["ayse 1", "ayse 2", "cem 16", "cem 17", "cem 18", "cem 19"]
        for n in range(20, 30):
            await burak.files.heard(offer("ayse", n))
        assert await names(burak) == ["cem 17", "cem 18", "cem 19", "ayse 27", "ayse 28", "ayse 29"]
        await burak.files.heard(offer("deniz", 30))
        assert await names(burak) == ["cem 18", "cem 19", "ayse 27", "ayse 28", "ayse 29", "deniz 30"]


async def test_an_offer_for_which_there_is_no_room_is_not_there_after_a_restart_either(burak: Filer) -> None:
    async with filers(burak):
        for n in range(6):
            await burak.files._records.keep(replace(offer("ayse", n), stage=Stage.HERE))
        more = offer("cem", 6)
        burak.store.commit([AddState(more.key, encode_record(more))])  # as the core does with its line
        await burak.files.heard(more)
        assert "6 files are offered in #ops" in burak.told(Trouble)[-1].text
        assert len(burak.store.states("file/")) == 6


async def test_what_gives_way_is_not_fetched_again_meanwhile(burak: Filer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk takes its time to remove what an earlier attempt left."""
    honest = PartFile.discard

    def slow(part: PartFile) -> None:
        time.sleep(0.1)
        honest(part)

    monkeypatch.setattr(PartFile, "discard", slow)
    async with filers(burak):
        for n in range(6):
            await burak.files.heard(offer("cem", n))
        failed = replace(offer("cem", 0), stage=Stage.FAILED, path=str(burak.into / "cem 0"))
        await burak.files._records.keep(failed)
        async with asyncio.TaskGroup() as both:
            both.create_task(burak.files.heard(offer("cem", 6)))
            await asyncio.sleep(0.02)
            with suppress(LocalError):
                await burak.accept(failed.id)
        burak.files.linked("cem")
        assert await names(burak) == [f"cem {n}" for n in range(1, 7)]
