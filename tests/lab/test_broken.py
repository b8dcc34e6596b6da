"""The lab can fail: victims that leave a check out, a link without protection, a weakness that is not there."""

from __future__ import annotations

import pytest

from conclave.classic.keys import Direction
from conclave.crypto.classic import hkdf
from conclave.lab import catalogue
from conclave.lab.scene import Scene
from conclave.lab.story import LinkKind, Verdict
from tests.lab.naked import NakedTunnel
from tests.lab.transcripts import run

BROKEN = [
    ("certificate", "impostor", "classic"),
    ("certificate", "impostor", "tls"),
    ("handle", "impostor", "classic"),
    ("handle", "impostor", "tls"),
    ("revocation", "impostor", "classic"),
    ("revocation", "impostor", "tls"),
    ("sequence", "replay", "classic"),
    ("sequence", "reorder", "classic"),
    ("sequence", "drop", "classic"),
    ("mac", "splice", "classic"),
    ("mac", "flip", "classic"),
    ("ending", "truncate", "classic"),
    ("chain", "liar", "tls"),
]


@pytest.mark.parametrize(("check", "name", "link"), BROKEN)
def test_a_victim_that_leaves_a_check_out_makes_the_lesson_fail(check: str, name: str, link: str) -> None:
    done = run(f"lab run {name} --link {link} --brief --without {check}")
    assert done.exit_code == 1
    assert "BROKEN" in done.output


@pytest.mark.parametrize("name", ["replay", "reorder", "drop", "flip", "splice", "reflect", "iv"])
async def test_without_tls_the_lessons_on_the_default_link_fail(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conclave.net.streams.Tunnel", NakedTunnel)
    (lesson,) = catalogue.choose(name, frozenset({LinkKind.TLS}))
    given = await catalogue.give(lesson, Scene(NakedTunnel.realm))
    assert given.story.verdict is Verdict.BROKEN, given.story


async def test_a_weakness_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: dict[int, int] = {}

    def fresh(self: Direction, message: bytes) -> bytes:
        del message
        counts[id(self)] = counts.get(id(self), 0) + 1
        return hkdf(self.label + str(counts[id(self)]).encode(), self.salt, 16)

    monkeypatch.setattr(Direction, "next_iv", fresh)
    (lesson,) = catalogue.choose("iv", frozenset({LinkKind.CLASSIC}))
    given = await catalogue.give(lesson, Scene())
    assert given.story.verdict is Verdict.UNSHOWN


async def test_a_lesson_that_cannot_be_given_is_not_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conclave.net.streams.LinkStream.send_encoded", lambda *_: None)
    monkeypatch.setattr("conclave.lab.middle.PATIENCE_SECONDS", 0.1)
    (lesson,) = catalogue.choose("reorder", frozenset({LinkKind.TLS}))
    given = await catalogue.give(lesson, Scene())
    assert given.story.verdict is Verdict.UNSHOWN
    assert "did not happen in time" in given.story.trouble
