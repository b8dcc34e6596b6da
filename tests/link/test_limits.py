"""Settings that cannot work are refused where they are made."""

from __future__ import annotations

from typing import Any

import pytest

from conclave.errors import LocalError
from conclave.link.limits import LinkLimits
from conclave.wire.limits import FRAME_BYTES


@pytest.mark.parametrize(
    "wrong",
    [
        {"frame_bytes": FRAME_BYTES - 1},
        {"window": 0},
        {"window": 65_536},
        {"heartbeat_seconds": 10.0},
        {"heartbeat_seconds": 0.0},
        {"outgoing_bytes": 17 * 1024 * 1024},
    ],
)
def test_impossible_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(LocalError):
        LinkLimits(**wrong)
