"""Settings: their order, their errors, and that each is documented with its default."""

import dataclasses
import re
from pathlib import Path

import pytest

from conclave.errors import LocalError
from conclave.files.limits import FileLimits
from conclave.link.limits import LinkLimits
from conclave.node.config import NodeSettings, load

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def documented() -> dict[str, str]:
    return dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", DOCUMENT.read_text(), re.MULTILINE))


def shown(value: object) -> str:
    if value == "":
        return "empty"
    return f"`{value}`" if isinstance(value, str) else str(value)


def test_every_setting_is_documented_with_its_default() -> None:
    node = {
        name: shown(field.default)
        for name, field in NodeSettings.model_fields.items()
        if name not in ("link", "files")
    }
    link = {field.name: shown(field.default) for field in dataclasses.fields(LinkLimits)}
    files = {field.name: shown(field.default) for field in dataclasses.fields(FileLimits)}
    assert documented() == node | link | files


def test_flags_win_over_environment_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text('listen = "file:1"\nannounce = "file:2"\nauthority = "file:3"\n')
    monkeypatch.setenv("CONCLAVE_ANNOUNCE", "environment:2")
    monkeypatch.setenv("CONCLAVE_AUTHORITY", "environment:3")
    settings = load(tmp_path, authority="flag:3", listen=None)
    assert (settings.listen, settings.announce, settings.authority) == ("file:1", "environment:2", "flag:3")


def test_limits_of_links_come_from_the_same_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text("[link]\nwindow = 7\nsilence_seconds = 99\n")
    monkeypatch.setenv("CONCLAVE_LINK__WINDOW", "9")
    link = load(tmp_path).link
    assert (link.window, link.silence_seconds) == (9, 99.0)


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ("colour = 3", "colour"),
        ("listen = 3", "listen"),
        ("listen =", "config.toml"),
        ("[link]\nheartbeat_seconds = 90", "heartbeat"),
        ("[files]\nuploads = 0", "uploads"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, toml: str, complaint: str) -> None:
    (tmp_path / "config.toml").write_text(toml)
    with pytest.raises(LocalError, match=complaint):
        load(tmp_path)
