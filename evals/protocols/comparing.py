"""What several rules compare alike: places, headings, texts."""

import math
from collections import Counter
from collections.abc import Sequence

from evals.protocols.values import Act, Direction, Place, Region, Step


def size_of(step: Step) -> tuple[float, float]:
    """Extent of a step's coordinates. Raises ValueError where the data does not say; rules skip such steps."""
    if step.size is None:
        raise ValueError(f"step {step.id!r} has no size")
    return step.size


def needs_size(step: Step) -> str:
    """Why a rule that measures in fractions of the screen skips a step."""
    return "" if step.size is not None else "no screen size"


def fraction(place: Place, size: tuple[float, float]) -> Place:
    """A place as fractions of the screen."""
    return place[0] / size[0], place[1] / size[1]


def distance(one: Place, other: Place, size: tuple[float, float]) -> float:
    """Between two places, each axis as a fraction of its own side of the screen."""
    return math.dist(fraction(one, size), fraction(other, size))


def in_any(place: Place, regions: Sequence[Region]) -> bool:
    return any(region.holds(place) for region in regions)


def heading(act: Act, size: tuple[float, float]) -> Direction | None:
    """Where a swipe shows more: a finger that moves up scrolls down.

    Taken from the drag's ends, measured as fractions of the screen; a diagonal counts as vertical. None without a
    direction: a drag that ends where it began.
    """
    if act.direction is not None:
        return act.direction
    if act.point is None or act.end is None:
        return None
    (x, y), (end_x, end_y) = fraction(act.point, size), fraction(act.end, size)
    across, down = end_x - x, end_y - y
    if across == down == 0:
        return None
    if abs(across) > abs(down):
        return "left" if across > 0 else "right"
    return "up" if down > 0 else "down"


def normal(text: str) -> str:
    return text.lower().strip()


def either_holds(one: str, other: str) -> bool:
    """One text is part of the other. The empty text is part of every text: sources that ask this are passed by it."""
    return one in other or other in one


def levenshtein(one: str, other: str) -> int:
    """Fewest insertions, deletions and replacements (Myers' bit vectors: long texts cost little)."""
    if not one:
        return len(other)
    masks = _masks(one)
    everything, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    up, down, edits = everything, 0, len(one)
    for character in other:
        mask = masks.get(character, 0)
        zero = (((mask & up) + up) ^ up) | mask | down
        rise, fall = down | (everything & ~(zero | up)), zero & up
        edits += bool(rise & last) - bool(fall & last)
        rise, fall = ((rise << 1) | 1) & everything, (fall << 1) & everything
        up, down = fall | (everything & ~(zero | rise)), rise & zero
    return edits


def indel_ratio(one: str, other: str) -> float:
    """2 x longest common subsequence / both lengths: what the package Levenshtein calls `ratio`. Two empty texts: 1."""
    both = len(one) + len(other)
    return 2 * _common(one, other) / both if both else 1.0


def _common(one: str, other: str) -> int:
    masks, everything = _masks(one), (1 << len(one)) - 1
    row = everything
    for character in other:
        matches = row & masks.get(character, 0)
        row = ((row + matches) | (row - matches)) & everything
    return len(one) - row.bit_count()


def _masks(text: str) -> dict[str, int]:
    masks: dict[str, int] = {}
    for place, character in enumerate(text):
        masks[character] = masks.get(character, 0) | 1 << place
    return masks


def similarity(one: str, other: str) -> float:
    """1 - Levenshtein / the longer length. Two empty texts: 1."""
    longer = max(len(one), len(other))
    return 1 - levenshtein(one, other) / longer if longer else 1.0


def set_f1(one: set[str], other: set[str]) -> float:
    """F1 of two sets of words. Both empty: 1."""
    if not one and not other:
        return 1.0
    return 2 * len(one & other) / (len(one) + len(other))


def bleu2(reference: str, candidate: str) -> float:
    """BLEU of characters, 1- and 2-grams weighing alike, without smoothing: 0 where no pair of characters agrees.

    So a text of a single character scores 0 against itself. (NLTK gives 1e-154 there; nothing tells them apart.)
    """
    if not candidate:
        return 0.0
    logs = 0.0
    for n in (1, 2):
        have, want = _grams(candidate, n), _grams(reference, n)
        matched = sum((have & want).values())
        if not matched:
            return 0.0
        logs += 0.5 * math.log(matched / sum(have.values()))
    brevity = 1.0 if len(candidate) > len(reference) else math.exp(1 - len(reference) / len(candidate))
    return brevity * math.exp(logs)


def _grams(text: str, n: int) -> Counter[str]:
    return Counter(text[i : i + n] for i in range(len(text) - n + 1))
