"""A file that is here, read again to be sent: a chunk leaves only if it is the one that was offered."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from conclave.errors import LocalError
from conclave.files.offer import Offered
from conclave.files.tree import LeafList, leaf_hash
from conclave.node.files import disk
from conclave.wire.files import CHUNK_BYTES
from tests.node.filing import Filer, filers

CHUNKS = 3


class Source:
    """A file that was offered, open to be sent."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "report.pdf"
        self.path.write_bytes(os.urandom(CHUNKS * CHUNK_BYTES - 100))
        self.offered, joined, self.tags = disk.read_offered(self.path, b"k" * 32, lambda *_: None)
        self.leaves = LeafList(joined)
        self.descriptor = disk.open_regular(self.path)

    def sent(self, tags: bytes, number: int) -> bytes:
        [(_, sealed)] = disk.sealed_chunks(self.descriptor, self.offered, self.leaves, tags, number, 1)
        return sealed

    def change(self, at: int) -> None:
        """One bit of it, in place, at the time that it had."""
        before = self.path.stat()
        with self.path.open("r+b") as file:
            file.seek(at)
            [byte] = file.read(1)
            file.seek(at)
            file.write(bytes((byte ^ 1,)))
        os.utime(self.path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    source = Source(tmp_path)
    yield source
    os.close(source.descriptor)


@pytest.mark.parametrize("known", [True, False])
def test_a_chunk_that_changed_is_refused_by_its_tag_or_without_one_by_its_leaf(source: Source, known: bool) -> None:
    tags = source.tags if known else b""
    whole = [source.sent(tags, number) for number in range(CHUNKS)]
    source.change(2 * CHUNK_BYTES - 1)
    assert source.sent(tags, 0) == whole[0]
    with pytest.raises(LocalError, match="not what it was"):
        source.sent(tags, 1)
    assert source.sent(tags, 2) == whole[2]
    os.truncate(source.path, 3 * CHUNK_BYTES - 101)
    with pytest.raises(LocalError, match="not what it was"):
        source.sent(tags, 2)


def test_what_has_its_tag_is_not_hashed_again(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[bytes] = []

    def hashing(sealed: bytes) -> bytes:
        hashed.append(sealed)
        return leaf_hash(sealed)

    monkeypatch.setattr("conclave.files.offer.leaf_hash", hashing)
    source.sent(source.tags, 1)
    assert not hashed
    source.sent(bytes(len(source.tags)), 1)  # tags that a disk has spoilt cost time, and nothing else
    source.sent(b"", 1)
    assert len(hashed) == 2


def test_leaves_that_an_earlier_version_kept_have_no_tags(source: Source, tmp_path: Path) -> None:
    kept = tmp_path / "files" / "id.leaves"
    disk.keep_leaves(kept, source.leaves.joined)
    assert disk.kept_leaves(kept, CHUNKS) == (source.leaves.joined, b"")
    disk.keep_leaves(kept, source.leaves.joined, source.tags)
    assert disk.kept_leaves(kept, CHUNKS) == (source.leaves.joined, source.tags)
    kept.write_bytes(kept.read_bytes()[:-1])
    assert disk.kept_leaves(kept, CHUNKS) == (source.leaves.joined, b"")
    kept.unlink()
    assert disk.kept_leaves(kept, CHUNKS) == (b"", b"")


async def test_tags_are_known_where_a_file_is_offered_where_it_was_fetched_and_where_leaves_are_made_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(os.urandom(CHUNKS * CHUNK_BYTES))
    ayse, burak, can = (
        Filer(me, tmp_path / me, {"#ward": ["ayse", "burak", "can"]}) for me in ("ayse", "burak", "can")
    )

    def kept(one: Filer, offered: Offered) -> tuple[bytes, bytes]:
        [file] = (one.home / "files").iterdir()
        return disk.kept_leaves(file, offered.chunks)

    async with filers(ayse, burak, can):
        await ayse.offer("#ward", path)
        [(_, _, offered)] = ayse.offered
        leaves, tags = kept(ayse, offered)
        assert len(tags) == CHUNKS * 16
        [shown] = await burak.list()
        await burak.accept(shown)
        await burak.fetched()
        assert kept(burak, offered) == (leaves, tags)
        [file] = (ayse.home / "files").iterdir()
        file.unlink()
        ayse.files._serving.forget(offered.root)  # closed, as after a while without an ask
        [shown] = await can.list()
        await can.accept(shown)
        await can.fetched()
        assert kept(ayse, offered) == kept(can, offered) == (leaves, tags)


@pytest.mark.parametrize("seconds", [-1, 0])
def test_a_file_from_1970_or_before_has_a_time_like_any_other(tmp_path: Path, seconds: int) -> None:
    """What is not known to have changed has 0."""
    path = tmp_path / "report.pdf"
    path.write_bytes(b"")
    os.utime(path, (seconds, seconds))
    assert disk.written_at(path) == 1
