"""Words and names for generated screens, split so that held-out screens share no word with the training screens."""

# ruff: noqa: SIM905 (the words are split from strings, because a list would have a line for each)

import hashlib
import random
from collections import deque
from functools import lru_cache
from pathlib import Path

_DICTIONARIES = (Path("/usr/share/dict/american-english"), Path("/usr/share/dict/words"))
_ONSETS = (
    "b bl br c ch cl cr d dr f fl fr g gl gr h j k l m n p pl pr qu r s sc sh sk sl sp st str t th tr v w z".split()
)
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ee", "oa", "ou", "y"]
_CODAS = "b ck d f g l ll m n nd ng nt p r rd rk s sh ss st t th x".split()

UI_WORDS = (
    "Save Cancel Submit Send Delete Edit Search Settings Profile Account Home Help About Contact Login Logout "
    "Next Back Continue Name Email Address City Country Phone Password Date Time Title Description Notes "
    "Message Subject Comments Company Website Open Close New Add Remove Share Copy Print Export Import Upload "
    "Download Filter Sort Refresh Reset Apply Confirm Create Update View Details Options Menu File Tools "
    "Window Users Groups Reports Orders Products Invoices Payments Shipping Billing Newsletter Subscribe "
    "Language Theme Privacy Security Notifications Calendar Tasks Projects Messages Dashboard Overview First "
    "Last"
).split()


def is_held_out(text: str, share: float = 0.2) -> bool:
    """Whether a word or a font family belongs to the held-out share: decided by its hash, the same everywhere."""
    digest = hashlib.sha256(text.lower().encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


@lru_cache(maxsize=2)
def dictionary(held_out: bool) -> tuple[str, ...]:
    """Plain English words of one side of the split, from the system's dictionary; () where there is none."""
    for path in _DICTIONARIES:
        if path.is_file():
            words = path.read_text(encoding="utf-8", errors="ignore").split()
            kept = (word for word in words if word.isascii() and word.isalpha() and 3 <= len(word) <= 12)
            return tuple(word for word in kept if is_held_out(word) == held_out)
    return ()


def invented_word(rng: random.Random) -> str:
    """A pronounceable word that no dictionary has."""
    parts = (
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + (rng.choice(_CODAS) if rng.random() < 0.5 else "")
        for _ in range(rng.randint(1, 3))
    )
    return "".join(parts)


ALIKE = 0.12
"""How often a label in training is like another one ("Student", "Student number"): what tells two names apart may be
one word at their end."""


class Words:
    """Random texts of one side of the split. held_out: only words that training never draws."""

    def __init__(self, rng: random.Random, *, held_out: bool) -> None:
        self.rng = rng
        self.held_out = held_out
        self._dictionary = dictionary(held_out)
        self._labels: deque[list[str]] = deque(maxlen=12)

    def word(self) -> str:
        rng = self.rng
        roll = rng.random()
        if not self.held_out and roll < 0.2:
            return rng.choice(UI_WORDS)
        if self._dictionary and roll < 0.85:
            return rng.choice(self._dictionary)
        while True:
            word = invented_word(rng)
            if is_held_out(word) == self.held_out:
                return word

    def label(self, longest: int = 3) -> str:
        """One to `longest` words, cased as labels are."""
        rng = self.rng
        if self._labels and not self.held_out and rng.random() < ALIKE:
            words = self._like_another()[:longest]
        else:
            count = rng.choices(range(1, longest + 1), weights=[5, 4, 2, 1][:longest])[0]
            words = [self.word().lower() for _ in range(count)]
        self._labels.append(words)
        style = rng.random()
        if style < 0.55:
            return " ".join(word.capitalize() for word in words)
        if style < 0.85:
            return " ".join(words).capitalize()
        if style < 0.93:
            return " ".join(words)
        return " ".join(words).upper()

    def _like_another(self) -> list[str]:
        """Words of a label that shares some with an earlier one."""
        other, word = self.rng.choice(self._labels), self.word().lower()
        return self.rng.choice(([*other, word], [other[0], word], [word, other[-1]], other[:-1] or [word, *other]))

    def sentence(self, shortest: int = 4, longest: int = 14) -> str:
        words = [self.word().lower() for _ in range(self.rng.randint(shortest, longest))]
        return " ".join(words).capitalize() + "."

    def value(self) -> str:
        """Something that stands in a field or a table cell."""
        rng = self.rng
        return rng.choice(
            (
                lambda: self.label(2),
                lambda: str(rng.randint(0, 99999)),
                lambda: f"{rng.randint(0, 9999)}.{rng.randint(0, 99):02d}",
                lambda: f"${rng.randint(1, 999)}.{rng.randint(0, 99):02d}",
                lambda: f"{rng.randint(2015, 2030)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
                lambda: f"{self.word().lower()}@{self.word().lower()}.{rng.choice(('com', 'org', 'net', 'io'))}",
                lambda: f"{rng.randint(0, 23)}:{rng.randint(0, 59):02d}",
                lambda: f"+{rng.randint(1, 99)} {rng.randint(100, 999)} {rng.randint(1000, 9999)}",
                lambda: f"#{rng.randint(1, 99999)}",
            )
        )()
