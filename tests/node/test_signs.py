"""What may be put at a line is one sign."""

import pytest

from conclave.node.signs import is_sign


@pytest.mark.parametrize("sign", ["👍", "👍🏽", "❤️", "1️⃣", "🇹🇷", "👩‍👩‍👧", "☕", "x", "é", "e\u0301", "क्"])
def test_one(sign: str) -> None:
    assert is_sign(sign)


@pytest.mark.parametrize(
    "text", ["notanemoji", "👍👍", "🇹🇷🇩🇪", "+1", "", " ", "\u0301", "\u200d", "👍\x1b", "\u202e", "👍 "]
)
def test_none_or_many(text: str) -> None:
    assert not is_sign(text)
