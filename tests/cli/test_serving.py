"""What ``authority serve`` takes for its settings."""

from __future__ import annotations

from typing import Any

import pytest

from conclave.authority.settings import AuthoritySettings
from conclave.cli.serving import read_settings
from conclave.errors import LocalError

TYPED = {
    "lifetime": "10d", "heartbeat": "60s", "silence": "200s", "mail": "14d", "mailbox": "2000,32",
    "mail_room": "256,4096",
}  # fmt: skip


def test_what_is_shown_as_default_is_the_default() -> None:
    assert read_settings(**TYPED) == AuthoritySettings()


def test_they_are_read() -> None:
    changed: dict[str, Any] = TYPED | {"mail": "3d", "mailbox": "10,1", "mail_room": "2,3"}
    settings = read_settings(**changed)
    assert (settings.mail_seconds, settings.mail_envelopes, settings.mail_bytes) == (3 * 86_400, 10, 1 << 20)
    assert (settings.mail_sender_bytes, settings.mail_total_bytes) == (2 << 20, 3 << 20)


@pytest.mark.parametrize(
    ("option", "typed"),
    [
        ("mail", "15d"), ("mail", "long"), ("mailbox", "2000"), ("mailbox", "2000,"), ("mailbox", "0,32"),
        ("mailbox", "-1,32"), ("mailbox", "x,32"), ("mail_room", "1,2,3"), ("mail_room", "1,٣"),
        ("mail_room", "1," + "9" * 99),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_with_a_remedy(option: str, typed: str) -> None:
    with pytest.raises(LocalError) as caught:
        read_settings(**(TYPED | {option: typed}))
    assert caught.value.remedy
