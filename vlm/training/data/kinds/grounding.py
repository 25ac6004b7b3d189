"""Grounding: a click on what is named by its text, its icon, its label or its position; and names that are not there.

The answer is the `compact` dialect's call in pixels of the picture. Any point of `truth.boxes` is as good. What is not
on the screen is answered by the dialect's own words for it, MISSING.
"""

import random
from collections.abc import Iterator
from itertools import pairwise

from action_space.dialects.base import NOT_THERE
from vlm.training.data.kinds.question import Question, about, click_on, reaches, uniquely_named
from vlm.training.data.records import Truth
from vlm.training.data.render import Element, Screen
from vlm.training.data.words import Words
from vlm.training.questions import NOUNS, instruction

MISSING = f'finish("failure", "{NOT_THERE}")'
_NUMBERS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def grounding(rng: random.Random, screen: Screen) -> Iterator[Question]:
    """Up to six by name, two by position, and one for a name that is not there."""
    named = [e for e in uniquely_named(screen) if e.kind in NOUNS]
    for element in rng.sample(named, min(6, len(named))):
        yield by_name(rng, element)
    yield from by_position(rng, screen, 2)
    if named:
        yield _missing(rng, screen, rng.choice(named))


def by_name(rng: random.Random, element: Element) -> Question:
    return about(_form(element), instruction(rng, element.kind, element.name), click_on(element), reaches(element))


def _form(element: Element) -> str:
    if element.icon:
        return "icon"
    return "label" if element.kind in ("field", "select", "checkbox", "radio", "switch") else "text"


def by_position(rng: random.Random, screen: Screen, most: int) -> Iterator[Question]:
    """By number in a row or a column, or beside something that has a name."""
    makers = [_numbered, _numbered, _beside, _repeated]
    found = [question for maker in rng.sample(makers, len(makers)) if (question := maker(rng, screen))]
    yield from found[:most]


def _noun(element: Element) -> str:
    return "icon" if element.icon else NOUNS[element.kind][0] if element.kind in NOUNS else "control"


def _numbered(rng: random.Random, screen: Screen) -> Question | None:
    """ "the second switch from the top": of all controls of a kind, if they stand under or beside each other."""
    if screen.hidden:
        return None
    kinds = sorted({_noun(e) for e in screen.elements})
    groups = [[e for e in screen.elements if _noun(e) == kind] for kind in kinds]
    able = [group for group in groups if 2 <= len(group) <= len(_NUMBERS) and (_in_column(group) or _in_row(group))]
    if not able:
        return None
    group = rng.choice(able)
    return _which(rng, group, _noun(group[0]))


def _which(rng: random.Random, group: list[Element], noun: str) -> Question:
    down = _in_column(group)
    ordered = sorted(group, key=lambda e: e.box.top if down else e.box.left)
    number = rng.randrange(len(ordered))
    if rng.random() < 0.3:
        words = f"the {_NUMBERS[len(ordered) - 1 - number]} {noun} from the {'bottom' if down else 'right'}"
    else:
        words = f"the {_NUMBERS[number]} {noun} from the {'top' if down else 'left'}"
    target = ordered[number]
    return about("position", f"click {words}", click_on(target), reaches(target))


def _in_column(group: list[Element]) -> bool:
    """Whether each ends before the next one below begins."""
    rows = sorted((e.box.top, e.box.bottom) for e in group)
    return all(above[1] <= below[0] for above, below in pairwise(rows))


def _in_row(group: list[Element]) -> bool:
    columns = sorted((e.box.left, e.box.right) for e in group)
    tops, bottoms = [e.box.top for e in group], [e.box.bottom for e in group]
    return max(tops) < min(bottoms) and all(a[1] <= b[0] for a, b in pairwise(columns))


def _repeated(rng: random.Random, screen: Screen) -> Question | None:
    """ "the second "Delete" button from the top": of controls that are called alike."""
    names = [e.name for e in screen.elements]
    groups = [[e for e in screen.elements if e.name == n] for n in sorted(set(names)) if n and names.count(n) > 1]
    able = [
        g for g in groups if len(g) <= len(_NUMBERS) and len({e.kind for e in g}) == 1 and (_in_column(g) or _in_row(g))
    ]
    if not able or screen.hidden:
        return None
    group = rng.choice(able)
    return _which(rng, group, f'"{group[0].name}" {_noun(group[0])}')


def _beside(rng: random.Random, screen: Screen) -> Question | None:
    """ "the icon right of "Search""."""
    anchors = rng.sample(uniquely_named(screen), len(uniquely_named(screen)))
    for anchor in anchors[:12]:
        for words, near in (("right of", _right_of(anchor, screen)), ("below", _below(anchor, screen))):
            if near and near.name != anchor.name:
                text = f'click the {_noun(near)} {words} "{anchor.name}"'
                return about("position", text, click_on(near), reaches(near))
    return None


def _right_of(anchor: Element, screen: Screen) -> Element | None:
    """The nearest control in its line, if it is near."""
    y, end = anchor.box.center.y, anchor.box.right
    row = [e for e in screen.elements if e.box.left >= end and e.box.top <= y < e.box.bottom]
    nearest = min(row, key=lambda e: e.box.left, default=None)
    return nearest if nearest and nearest.box.left - end < 120 else None


def _below(anchor: Element, screen: Screen) -> Element | None:
    x, end = anchor.box.center.x, anchor.box.bottom
    column = [e for e in screen.elements if e.box.top >= end and e.box.left <= x < e.box.right]
    nearest = min(column, key=lambda e: e.box.top, default=None)
    return nearest if nearest and nearest.box.top - end < 80 else None


def _missing(rng: random.Random, screen: Screen, like: Element) -> Question:
    """A name that no control and no line of the screen has."""
    words = Words(rng, held_out=False)
    while (name := words.label(2)).lower() in screen.said:
        continue
    return about("missing", instruction(rng, like.kind, name), MISSING, Truth())
