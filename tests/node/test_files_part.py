"""An unfinished file on disk: sealed until it is whole, opened and put in place in one last step."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from conclave.errors import StorageError, VerificationError
from conclave.files.offer import Offered, seal_chunk
from conclave.files.tree import check_leaves, leaf_hash, root_of
from conclave.node.files.part import PIECE_CHUNKS, PartFile
from conclave.wire.files import CHUNK_BYTES

KEY = b"k" * 32
CONTENT = b"the quick brown fox " * (3 * CHUNK_BYTES // 20)
PLAIN = [CONTENT[at : at + CHUNK_BYTES] for at in range(0, len(CONTENT), CHUNK_BYTES)]
SEALED = [seal_chunk(KEY, number, plain) for number, plain in enumerate(PLAIN)]
JOINED = b"".join(leaf_hash(sealed) for sealed in SEALED)
OFFERED = Offered("plan.txt", len(CONTENT), CHUNK_BYTES, root_of(JOINED), KEY)
LEAVES = check_leaves(JOINED, OFFERED.root, OFFERED.chunks)


def part_of(folder: Path, *numbers: int) -> PartFile:
    part = PartFile(folder, OFFERED, "3f9a10cc")
    part.open(0)
    for number in numbers:
        part.write(number, [SEALED[number]])
    return part


def place(part: PartFile) -> Path:
    return part.place("", lambda _: None)


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_unfinished_file_shows_nothing_of_itself(tmp_path: Path) -> None:
    part = part_of(tmp_path, 2, 0, 1)
    assert b"quick" not in on_disk(tmp_path)
    part.close()
    again = PartFile(tmp_path, OFFERED, "3f9a10cc")
    again.open(0)
    assert again.kept(LEAVES) == [0, 1, 2]
    goal = place(again)
    again.close()
    again.discard()
    assert goal.read_bytes() == CONTENT
    assert goal.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["plan.txt"]


def test_a_chunk_that_is_torn_does_not_count(tmp_path: Path) -> None:
    part = part_of(tmp_path, 0, 1)
    with part.path.open("r+b") as file:
        file.seek(CHUNK_BYTES + 16 + 5)
        file.write(b"torn")
    assert part.kept(LEAVES) == [0]
    part.close()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), None])
def test_what_fails_in_the_last_step_leaves_nothing_plain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError | None
) -> None:
    part = part_of(tmp_path, 0, 1)
    if error is None:  # its hash is what the offer says, but the key does not open it
        part.write(2, [os.urandom(len(SEALED[2]))])
    else:
        part.write(2, [SEALED[2]])
        real, room = os.pwritev, [CHUNK_BYTES * 2 + 100]

        def pwritev(descriptor: int, pieces: list[bytes], at: int) -> int:
            taken = b"".join(pieces)[: room[0]]
            if not taken:
                raise error
            room[0] -= len(taken)
            return real(descriptor, [taken], at)

        monkeypatch.setattr(os, "pwritev", pwritev)
    with pytest.raises(VerificationError if error is None else StorageError):
        place(part)
    assert names(tmp_path) == [part.path.name]
    assert part.kept(LEAVES) == ([0, 1] if error is None else [0, 1, 2])
    monkeypatch.undo()
    part.write(2, [SEALED[2]])
    assert place(part).read_bytes() == CONTENT
    part.close()


def test_a_file_of_any_length_is_opened_whole_and_one_that_was_cut_is_not(tmp_path: Path) -> None:
    for chunks in (1, PIECE_CHUNKS, 2 * PIECE_CHUNKS + 1):
        folder = tmp_path / str(chunks)
        folder.mkdir()
        content = os.urandom(chunks * CHUNK_BYTES - 100)
        plain = [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]
        part = PartFile(folder, Offered("any", len(content), CHUNK_BYTES, bytes(32), KEY), "3f9a10cc")
        part.open(0)
        part.write(0, [seal_chunk(KEY, number, each) for number, each in enumerate(plain)])
        whole = part.path.stat().st_size
        os.truncate(part.path, whole - 1)
        with pytest.raises(VerificationError):
            place(part)
        assert names(folder) == [part.path.name]
        part.write(chunks - 1, [seal_chunk(KEY, chunks - 1, plain[-1])])
        assert place(part).read_bytes() == content
        part.close()


def test_what_a_death_in_the_last_step_left_is_removed_before_anything_else(tmp_path: Path) -> None:
    (tmp_path / ".plan.txt.3f9a10cc.open").write_bytes(PLAIN[0])
    part = part_of(tmp_path, 0)
    assert names(tmp_path) == [part.path.name]
    part.close()


def test_a_file_that_an_earlier_life_linked_is_neither_written_to_nor_put_there_twice(tmp_path: Path) -> None:
    part = part_of(tmp_path, 0, 1, 2)
    (tmp_path / "plan.txt").write_text("somebody else's")
    goal = place(part)
    assert goal.name == "plan (1).txt"
    part.close()  # and then it dies, before anything is noted
    again = part_of(tmp_path)
    assert place(again) == goal
    again.close()
    goal.rename(tmp_path / "mine.txt")  # or is carried away by its owner, who goes on writing to it
    later = part_of(tmp_path)
    assert place(later).name == "plan (1).txt"
    later.close()
    later.discard()
    assert (tmp_path / "mine.txt").read_bytes() == CONTENT
    assert names(tmp_path) == ["mine.txt", "plan (1).txt", "plan.txt"]


def test_room_is_wanted_for_the_sealed_and_the_opened_file(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    large = Offered("large", free * 2 // 3, CHUNK_BYTES, b"r" * 32, KEY)
    with pytest.raises(StorageError):
        PartFile(tmp_path, large, "3f9a10cc").open(0)
