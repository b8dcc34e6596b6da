"""What holds for all tests of conversations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.once import remember


@pytest.fixture(scope="module", autouse=True)
def remembered() -> Iterator[None]:
    """What the keys of one desk gave for some bytes, they give for the others at the table."""
    with pytest.MonkeyPatch.context() as patch:
        remember(patch)
        yield
