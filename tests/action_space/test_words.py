"""Names in a text, in whole words."""

import pytest

from action_space.words import find_words


@pytest.mark.parametrize(
    ("text", "words", "there"),
    [
        ("Eggs, Egg and milk", "Egg", "Egg"),
        ("Eggs and milk", "Egg", None),
        ("a.b (c)", "(c)", "(c)"),
        ("press OK", "ok", None),
        ("été", "t", None),
    ],
)
def test_words_are_found_whole(text: str, words: str, there: str | None) -> None:
    found = find_words(text, words)
    assert (found[0] if found else None) == there


def test_case_may_be_left_aside() -> None:
    found = find_words("press OK", "ok", any_case=True)
    assert found and found[0] == "OK", "as it is written"
