"""Names in a text."""

import re


def find_words(text: str, words: str, *, any_case: bool = False) -> re.Match[str] | None:
    """The first place at which a text has these words whole: "Egg" is not in "Eggs"."""
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE if any_case else re.NOFLAG)
