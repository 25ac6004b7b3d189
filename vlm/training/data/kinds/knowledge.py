"""Visual knowledge: what icons are called."""

import random
from collections.abc import Iterator

from vlm.training.data.kinds.question import Question, about, shown_in
from vlm.training.data.records import Truth
from vlm.training.data.render import Screen

_ASKED = ("What does the icon in {} stand for?", "What is the icon in {} called?", "Name the icon in {}.")


def knowledge(rng: random.Random, screen: Screen) -> Iterator[Question]:
    """Up to three icons of a screen, and all of them if they are few."""
    icons = [e for e in screen.elements if e.icon]
    for element in rng.sample(icons, min(3, len(icons))):
        name = str(element.icon)
        truth = Truth(boxes=(element.box,), texts=(name,))
        yield about("name", rng.choice(_ASKED).format(shown_in(element.box)), name, truth)
    if 1 < len(icons) <= 8:
        names = tuple(str(e.icon) for e in icons)
        truth = Truth(boxes=tuple(e.box for e in icons), texts=names)
        yield about("all", "Which icons can be clicked, in reading order?", ", ".join(names), truth)
