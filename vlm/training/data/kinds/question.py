"""One question before it has a number and a picture's name: what makers yield."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from action_space.geometry import Box
from vlm.training.data.records import Part, Picture, Truth
from vlm.training.data.render import Element, Screen

SHOWN = Picture(image=0)


@dataclass(frozen=True, slots=True)
class Question:
    """form, prompt, answer and truth as in `Record`. images: as there; empty for the one screen that was given."""

    form: str
    prompt: tuple[Part, ...]
    answer: str
    truth: Truth
    images: tuple[str, ...] = ()


def about(form: str, words: str, answer: str, truth: Truth) -> Question:
    """A question about one screen: the words come first, as in an agent's prompt."""
    return Question(form, (words, SHOWN), answer, truth)


def corners(box: Box) -> list[int]:
    return [box.left, box.top, box.right, box.bottom]


def shown_in(box: Box) -> str:
    return f"[{', '.join(map(str, corners(box)))}]"


def as_json(items: Sequence[object]) -> str:
    """A list as the cookbooks have it: fenced, a line an item."""
    rows = ",\n".join(f"\t{json.dumps(item, ensure_ascii=False)}" for item in items)
    return f"```json\n[\n{rows}\n]\n```"


def click_on(element: Element) -> str:
    point = (element.label or element.box).center
    return f"click({point.x}, {point.y})"


def reaches(element: Element) -> Truth:
    """Where a click hits it."""
    boxes = (element.box,) if element.label is None else (element.box, element.label)
    return Truth(boxes=boxes, texts=(element.name,))


def uniquely_named(screen: Screen) -> list[Element]:
    """Controls that can be asked for by their name."""
    names = [e.name.lower() for e in screen.elements]
    return [e for e in screen.elements if e.name and len(e.name) <= 48 and names.count(e.name.lower()) == 1]
