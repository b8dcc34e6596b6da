"""Files from one peer to another and through lobbies, over real links and disks."""

# ruff: noqa: ASYNC240, PTH208 - small files, and nobody who waits

from __future__ import annotations

import asyncio
import errno
import os
import random  # noqa: TID251 - seeded
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from conclave.chat.effects import PutState, Record
from conclave.errors import LocalError, Refused, StorageError
from conclave.files.limits import FileLimits
from conclave.files.names import safe_name
from conclave.files.offer import Offered
from conclave.files.record import PREFIX, Stage, record_of
from conclave.node.files import commands as ask
from conclave.node.files import downloads as files_downloads
from conclave.node.files.part import part_of
from conclave.node.files.ports import FileLinks
from conclave.node.notices import FileDone, FileFailed, FileListed, FileProgress, Notice, Trouble
from conclave.store.memory import MemoryStore
from conclave.store.ports import LineName
from conclave.values import replace
from conclave.wire.codec import Reader
from conclave.wire.files import CHUNK_BYTES, Ask, Chunk, FileFrame, FileKind, Lack, Leaves, Part, Why, file_body
from conclave.wire.frames import Frame, decode_frame, encode_frame
from conclave.wire.limits import FRAME_BYTES
from conclave.wire.link import CloseReason
from tests.node.filing import Filer, filers

SIZE = 40 * CHUNK_BYTES + 17


def decoded(frame: bytes) -> Frame:
    reader = Reader(frame)
    return decode_frame(reader.uint8(), reader.opaque(FRAME_BYTES))


class Valve:
    """The real links, with a hand on what chunks go through."""

    def __init__(self, links: FileLinks) -> None:
        self._links = links
        self.left = 1 << 30
        self.sent: list[Frame] = []
        self.change: Callable[[Frame], Frame | None] = lambda frame: frame

    def send(self, peer: str, frame: bytes) -> None:
        changed = self.change(decoded(frame))
        self.left -= frame[0] == FileKind.CHUNK
        if changed is not None:
            self.sent.append(changed)
            self._links.send(peer, encode_frame(changed))

    def slow(self, peer: str) -> bool:
        return self.left <= 0 or self._links.slow(peer)

    def linked(self) -> Collection[str]:
        return self._links.linked()

    def want(self, peer: str, wanted: bool) -> None:
        self._links.want(peer, wanted)

    def chunks(self) -> list[Chunk]:
        return [frame for frame in self.sent if isinstance(frame, Chunk)]


class Valved(Filer):
    """A filer whose links have a valve."""

    def __init__(self, me: str, home: Path, circle: dict[str, list[str]] | None = None, **more: object) -> None:
        super().__init__(me, home, circle or {}, between=self._fit, **more)  # type: ignore[arg-type]
        self.left = 1 << 30

    def _fit(self, links: FileLinks) -> FileLinks:
        self.valve = Valve(links)
        self.valve.left = self.left
        return self.valve

    def open(self, chunks: int = 1 << 30) -> None:
        self.valve.left = chunks
        self.files.drained()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(os.urandom(SIZE))
    return path


def both(tmp_path: Path, **limits: float) -> tuple[Valved, Valved]:
    ayse, burak = (Valved(me, tmp_path / me) for me in ("ayse", "burak"))
    ayse.limits = burak.limits = FileLimits(**{"patience_seconds": 5.0, **limits})  # type: ignore[arg-type]
    return ayse, burak


def asked(sent: Iterable[Frame]) -> set[int]:
    """The chunks that were asked for."""
    asks = [frame for frame in sent if isinstance(frame, Ask) and frame.part is Part.CHUNKS]
    return {number for ask in asks for number in range(ask.first, ask.first + ask.count)}


async def offered(one: Filer, other: Filer, path: Path) -> bytes:
    """One offers the other a file; its id there."""
    count = len(other.told(FileListed))
    await one.offer(f"@{other.me}", path)
    await other.until(lambda: len(other.told(FileListed)) > count)
    return other.told(FileListed)[-1].id


# It arrives.


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, SIZE])
async def test_a_file_arrives(tmp_path: Path, size: int) -> None:
    ayse, burak = both(tmp_path)
    source = tmp_path / "report.pdf"
    source.write_bytes(os.urandom(size))
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        [shown] = await burak.list()
        assert (shown["status"], shown["name"], shown["size"], shown["from"]) == (
            "offered",
            "report.pdf",
            size,
            "ayse",
        )
        answer = await burak.accept(name)
        assert answer["status"] == "fetching"
        path = await burak.fetched()
        assert path == burak.into / "report.pdf"
        assert path.read_bytes() == source.read_bytes()
        assert os.listdir(burak.into) == ["report.pdf"]
        [shown] = await burak.list()
        assert (shown["status"], shown["path"]) == ("here", str(path))
        if size:
            assert burak.told(FileProgress)[-1].done == size
        with pytest.raises(LocalError, match="here already"):
            await burak.accept(name)
        path.unlink()
        await burak.accept(name)  # whoever removed it may fetch it again
        assert (await burak.fetched(2)).read_bytes() == source.read_bytes()


