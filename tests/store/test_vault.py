"""The vault gives back what it was given, to its passphrase alone, and a failed write leaves the old one."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.crypto.seal import Cost, derive, seal
from conclave.errors import LocalError, StorageError
from conclave.store import vault as module
from conclave.store.vault import CRL_BYTES, Pending, Profile, Trust, VaultContent, create, unlock
from conclave.values import replace
from conclave.wire.codec import decode

CHEAP = Cost(memory_kib=8, passes=1, lanes=1)
SECRET = b"private key bytes"
CONTENT = VaultContent(
    database_key=b"database key of thirty-two bytes",
    handle="ayse",
    realm="ward-7.internal",
    device="laptop",
    authorities=("authority.ward-7.internal:8443", "[::1]:8443"),
    profiles=(Profile("tls", SECRET, (b"leaf", b"issuing")), Profile("im", SECRET, (b"leaf",))),
    trust=Trust(b"root", b"issuing", b"crl"),
    pending=Pending(b"i" * 32, b"r" * 32, ("192.0.2.7:8443",), (Profile("tls", SECRET),)),
)


def test_round_trip_and_rewrite_without_the_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    opened = create(path, "open sesame", CONTENT, cost=CHEAP)
    assert unlock(path, "open sesame").content == opened.content == CONTENT
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    newer = replace(CONTENT, trust=replace(CONTENT.trust, crl=b"newer"))
    opened.rewrite(newer)
    assert unlock(path, "open sesame").content == opened.content == newer
    opened.rewrite(CONTENT)
    assert path.read_bytes() != before, "a nonce came twice"
    assert [one.name for one in tmp_path.iterdir()] == ["vault"]


def test_the_file_shows_nothing(tmp_path: Path) -> None:
    create(tmp_path / "vault", "p", CONTENT, cost=CHEAP)
    data = (tmp_path / "vault").read_bytes()
    for shown in (SECRET, CONTENT.database_key, b"ayse", b"ward-7", b"leaf"):
        assert shown not in data
    for text in (repr(CONTENT), repr(CONTENT.profiles)):
        assert "private key" not in text
        assert "database key" not in text


def test_a_wrong_passphrase_is_a_locked_vault(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    create(path, "right", CONTENT, cost=CHEAP)
    with pytest.raises(LocalError, match="locked") as caught:
        unlock(path, "wrong")
    assert caught.value.remedy


def test_a_passphrase_is_the_same_however_its_letters_are_composed(tmp_path: Path) -> None:
    create(tmp_path / "vault", "\u00e7ok gizli", CONTENT, cost=CHEAP)
    assert unlock(tmp_path / "vault", "c\u0327ok gizli").content == CONTENT


@pytest.mark.parametrize("passphrase", ["", "\udcff"])
def test_what_is_no_passphrase(tmp_path: Path, passphrase: str) -> None:
    with pytest.raises(LocalError):
        create(tmp_path / "vault", passphrase, CONTENT, cost=CHEAP)
    assert not list(tmp_path.iterdir())


def test_change_of_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    opened = create(path, "old", CONTENT, cost=CHEAP)
    opened.change_passphrase("new", cost=CHEAP)
    with pytest.raises(LocalError):
        unlock(path, "old")
    opened.rewrite(replace(CONTENT, device="phone"))
    assert unlock(path, "new").content.device == "phone"


def test_a_vault_is_not_made_over_another(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    create(path, "p", CONTENT, cost=CHEAP)
    with pytest.raises(LocalError, match="already"):
        create(path, "p", replace(CONTENT, handle="burak"), cost=CHEAP)
    assert unlock(path, "p").content == CONTENT


def test_no_vault_and_what_is_none(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    with pytest.raises(LocalError, match="nobody has joined") as caught:
        unlock(path, "p")
    assert caught.value.remedy
    for data in (b"", b"-----BEGIN", os.urandom(300), b"\0" * (module.VAULT_BYTES + 1)):
        path.write_bytes(data)
        with pytest.raises(LocalError):
            unlock(path, "p")
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageError):
        unlock(path, "p")


def test_a_newer_vault_is_refused(tmp_path: Path) -> None:
    key = derive(b"p", salt=bytes(16), cost=CHEAP)
    (tmp_path / "vault").write_bytes(seal(key, b"\x00\x03" + bytes(200), nonce=bytes(12)))
    with pytest.raises(LocalError, match="version 3"):
        unlock(tmp_path / "vault", "p")


def test_a_vault_from_before_the_first_release_is_refused(tmp_path: Path) -> None:
    key = derive(b"p", salt=bytes(16), cost=CHEAP)
    (tmp_path / "vault").write_bytes(seal(key, b"\x00\x01" + bytes(200), nonce=bytes(12)))
    with pytest.raises(LocalError, match="before the first release"):
        unlock(tmp_path / "vault", "p")


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    opened = create(tmp_path / "vault", "p", CONTENT, cost=CHEAP)
    for bad in (
        replace(CONTENT, database_key=b"short"),
        replace(CONTENT, handle="a" * 64),
        replace(CONTENT, trust=Trust(b"", b"", bytes(CRL_BYTES + 1))),
    ):
        with pytest.raises(LocalError):
            opened.rewrite(bad)
    assert opened.content == unlock(tmp_path / "vault", "p").content == CONTENT


def test_a_profile_that_is_not_there() -> None:
    assert CONTENT.profile("im").chain == (b"leaf",)
    with pytest.raises(LocalError, match="classic"):
        CONTENT.profile("classic")


def test_a_disk_that_refuses_leaves_the_old_vault(tmp_path: Path) -> None:
    create(tmp_path / "vault", "p", CONTENT)
    script = """
        import resource, sys
        from conclave.values import replace
        from pathlib import Path
        from conclave.errors import StorageError
        from conclave.store.vault import unlock
        path = Path(sys.argv[1])
        opened = unlock(path, "p")
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
        grown = replace(opened.content, trust=replace(opened.content.trust, crl=bytes(100_000)))
        try:
            opened.rewrite(grown)
        except StorageError as error:
            print(error, "/", error.remedy)
        assert unlock(path, "p").content == opened.content
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        opened.rewrite(grown)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "vault")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "could not be written" in done.stdout
    assert "free some space" in done.stdout
    assert len(unlock(tmp_path / "vault", "p").content.trust.crl) == 100_000
    assert [one.name for one in tmp_path.iterdir()] == ["vault"]


SHORT = st.text(st.characters(codec="utf-8"), max_size=12)
CONTENTS = st.builds(
    VaultContent,
    database_key=st.binary(min_size=32, max_size=32),
    handle=SHORT,
    realm=SHORT,
    device=SHORT,
    authorities=st.lists(SHORT, max_size=4).map(tuple),
    profiles=st.lists(
        st.builds(Profile, SHORT, st.binary(), st.lists(st.binary(), max_size=3).map(tuple)), max_size=3
    ).map(tuple),
    trust=st.builds(Trust, st.binary(), st.binary(), st.binary()),
    pending=st.none()
    | st.builds(
        Pending,
        st.binary(max_size=32),
        st.binary(max_size=32),
        st.lists(SHORT, max_size=2).map(tuple),
        st.lists(st.builds(Profile, SHORT, st.binary()), max_size=2).map(tuple),
    ),
)


@settings(max_examples=100, deadline=None)
@given(CONTENTS)
def test_any_content_round_trips(content: VaultContent) -> None:
    assert decode(module._encode(content), module._content) == content
