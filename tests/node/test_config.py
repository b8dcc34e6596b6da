"""Settings: their order, their errors, and that each is documented with its default."""

import dataclasses
import re
from pathlib import Path

import pytest

from conclave.classic.limits import ClassicLimits
from conclave.errors import LocalError, UsageError
from conclave.files.limits import FileLimits
from conclave.link.limits import LinkLimits
from conclave.node.config import NodeSettings, load

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def documented() -> list[dict[str, str]]:
    """The settings of each section."""
    sections = DOCUMENT.read_text().split("\n## ")[1:]
    return [dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", section, re.MULTILINE)) for section in sections]


def shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value == "":
        return "empty"
    return f"`{value}`" if isinstance(value, str) else str(value)


def test_every_setting_is_documented_with_its_default() -> None:
    fields = NodeSettings.model_fields
    node = {name: shown(field.default) for name, field in fields.items() if name not in ("link", "files", "classic")}
    link = {field.name: shown(field.default) for field in dataclasses.fields(LinkLimits)}
    classic = {field.name: shown(field.default) for field in dataclasses.fields(ClassicLimits)}
    files = {field.name: shown(field.default) for field in dataclasses.fields(FileLimits)}
    assert documented() == [node, link, files, classic]


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


def test_how_long_a_leader_may_be_silent_and_whether_reading_is_told_reach_the_core(tmp_path: Path) -> None:
    assert (load(tmp_path).conversations().patience.silence, load(tmp_path).conversations().read_receipts) == (
        10,
        True,
    )
    (tmp_path / "config.toml").write_text("read_receipts = false\nleader_silence_seconds = 30\n")
    core = load(tmp_path).conversations()
    assert (core.patience.silence, core.read_receipts) == (30.0, False)


def test_a_wrong_flag_is_named_as_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--log-level: "):
        load(tmp_path, log_level="loud")


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ("leader_silence_seconds = 1", "leader_silence_seconds"),
        ("read_receipts = 3", "read_receipts"),
        ("colour = 3", "there is no setting colour"),
        ("listen = 3", "listen"),
        ("listen =", "config.toml"),
        ("[link]\nheartbeat_seconds = 90", "heartbeat"),
        ("[files]\nuploads = 0", "uploads"),
        ('links = "classic"', "TLS is always on"),
        ('links = "tls,tls"', "links"),
        ("[classic]\nmessage_bytes = 0", "message_bytes"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, toml: str, complaint: str) -> None:
    (tmp_path / "config.toml").write_text(toml)
    with pytest.raises(LocalError, match=complaint):
        load(tmp_path)


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("CONCLAVE_LISTN", "CONCLAVE_LISTEN;"),
        ("CONCLAVE_HEARTBEAT_SECONDS", "two underscores"),
        ("CONCLAVE_LINK_HEARTBEAT_SECONDS", "CONCLAVE_LINK__HEARTBEAT_SECONDS;"),
        ("CONCLAVE_COLOUR__DEPTH", "docs/settings.md"),
    ],
)
def test_a_setting_of_the_environment_that_does_not_exist_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, meant: str
) -> None:
    monkeypatch.setenv(variable, "5")
    with pytest.raises(LocalError, match=f"does not exist: {variable}$") as caught:
        load(tmp_path)
    assert meant in caught.value.remedy


@pytest.mark.parametrize(
    "variable", ["CONCLAVE_HOME", "CONCLAVE_PASSPHRASE_FILE", "CONCLAVE_PASSPHRASE_FD", "conclave"]
)
def test_what_else_the_environment_has_is_no_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "/x")
    load(tmp_path)


def test_settings_that_are_no_file_are_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(LocalError, match=r"config\.toml is not a file"):
        load(tmp_path)
