"""Questions and answers: what is ticked, what a field holds, how many there are, whether something is there."""

import random
from collections.abc import Iterator

from vlm.training.data.kinds.question import Question, about, uniquely_named
from vlm.training.data.records import Truth
from vlm.training.data.render import Element, Screen

_COUNTED = {
    "button": "buttons",
    "field": "text fields",
    "checkbox": "checkboxes",
    "radio": "radio buttons",
    "switch": "switches",
    "select": "drop-down lists",
    "tab": "tabs",
}
_NOTHING = "nothing"


def answering(rng: random.Random, screen: Screen) -> Iterator[Question]:
    """Up to four: a state, a value, a number, and whether something is there."""
    named = uniquely_named(screen)
    states = [e for e in named if e.checked is not None]
    values = [e for e in named if e.value is not None and '"' not in e.value and len(e.value) < 60]
    for element in rng.sample(states, min(1, len(states))):
        yield _state(rng, element)
    for element in rng.sample(values, min(1, len(values))):
        yield _value(rng, element)
    if not screen.hidden:  # something that shows in part would be counted by one and not by another
        yield from _number(rng, screen)
    if named:
        yield _presence(rng, screen, rng.choice(named))


def _state(rng: random.Random, element: Element) -> Question:
    word = "on" if element.kind == "switch" else rng.choice(("ticked", "checked", "selected"))
    answer = "yes" if element.checked else "no"
    return about("state", f'Is "{element.name}" {word}?', answer, Truth(boxes=(element.box,), texts=(answer,)))


def _value(rng: random.Random, element: Element) -> Question:
    answer = element.value or _NOTHING
    if element.kind == "select":
        words = rng.choice(('What is selected in "{}"?', 'What does the list "{}" show?'))
    else:
        words = rng.choice(('What does the field "{}" hold?', 'What is entered in "{}"?', 'What is the value of "{}"?'))
    return about("value", words.format(element.name), answer, Truth(boxes=(element.box,), texts=(answer,)))


def _number(rng: random.Random, screen: Screen) -> Iterator[Question]:
    present = [kind for kind in _COUNTED if any(e.kind == kind for e in screen.elements)]
    if present:
        kind = rng.choice(present) if rng.random() < 0.85 else rng.choice(list(_COUNTED))
        found = tuple(e.box for e in screen.elements if e.kind == kind)
        answer = str(len(found))
        truth = Truth(boxes=found, texts=(answer,), count=len(found))
        yield about("count", f"How many {_COUNTED[kind]} are there?", answer, truth)


def _presence(rng: random.Random, screen: Screen, element: Element) -> Question:
    """Half of them about the right name of a control, half about that of another kind, or a name cut and joined anew."""
    kind, name = element.kind, element.name
    if rng.random() < 0.5:
        kind = rng.choice([other for other in _COUNTED if other != kind])
    there = [e for e in screen.elements if e.kind == kind and e.name.lower() == name.lower()]
    answer = "yes" if there else "no"
    noun = _COUNTED.get(kind, "links").removesuffix("es" if kind == "switch" else "s").replace("checkboxe", "checkbox")
    truth = Truth(boxes=tuple(e.box for e in there), texts=(answer,))
    return about("presence", f'Is there a {noun} "{name}"?', answer, truth)
