"""Captions: what is on a screen, in a few sentences that name its controls in reading order."""

import random
from collections.abc import Iterator

from vlm.training.data.kinds.question import Question, about
from vlm.training.data.records import Truth
from vlm.training.data.render import Element, Screen

_ASKED = (
    "Describe the screen.",
    "What is on this screen?",
    "Describe this picture.",
    "Give a caption of the screenshot.",
)
_PLURALS = {
    "button": "buttons",
    "link": "links",
    "field": "fields",
    "select": "lists",
    "checkbox": "checkboxes",
    "radio": "options",
    "switch": "switches",
    "tab": "tabs",
}
SEEN_AS = {
    "phone": "A phone screen",
    "desktop": "A desktop",
    "app": "A web page",
    "web": "A web page",
    "text": "A web page",
}
_MOST = 5


def caption(rng: random.Random, screen: Screen) -> Iterator[Question]:
    """One for a screen that has controls."""
    parts = []
    for kind, plural in _PLURALS.items():
        found = [e for e in screen.elements if e.kind == kind and e.name]
        if found:
            parts.append(_listed(kind, plural, found))
    if parts:
        answer = f"{SEEN_AS.get(screen.source, 'A page')} with {'; '.join(parts)}."
        names = tuple(e.name for e in screen.elements if e.name)
        yield about("screen", rng.choice(_ASKED), answer, Truth(texts=names))


def _listed(kind: str, plural: str, found: list[Element]) -> str:
    """ "3 buttons: “Save” (an icon), “Cancel” and others"."""
    names = [f'"{e.name}"' + _state(e) for e in found[:_MOST]]
    more = " and others" if len(found) > _MOST else ""
    return f"{len(found)} {kind if len(found) == 1 else plural}: {', '.join(names)}{more}"


def _state(element: Element) -> str:
    if element.icon:
        return " (an icon)"
    if element.checked is not None:
        return " (on)" if element.checked else " (off)"
    return f' (shows "{element.value}")' if element.value else ""
