"""What was done on a screen, step by step: drawn pages that are worked on by real clicks and keys, and, from `evals`,
the demonstrations of MiniWoB++. Videos and trajectories are made of episodes.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from action_space.geometry import Box
from vlm.training.data.render import Element, Screen
from vlm.training.data.words import Words
from vlm.training.questions import quoted

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab


@dataclass(frozen=True, slots=True)
class Moment:
    """A screen, and the step that was due on it.

    image: name of its picture in the shard. seconds: since the beginning. plan: the instruction, in the words of the
    `compact` dialect. call: the dialect's call on this picture, "" where the plan says it all. box: where a click does
    it, or a drag begins, None if anything else was due, or it needs none. act: the call, also where the plan says it
    all, and told: how a later prompt tells it, if it may be looked for; "" otherwise. looked: the plan is to look, as
    the task's words do not say what is due. note: what the model was told of the step, if it was in vain.
    """

    image: str
    seconds: float
    plan: str
    call: str = ""
    box: Box | None = None
    act: str = ""
    told: str = ""
    looked: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Episode:
    """moments: the last one's plan is `done`, unless the episode ended by itself. task: as a person would put it.

    events: from, to (seconds) and what happened.
    """

    task: str
    moments: tuple[Moment, ...]
    events: tuple[tuple[float, float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done to a control: words for the task, words for what is seen, plans, and what to type."""

    element: Element
    asked: str
    seen: str
    plans: tuple[str, ...]
    text: str = ""


def deeds_on(rng: random.Random, words: Words, screen: Screen, most: int = 3) -> list[Deed]:
    """Some things that can be done on a screen and then be seen, each to another control."""
    names = [e.name.lower() for e in screen.elements]
    able = [
        e
        for e in screen.elements
        if e.name and names.count(e.name.lower()) == 1 and e.kind in ("field", "checkbox", "radio", "switch")
    ]
    return [_deed(rng, words, element) for element in rng.sample(able, min(most, len(able)))]


def _deed(rng: random.Random, words: Words, element: Element) -> Deed:
    name, said = element.name, quoted(element.name)
    if element.kind == "field":
        text = words.label(2) if rng.random() < 0.6 else words.value()
        asked = rng.choice(
            (f'type "{text}" into "{name}"', f'enter "{text}" in the "{name}" field', f'set "{name}" to "{text}"')
        )
        seen = f'"{text}" is typed into the field "{name}"'
        return Deed(element, asked, seen, (f"click {said} field", f"type {quoted(text)}"), text)
    if element.kind == "radio":
        return Deed(element, f'choose "{name}"', f'"{name}" is chosen', (f"click {said}",))
    on = not element.checked
    verb = rng.choice(("tick", "check", "turn on")) if on else rng.choice(("untick", "uncheck", "turn off"))
    seen = f'"{name}" is {"turned on" if on else "turned off"}'
    return Deed(element, f'{verb} "{name}"', seen, (f"click {said} checkbox",))


def task_of(deeds: list[Deed]) -> str:
    text = ", then ".join(deed.asked for deed in deeds)
    return text[:1].upper() + text[1:]


def do(tab: "Tab", deed: Deed, scale: float) -> Iterator[str]:
    """Do it, plan by plan; yields each plan once it is done. Drawn pages have no scripts: a switch is set here."""
    center = deed.element.box.center
    tab.mouse.click(center.x / scale, center.y / scale)
    if deed.element.kind == "switch":
        tab.evaluate(
            "([x, y]) => { const e = document.elementFromPoint(x, y)?.closest('[role=switch]');"
            " e?.setAttribute('aria-checked', e.getAttribute('aria-checked') !== 'true'); e?.classList.toggle('on'); }",
            [center.x / scale, center.y / scale],
        )
    yield deed.plans[0]
    if deed.text:
        tab.keyboard.press("Control+a")
        tab.keyboard.type(deed.text)
        yield deed.plans[1]