async def test_what_was_offered_comes_back_after_a_restart(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
    ayse, burak = (Valved(one.me, one.home, store=one.store) for one in (ayse, burak))
    async with filers(ayse, burak):
        assert [each["status"] for each in await ayse.list()] == ["here"]
        await burak.accept(name)
        assert (await burak.fetched()).read_bytes() == source.read_bytes()


async def test_a_restart_goes_on_with_what_is_on_disk(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    ayse.left = 20
    async with filers(ayse, burak):
        await burak.accept(await offered(ayse, burak, source))
        await burak.until(lambda: ayse.valve.left <= 0)
        await asyncio.sleep(0.2)
        first = len(ayse.valve.chunks())
        [shown] = await burak.list()
        assert shown["status"] == "fetching"
        assert shown["done"] >= 20 * CHUNK_BYTES
    [part] = burak.into.iterdir()
    assert part.name.startswith(".report.pdf.")
    with part.open("r+b") as file:  # torn by a crash: what its hash does not vouch for is fetched again
        file.seek(3 * CHUNK_BYTES + 5)
        file.write(b"torn")
    ayse, burak = (Valved(one.me, one.home, store=one.store) for one in (ayse, burak))
    async with filers(ayse, burak):
        assert (await burak.fetched()).read_bytes() == source.read_bytes()
        assert len(ayse.valve.chunks()) == 41 - first + 1
        assert os.listdir(burak.into) == ["report.pdf"]


async def test_a_cut_link_costs_only_what_was_under_way(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    ayse.left = 20
    async with filers(ayse, burak):
        await burak.accept(await offered(ayse, burak, source))
        await burak.until(lambda: ayse.valve.left <= 0)
        ayse.peers.cut("burak", CloseReason.DONE, "a cut")
        await burak.until(lambda: not burak.peers.linked())
        ayse.open()
        assert (await burak.fetched()).read_bytes() == source.read_bytes()
        assert len(ayse.valve.chunks()) <= 41 + 20


async def test_who_is_away_is_waited_for_and_that_is_shown(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
    burak = Valved("burak", burak.home, store=burak.store)
    async with burak.running():
        await burak.accept(name)
        await asyncio.sleep(0.1)
        [shown] = await burak.list()
        assert (shown["status"], shown["done"], shown["why"]) == ("fetching", 0, "waits for ayse")
        ayse = Valved("ayse", ayse.home, store=ayse.store)
        async with ayse.running():
            ayse.meets(burak)
            assert (await burak.fetched()).read_bytes() == source.read_bytes()


# In a lobby.


async def test_a_lobbys_file_comes_from_any_member_who_has_it(tmp_path: Path, source: Path) -> None:
    circle = {"#ops": ["ayse", "burak", "cem"]}
    ayse, burak, cem = (Valved(me, tmp_path / me, circle) for me in ("ayse", "burak", "cem"))
    async with filers(burak, cem):
        async with ayse.running():
            ayse.meets(burak, cem)
            await ayse.offer("#ops", source)
            name = burak.told(FileListed)[0].id
            await burak.accept(name)
            await burak.fetched()
        burak.peers.at("cem", cem.address)
        await cem.accept(name)
        assert (await cem.fetched()).read_bytes() == source.read_bytes()
        assert len(burak.valve.chunks()) == 41


async def test_members_share_the_work(tmp_path: Path) -> None:
    circle = {"#ops": ["ayse", "burak", "cem"]}
    ayse, burak, cem = (Valved(me, tmp_path / me, circle) for me in ("ayse", "burak", "cem"))
    source = tmp_path / "large.bin"
    source.write_bytes(os.urandom(200 * CHUNK_BYTES))
    async with filers(ayse, burak, cem):
        await ayse.offer("#ops", source)
        name = burak.told(FileListed)[0].id
        await burak.accept(name)
        await burak.fetched()
        await cem.links(ayse, burak)
        before = len(ayse.valve.chunks())
        await cem.accept(name)
        assert (await cem.fetched()).read_bytes() == source.read_bytes()
        assert len(burak.valve.chunks()) > 20
        assert len(ayse.valve.chunks()) - before > 20


async def test_who_is_not_in_the_conversation_gets_nothing(tmp_path: Path, source: Path) -> None:
    circle = {"#ops": ["ayse", "burak"]}
    ayse, burak, deniz = (Valved(me, tmp_path / me, circle) for me in ("ayse", "burak", "deniz"))
    async with filers(ayse, burak, deniz):
        await ayse.offer("#ops", source)
        root = ayse.offered[0][2].root
        record = record_of("@ayse", "ayse", bytes(16), ayse.offered[0][2], 1.0)  # as if the offer had leaked
        await deniz.files.heard(record)
        await deniz.accept(record.id)
        await deniz.until(lambda: Lack(root, Why.UNKNOWN) in ayse.valve.sent)
        assert not ayse.valve.chunks()
        assert (await deniz.list())[0]["why"] == "ayse: does not have it"


# Its name and place.


async def test_nothing_is_ever_overwritten(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    (burak.into / "report.pdf").write_text("mine")
    (burak.into / "report (1).pdf").symlink_to(tmp_path / "elsewhere")
    (burak.into / "report (2).pdf").mkdir()
    async with filers(ayse, burak):
        await burak.accept(await offered(ayse, burak, source))
        path = await burak.fetched()
    assert path.name == "report (3).pdf"
    assert path.read_bytes() == source.read_bytes()
    assert (burak.into / "report.pdf").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "name", ["../../escaped", "/etc/escaped", "..", ".ssh", "a\x1b]2;x\x07\u202eb", "CON", "x" * 900]
)
async def test_a_hostile_name_stays_in_its_folder(tmp_path: Path, source: Path, name: str) -> None:
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        await ayse.offer("@burak", source)
        _, message, good = ayse.offered[0]
        record = record_of("@ayse", "ayse", message, replace(good, name=name), 1.0)
        await burak.files.heard(record)
        await burak.accept(record.id)
        path = await burak.fetched()
    assert path.parent == burak.into
    assert path.name == safe_name(name)
    assert path.read_bytes() == source.read_bytes()
    assert {each.name for each in tmp_path.iterdir()} == {"ayse", "burak", "report.pdf"}


async def test_a_link_where_the_unfinished_file_would_be_is_not_followed(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        (burak.into / f".report.pdf.{name.hex()[:8]}.part").symlink_to(victim)
        await burak.accept(name)
        await burak.until(lambda: burak.told(FileFailed))
    assert victim.read_text() == "precious"


async def test_a_disk_without_hard_links_gets_its_file_too(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    ayse, burak = both(tmp_path)
    (burak.into / "report.pdf").write_bytes(b"")  # empty, and not ours
    async with filers(ayse, burak):
        await burak.accept(await offered(ayse, burak, source))
        path = await burak.fetched()
    assert path.name == "report (1).pdf"
    assert path.read_bytes() == source.read_bytes()
    assert sorted(os.listdir(burak.into)) == ["report (1).pdf", "report.pdf"]
    assert (burak.into / "report.pdf").read_bytes() == b""


# What goes wrong.


async def test_a_full_disk_is_told_before_and_in_the_middle(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(
            shutil, "disk_usage", lambda _: usage._replace(free=burak.limits.keep_free_bytes + SIZE - 1)
        )
        await burak.accept(name)
        await burak.until(lambda: burak.told(FileFailed))
        text = burak.told(FileFailed)[0].text
        assert re.search(
            r"has 25\d\.\d MiB free, of which 256\.0 MiB are to stay free \(files\.keep_free_bytes\)", text
        )
        assert "lower that setting" in burak.told(FileFailed)[0].remedy
        assert not list(burak.home.rglob("*.part"))
        monkeypatch.undo()
        real = os.pwritev
        room = 10

        def pwritev(descriptor: int, pieces: list[bytes], at: int) -> int:
            nonlocal room
            if not room:
                raise OSError(errno.ENOSPC, "No space left on device")
            taken = pieces[:room]
            room -= len(taken)
            return real(descriptor, taken, at)

        monkeypatch.setattr(os, "pwritev", pwritev)
        await burak.accept(name)
        await burak.until(lambda: len(burak.told(FileFailed)) == 2)
        assert "No space left" in burak.told(FileFailed)[1].text
        monkeypatch.undo()
        before = len(burak.valve.sent)
        await burak.accept(name)
        await burak.until(lambda: burak.told(FileDone))
        assert Path(burak.told(FileDone)[0].path).read_bytes() == source.read_bytes()
        assert len(asked(burak.valve.sent[before:])) == 41 - 10


async def test_who_asks_again_at_once_for_what_failed_is_heard(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    again: list[asyncio.Task[object]] = []
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        whole = source.read_bytes()
        source.write_bytes(os.urandom(SIZE))

        def tell(notice: Notice) -> None:
            burak.notices.append(notice)
            if isinstance(notice, FileFailed):
                source.write_bytes(whole)
                again.append(asyncio.ensure_future(burak.accept(name)))

        burak.tell = tell
        await burak.accept(name)
        await burak.until(lambda: burak.told(FileDone))
        assert len(again) == 1


async def test_a_file_that_changed_since_is_not_sent_and_that_is_told(tmp_path: Path, source: Path) -> None:
    """Other bytes under the same key and number would break the cipher: not one such chunk leaves the house."""
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        changed = bytearray(source.read_bytes())
        changed[20 * CHUNK_BYTES] ^= 1
        source.write_bytes(changed)
        await burak.accept(name)
        await burak.until(lambda: burak.told(FileFailed))
        assert "ayse has changed or removed it" in burak.told(FileFailed)[0].text
        assert 20 not in {chunk.number for chunk in ayse.valve.chunks()}
        assert (await listed(ayse))["status"] == "changed"
        assert f"conclave fetch {name.hex()[:8]} --cancel removes it" in (await listed(burak))["why"]
        await burak.files.serve(ask.FileCancel(name.hex()))
        assert not list(burak.into.iterdir())
    ayse, burak = (Valved(one.me, one.home, store=one.store) for one in (ayse, burak))
    async with filers(ayse, burak):
        assert (await listed(ayse))["status"] == "changed"  # a restart does not forget it
        os.utime(source)
        assert (await listed(ayse))["status"] == "here"
        await burak.accept(name)
        await burak.until(lambda: burak.told(FileFailed))
        source.unlink()
        await burak.accept(name)
        await burak.until(lambda: len(burak.told(FileFailed)) == 2)


async def test_a_file_that_is_gone_before_any_of_it_came_leaves_nothing_and_is_shown_as_gone(
    tmp_path: Path, source: Path
) -> None:
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        assert (await listed(ayse))["status"] == "here"
        source.rename(tmp_path / "aside")
        shown = await listed(ayse)
        assert (shown["status"], "offer it again" in shown["why"]) == ("changed", True)
        await burak.accept(name)
        await burak.until(lambda: burak.told(FileFailed))
        await burak.until(lambda: not list(tmp_path.rglob(".*.part")))
        assert "--cancel" not in burak.told(FileFailed)[0].text
        (tmp_path / "aside").rename(source)
        await burak.accept(name)
        await burak.until(lambda: burak.told(FileDone))
        assert (await listed(ayse))["status"] == "here"


async def listed(one: Filer) -> dict[str, Any]:
    [shown] = (await one.files.serve(ask.FileList()))["files"]
    return dict(shown)


async def test_a_file_that_changes_while_it_is_read_is_not_offered(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ayse, burak = both(tmp_path)
    real = os.pread

    def pread(descriptor: int, size: int, at: int) -> bytes:
        if at == 5 * CHUNK_BYTES:
            with source.open("ab") as file:
                file.write(b"more")
        return real(descriptor, size, at)

    monkeypatch.setattr(os, "pread", pread)
    async with filers(ayse, burak):
        with pytest.raises(LocalError, match="changed while it was read"):
            await ayse.offer("@burak", source)
        assert await ayse.list() == []


async def test_what_is_no_file_is_not_offered(tmp_path: Path) -> None:
    ayse, burak = both(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    async with filers(ayse, burak):
        for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero"), tmp_path / "missing", Path("relative")):
            with pytest.raises((LocalError, StorageError)):
                await ayse.offer("@burak", path)
        assert await ayse.list() == []


async def test_an_offer_that_could_not_be_said_is_forgotten(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)

    async def refuse(*_: object) -> None:
        raise Refused("burak has blocked you", reason="blocked")

    ayse.say = refuse  # type: ignore[method-assign, assignment]
    async with filers(ayse, burak):
        with pytest.raises(Refused):
            await ayse.offer("@burak", source)
        assert await ayse.list() == []
        assert ayse.store.states("file/") == []
        assert list((ayse.home / "files").iterdir()) == []


@pytest.mark.parametrize("lie", [{"key": bytes(32)}, {"size": SIZE - 1}, {"size": SIZE + 1}, {"size": 0}])
async def test_an_offer_that_lies_is_found_out(tmp_path: Path, source: Path, lie: dict[str, object]) -> None:
    """Its server is not to blame; nothing gets a name."""
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        await ayse.offer("@burak", source)
        _, message, good = ayse.offered[0]
        record = record_of("@ayse", "ayse", message, replace(good, **lie), 1.0)  # type: ignore[arg-type]
        await burak.files.heard(record)
        await burak.accept(record.id)
        await burak.until(lambda: burak.told(FileFailed))
        assert "offer" in burak.told(FileFailed)[0].text
        assert not burak.told(FileDone)
        assert not [path for path in burak.into.iterdir() if not path.name.startswith(".")]


async def test_a_file_that_is_too_large_is_not_fetched(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path, largest_bytes=SIZE - 1)
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        with pytest.raises(Refused, match="at most"):
            await burak.accept(name)
        assert list(burak.into.iterdir()) == []


async def test_one_members_lies_do_not_spoil_the_file(tmp_path: Path, source: Path) -> None:
    circle = {"#ops": ["ayse", "burak", "cem"]}
    ayse, burak, cem = (Valved(me, tmp_path / me, circle) for me in ("ayse", "burak", "cem"))

    def wrong(frame: Frame) -> Frame:
        return replace(frame, sealed=frame.sealed[::-1]) if isinstance(frame, Chunk) else frame

    async with filers(ayse, burak, cem):
        await ayse.offer("#ops", source)
        name = burak.told(FileListed)[0].id
        await burak.accept(name)
        await burak.fetched()
        burak.valve.change = wrong
        await cem.links(burak)
        await cem.accept(name)
        await cem.until(lambda: cem.told(Trouble))
        assert cem.told(Trouble)[0].peer == "burak"
        assert (await cem.fetched()).read_bytes() == source.read_bytes()
        assert "burak" in cem.peers.linked(), "they may still talk"


async def test_a_liar_alone_gets_nothing_placed(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    ayse_chunks = []

    def wrong(frame: Frame) -> Frame:
        if isinstance(frame, Chunk):
            ayse_chunks.append(frame)
            return replace(frame, sealed=frame.sealed[:-1] + bytes((frame.sealed[-1] ^ 1,)))
        return frame

    async with filers(ayse, burak):
        ayse.valve.change = wrong
        await burak.accept(await offered(ayse, burak, source))
        await burak.until(lambda: burak.told(Trouble))
        await asyncio.sleep(0.3)
        count = len(ayse_chunks)
        await asyncio.sleep(0.3)
        assert len(ayse_chunks) == count, "asked no more"
        assert (await burak.list())[0]["status"] == "fetching"


async def test_a_server_that_says_nothing_is_waited_for_and_not_for_ever_asked(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path, patience_seconds=0.2)
    async with filers(ayse, burak):
        ayse.valve.change = lambda frame: None if isinstance(frame, Chunk) else frame
        await burak.accept(await offered(ayse, burak, source))
        await asyncio.sleep(0.5)
        asks = [frame for frame in burak.valve.sent if isinstance(frame, Ask) and frame.part is Part.CHUNKS]
        assert 1 <= len(asks) <= 3
        ayse.valve.change = lambda frame: frame
        assert (await burak.fetched()).read_bytes() == source.read_bytes()


async def test_nothing_that_a_linked_stranger_asks_or_sends_hurts(tmp_path: Path, source: Path) -> None:
    """Every frame of files, out of place: the link stays, the memory does, and files go on."""
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        root = ayse.offered[0][2].root
        await burak.links(ayse)
        frames: list[Frame] = [
            *(Ask(root, Part.CHUNKS, first, 64) for first in range(0, 1 << 32, 1 << 26)),
            *(Ask(bytes([n]) * 32, Part.LEAVES, 0, 1024) for n in range(255)),
            *(Chunk(root, n, bytes(65552)) for n in range(50)),
            Lack(root, Why.CHANGED),
        ]
        for frame in frames:
            burak.peers.send("ayse", encode_frame(frame))
        await burak.accept(name)
        assert (await burak.fetched()).read_bytes() == source.read_bytes()
        assert "ayse" in burak.peers.linked()


@pytest.mark.parametrize("seed", range(4))
async def test_no_frames_whatever_raise_or_spoil_a_file(tmp_path: Path, source: Path, seed: int) -> None:
    """Both ends get thousands of frames that fit almost, before, during and after a transfer."""
    r = random.Random(seed)
    ayse, burak = both(tmp_path, patience_seconds=0.3)  # for what ayse drops of too many asks in burak's name
    ayse.left = 15
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        good = ayse.offered[0][2]

        def some() -> FileFrame:
            root = r.choice([good.root, good.root, bytes(32)])
            number = r.choice([0, 1, 39, 40, 41, (1 << 32) - 1, r.randrange(60)])
            frames: list[FileFrame] = [
                Ask(root, Part.LEAVES, number, r.choice([1, 41, 1024])),
                Ask(root, Part.CHUNKS, number, r.choice([1, 2, 64])),
                Leaves(root, number, r.choice([b"", bytes(32), bytes(32 * 41), bytes(32 * 1024)])),
                Chunk(root, number, r.choice([b"", bytes(16), bytes(65552)])),
                Lack(root, Why.BUSY),
            ]
            return r.choice(frames)

        def flood() -> None:
            for _ in range(300):
                ayse.files.arrived("burak", some())
                ayse.files.arrived("stranger", some())
                burak.files.arrived("stranger", some())
            burak.files.arrived("stranger", Lack(good.root, Why.CHANGED))

        flood()
        await burak.accept(name)
        await burak.until(lambda: ayse.valve.left <= 0)
        flood()
        ayse.open()
        assert (await burak.fetched()).read_bytes() == source.read_bytes()
        flood()
        assert "stranger" not in {notice.peer for notice in burak.told(Trouble)}


async def test_uploads_beyond_their_number_wait_their_turn(tmp_path: Path) -> None:
    ayse, burak = both(tmp_path, uploads=1)
    sources = [tmp_path / f"{n}.bin" for n in range(3)]
    async with filers(ayse, burak):
        for path in sources:
            path.write_bytes(os.urandom(3 * CHUNK_BYTES))
            await burak.accept(await offered(ayse, burak, path))
        await burak.until(lambda: len(burak.told(FileDone)) == 3, 40)
        assert any(isinstance(frame, Lack) and frame.why is Why.BUSY for frame in ayse.valve.sent)


async def test_a_file_that_nobody_has_holds_up_no_other(tmp_path: Path, source: Path) -> None:
    """One place: it goes to a file that comes, whether another waits for somebody who is away or who lacks it."""
    circle = {"#ops": ["burak", "cem"]}
    ayse, burak = (Valved(me, tmp_path / me, circle, limits=FileLimits(downloads=1)) for me in ("ayse", "burak"))
    async with filers(ayse, burak):
        away = Offered("away", 70_000, CHUNK_BYTES, bytes(32), bytes(32))
        missing = replace(away, name="missing", root=b"m" * 32)
        for conversation, sender, offer in (("#ops", "cem", away), ("@ayse", "ayse", missing)):
            record = record_of(conversation, sender, bytes(16), offer, 1.0)
            await burak.files.heard(record)
            await burak.accept(record.id)
        await burak.until(lambda: Lack(missing.root, Why.UNKNOWN) in ayse.valve.sent)
        name = await offered(ayse, burak, source)
        await burak.accept(name)
        assert (await burak.fetched()).read_bytes() == source.read_bytes()
        why = {each["name"]: each["why"] for each in await burak.list() if each["status"] == "fetching"}
        assert set(why.values()) == {"waits for cem", "ayse: does not have it"}


async def test_of_a_large_lobby_few_are_dialled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_downloads, "REACH_FIRST_SECONDS", 0.01)
    monkeypatch.setattr(files_downloads, "REACH_SECONDS", 0.01)
    wanted: list[str] = []
    circle = {"#ops": [f"m{n}" for n in range(500)]}
    burak = Valved("burak", tmp_path / "burak", circle)
    async with burak.running():
        burak.valve.want = lambda peer, _: wanted.append(peer)  # type: ignore[method-assign, assignment]
        offer = Offered("x", 70_000, CHUNK_BYTES, bytes(32), bytes(32))
        record = record_of("#ops", "m7", bytes(16), offer, 1.0)
        await burak.files.heard(record)
        await burak.accept(record.id)
        await asyncio.sleep(0.5)
    assert wanted[0] == "m7"
    assert len(set(wanted)) == len(wanted) == 1 + files_downloads.REACHED_MOST


# Bounds and refusals of commands.


async def test_offers_of_one_conversation_are_bounded(tmp_path: Path) -> None:
    ayse, burak = both(tmp_path, offers=5)
    async with filers(ayse, burak):
        for n in range(12):
            offer = Offered(f"{n}", 1, CHUNK_BYTES, bytes([n]) * 32, bytes(32))
            await burak.files.heard(record_of("@ayse", "ayse", bytes(16), offer, float(n)))
        assert [each["name"] for each in await burak.list()] == ["7", "8", "9", "10", "11"]
        assert len(burak.store.states("file/")) == 5
        other = Offered("other", 1, CHUNK_BYTES, bytes(32), bytes(32))
        await burak.files.heard(record_of("@cem", "cem", bytes(16), other, 1.0))
        assert len(await burak.list()) == 6


async def test_what_was_on_disk_of_an_offer_that_makes_room_goes_with_it(tmp_path: Path) -> None:
    _, burak = both(tmp_path, offers=2)
    offers = [Offered(f"{n}", 70_000, CHUNK_BYTES, bytes([n]) * 32, bytes(32)) for n in range(3)]
    async with filers(burak):
        for at, offer in enumerate(offers[:2]):
            await burak.files.heard(record_of("@ayse", "ayse", bytes(16), offer, float(at)))
        failed = replace(burak.records()[0], stage=Stage.FAILED, path=str(burak.into / "0"))
        await burak.files._records.keep(failed)
        part_of(failed).path.write_bytes(b"sealed")
        await burak.files.heard(record_of("@ayse", "ayse", bytes(16), offers[2], 2.0))
        assert [each["name"] for each in await burak.list()] == ["1", "2"]
        assert os.listdir(burak.into) == []


async def test_the_same_offer_again_changes_nothing(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        await burak.accept(name)
        await burak.fetched()
        _, message, good = ayse.offered[0]
        await burak.files.heard(record_of("@ayse", "ayse", message, good, 99.0))
        assert [each["status"] for each in await burak.list()] == ["here"]
        assert len(burak.told(FileListed)) == 1


async def test_cancelling_removes_what_is_there_and_it_can_be_fetched_again(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    ayse.left = 10
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        await burak.accept(name)
        await burak.until(lambda: list(burak.into.iterdir()) and ayse.valve.left <= 0)
        cancelled = await burak.files.serve(ask.FileCancel(name.hex()))
        assert cancelled["status"] == "cancelled"
        assert list(burak.into.iterdir()) == []
        assert [each.text for each in burak.told(FileFailed)] == ["cancelled"]
        burak.notices.clear()
        ayse.open()
        await burak.accept(name)
        assert (await burak.fetched()).read_bytes() == source.read_bytes()


async def test_who_cancels_or_ends_does_not_wait_for_what_is_being_read(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is taken up again, or is to be offered, may have gigabytes to read first."""
    ayse, burak = both(tmp_path)
    ayse.left = 15
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        await burak.accept(name)
        await burak.until(lambda: ayse.valve.left <= 0)
        await asyncio.sleep(0.2)
    real = os.pread

    def pread(descriptor: int, size: int, at: int) -> bytes:
        time.sleep(0.5)
        return real(descriptor, size, at)

    def zeros(_: int, size: int, __: int) -> bytes:
        time.sleep(0.01)
        return bytes(size)

    burak = Valved("burak", burak.home, store=burak.store)
    began = time.monotonic()
    async with burak.running():
        monkeypatch.setattr(os, "pread", pread)
        await asyncio.sleep(0.3)
        assert (await burak.files.serve(ask.FileCancel(name.hex())))["status"] == "cancelled"
        large = tmp_path / "large"
        with large.open("wb") as file:
            file.truncate(CHUNK_BYTES * 300)
        monkeypatch.setattr(os, "pread", zeros)
        offering = asyncio.ensure_future(burak.offer("@ayse", large))
        await asyncio.sleep(0.1)
    assert time.monotonic() - began < 10
    with pytest.raises(LocalError, match="ending"):
        await offering


async def test_an_offer_that_is_taken_back_is_served_no_more(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        [own] = await ayse.list()
        with pytest.raises(LocalError, match="your own"):
            await ayse.accept(own)
        await ayse.files.serve(ask.FileCancel(own["id"]))
        await burak.accept(name)
        await burak.until(lambda: any(isinstance(frame, Lack) for frame in ayse.valve.sent))
        assert source.exists()
        assert not ayse.valve.chunks()


def unfinished(one: Filer) -> list[str]:
    return [path.name for path in one.into.iterdir() if path.name.startswith(".")]


async def test_an_offer_whose_line_is_taken_back_is_gone_everywhere(tmp_path: Path, source: Path) -> None:
    circle = {"#ops": ["ayse", "burak", "cem"]}
    ayse, burak, cem = (Valved(me, tmp_path / me, circle) for me in circle["#ops"])
    async with filers(ayse, burak, cem):
        await cem.links(ayse, burak)
        await ayse.links(burak)
        await ayse.offer("#ops", source)
        await burak.accept(burak.records()[0].id)
        got = await burak.fetched()
        record = cem.records()[0]
        await ayse.withdraw(record.message, "ayse took it back")
        for one in (ayse, burak, cem):
            assert await one.list() == []
            assert not one.store.states(PREFIX)
        assert got.read_bytes() == source.read_bytes()
        with pytest.raises(LocalError, match="is offered here"):
            await cem.accept(record.id)
        sent = len(ayse.valve.chunks()) + len(burak.valve.chunks())
        for peer in ("ayse", "burak"):
            cem.peers.send(peer, encode_frame(Ask(record.offered.root, Part.CHUNKS, 0, 1)))
        lack = Lack(record.offered.root, Why.UNKNOWN)
        await cem.until(lambda: lack in ayse.valve.sent and lack in burak.valve.sent)
        assert len(ayse.valve.chunks()) + len(burak.valve.chunks()) == sent
        await cem.files.heard(record)  # its words come again, of somebody else
        assert await cem.list() == []
        assert len(cem.told(FileListed)) == 1


async def test_a_fetch_of_an_offer_that_is_taken_back_ends_with_words(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    ayse.left = 3
    async with filers(ayse, burak):
        await burak.links(ayse)
        await burak.accept(await offered(ayse, burak, source))
        await burak.until(lambda: unfinished(burak) and len(ayse.valve.chunks()) >= 3)
        await ayse.withdraw(burak.records()[0].message, "ayse took it back")
        [failed] = burak.told(FileFailed)
        assert (failed.text, failed.remedy) == ("ayse took it back", "ask for it to be offered again")
        assert await burak.list() == await ayse.list() == []
        assert list(burak.into.iterdir()) == []
        assert source.exists()


@pytest.mark.parametrize("fetching", [False, True])
async def test_an_offer_that_was_taken_back_while_we_were_down_is_gone(
    tmp_path: Path, source: Path, *, fetching: bool
) -> None:
    ayse, burak = both(tmp_path)
    ayse.left = 3
    async with filers(ayse, burak):
        await burak.links(ayse)
        name = await offered(ayse, burak, source)
        if fetching:
            await burak.accept(name)
            await burak.until(lambda: unfinished(burak))
    message = burak.records()[0].message
    ayse.ends[message] = burak.ends[message] = (0.0, "ayse took it back")
    async with filers(ayse, burak):
        for one in (ayse, burak):
            await one.until(lambda one=one: not one.records())  # type: ignore[misc]
            assert not one.store.states(PREFIX)
        assert list(burak.into.iterdir()) == []


async def test_an_offer_that_is_taken_back_as_the_node_ends_is_left_to_the_next_start(
    tmp_path: Path, source: Path
) -> None:
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        await offered(ayse, burak, source)
        [record] = ayse.records()
    ayse.ends[record.message] = (0.0, "ayse took it back")
    with pytest.raises(StorageError, match="the node is ending"):
        await ayse.files.changed("@burak", record.message)
    async with filers(ayse, burak):
        await ayse.until(lambda: not ayse.records())


async def test_an_offer_that_was_taken_back_before_it_came_is_not_listed(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        ayse.others = []
        await ayse.offer("@burak", source)
        [(_, message, offer)] = ayse.offered
        burak.ends[message] = (0.0, "ayse took it back")
        await burak.files.heard(record_of("@ayse", "ayse", message, offer, 1.0))
        assert await burak.list() == []
        assert not burak.told(FileListed)


async def test_offers_end_with_their_time(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        await burak.links(ayse)
        await burak.accept(await offered(ayse, burak, source))
        got = await burak.fetched()
        message = burak.records()[0].message
        ayse.ends[message] = burak.ends[message] = (time.time() + 0.3, "its time is over")
        for one, where in ((ayse, "@burak"), (burak, "@ayse")):
            await one.files.changed(where, message)
            assert len(await one.list()) == 1
        for one in (ayse, burak):
            await one.until(lambda one=one: not one.records())  # type: ignore[misc]
        assert got.exists()
        assert not burak.told(FileFailed)


async def test_commands_say_what_is_wrong(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        with pytest.raises(LocalError, match="no file"):
            await burak.files.serve(ask.FileAccept("ffff", str(burak.into)))
        for into in (Path("relative"), tmp_path / "missing", source):
            with pytest.raises(LocalError, match="no folder"):
                await burak.accept(name, into)
        more = await offered(ayse, burak, source)
        assert more != name, "another key, another offer"
        first = record_of("@ayse", "ayse", bytes(16), ayse.offered[0][2], 1.0)
        with pytest.raises(LocalError, match="no file"):
            await burak.files.serve(ask.FileAccept(first.id.hex(), str(burak.into), "@cem"))


class FailingStore(MemoryStore):
    failing = False

    def commit(self, records: Sequence[Record]) -> frozenset[LineName]:
        if self.failing:
            raise StorageError("the disk is full")
        return super().commit(records)


async def test_what_could_not_be_kept_is_not_begun(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    burak.store = store = FailingStore()
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        store.failing = True
        with pytest.raises(StorageError):
            await burak.accept(name)
        assert (await burak.list())[0]["status"] == "offered"
        assert not burak.valve.sent
        store.failing = False
        await burak.accept(name)
        assert (await burak.fetched()).read_bytes() == source.read_bytes()


async def test_an_offer_has_one_id_on_both_sides(tmp_path: Path, source: Path) -> None:
    ayse, burak = both(tmp_path)
    async with filers(ayse, burak):
        name = await offered(ayse, burak, source)
        assert (await listed(ayse))["id"] == name.hex()
        assert [key for key, _ in ayse.store.states(PREFIX)] == [PREFIX + name.hex()]
        await burak.accept(name)
        assert (await burak.fetched()).read_bytes() == source.read_bytes()


async def test_an_offer_stands_whoever_offers_the_same_and_takes_that_back(tmp_path: Path, source: Path) -> None:
    circle = {"#ops": ["ayse", "burak", "cem"]}
    ayse, burak, cem = (Valved(me, tmp_path / me, circle) for me in ("ayse", "burak", "cem"))
    async with filers(ayse, burak, cem):
        burak.others = []
        await burak.offer("#ops", source)
        [(_, message, offer)] = burak.offered
        copied = b"c" * 16
        for sender, said in (("cem", copied), ("burak", message)):
            await ayse.files.heard(record_of("#ops", sender, said, offer, 1.0))
        ayse.ends[copied] = (0.0, "cem took it back")
        await ayse.files.changed("#ops", copied)
        assert [each["from"] for each in await ayse.list()] == ["burak"]
        await ayse.accept(ayse.records()[0].id)
        assert (await ayse.fetched()).read_bytes() == source.read_bytes()


async def test_a_record_that_does_not_read_is_left_alone(tmp_path: Path, source: Path) -> None:
    store = MemoryStore()
    store.commit([PutState("file/" + "ab" * 16, b"\xff junk")])
    ayse, burak = both(tmp_path)
    burak.store = store
    async with filers(ayse, burak):
        await burak.accept(await offered(ayse, burak, source))
        await burak.fetched()
        assert len(store.states("file/")) == 2


def test_stages_are_words() -> None:
    assert [stage.word for stage in Stage] == ["offered", "fetching", "here", "failed", "cancelled", "placing"]
    assert file_body(Lack(bytes(32), Why.BUSY))[0] == FileKind.LACK
