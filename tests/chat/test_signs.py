"""What may be put at a line is one sign."""

import pytest

from conclave.chat.words.signs import is_sign

ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


JOINED = ["❤️‍🔥", "🏳️‍🌈", "🏴‍☠️", "👨🏽‍🚀", "👩🏽‍❤️‍💋‍👨🏽", "🏃‍♀️‍➡️", "🙂‍↔️", "🐈‍⬛", "🧑‍⚕️", "👨‍👩‍👧‍👦", "🍋‍🟩", "👩‍✈️"]
LETTERS = ["x", "é", "e\u0301", "क्", "क्\u200d", "Ⓐ", "🅰"]


@pytest.mark.parametrize("sign", ["👍", "👍🏽", "❤️", "1️⃣", "🇹🇷", "👩‍👩‍👧", "☕", "→", *LETTERS, *JOINED])
def test_one(sign: str) -> None:
    assert is_sign(sign)


@pytest.mark.parametrize(
    "text", ["notanemoji", "👍👍", "🇹🇷🇩🇪", "+1", "", " ", "\u0301", "\u200d", "👍\x1b", "\u202e", "👍 "]
)
def test_none_or_many(text: str) -> None:
    assert not is_sign(text)


@pytest.mark.parametrize(
    "signs", [["क्", "ष"], ["न्", "क", "ल"], "ⓝⓞ", "🅰🅱", "🄽🄾", "❶❷", "㊊㊋", "→←", "👍Ⓐ", "Ⓐ👍", "🇳🇴", "🇳👍", "👍a"]
)
def test_joiners_make_one_of_pictures_alone(signs: list[str]) -> None:
    """Letters in circles are symbols, and half letters are joined: words could stand where a sign does."""
    assert not is_sign("\u200d".join(signs))


def test_a_flag_with_tags_is_one_and_nothing_else_has_tags() -> None:
    assert is_sign(ENGLAND)
    assert is_sign("🏴")
    for text in (ENGLAND * 2, ENGLAND[:-1], ENGLAND[1:], ENGLAND[:3] + ENGLAND[-1], "👍" + ENGLAND[1:]):
        assert not is_sign(text), ascii(text)
