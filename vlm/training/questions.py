"""What the model is asked: where a control is, and what to do next.

Grounding: an instruction and the control it means. Planning: a task in plain words, the steps behind it, and the next
instruction. The texts are those of the `compact` dialect.
"""

import json
import random
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from action_space.dialects.base import NOT_THERE, NOTHING_CHANGED
from action_space.dialects.compact import LOOK
from vlm.training.data.render import Screen
from vlm.training.data.words import Words

_TYPE = ("type", "enter", "write", "put", "fill in", "input")
_PRESS = ("press", "click", "hit", "click on", "push", "press the button", "select")
_TICK = ("tick", "check", "select", "enable", "mark", "turn on", "switch on", "activate")
_CHOOSE = ("choose", "pick", "select", "set", "take")
_OPEN = ("open", "go to", "click", "follow", "click on", "visit")
_SENDS = ("Submit", "Ok", "Save", "Send", "Search", "Cancel", "Next", "Continue", "Apply", "Done", "Delete", "Finish")
"""Names that only a button has, so that people need not say that they mean one."""
_SMALL = ("of", "on", "in", "to", "for", "by", "with", "and", "or", "at", "from", "as", "per")
_QUOTES = (('"', '"'),) * 6 + (("'", "'"), ("“", "”"), ("`", "`"), ("«", "»"))
LONGEST_NAME = 48
NOUNS = {
    "button": ("button",),
    "link": ("link", "menu item", "entry"),
    "field": ("field", "input", "text field", "box", "input field", "textbox"),
    "select": ("field", "list", "dropdown", "select box", "menu"),
    "checkbox": ("checkbox", "check box", "box", "option"),
    "radio": ("option", "radio button", "choice"),
    "switch": ("switch", "toggle", "option"),
    "tab": ("tab",),
}
_VERBS = {
    "button": _PRESS,
    "link": _OPEN,
    "field": ("click", "focus", "go to", "select"),
    "select": ("open", "click"),
    "checkbox": _TICK,
    "radio": _CHOOSE,
    "switch": _TICK,
    "tab": _OPEN,
}
PLAN_NOUNS = {
    "button": "button",
    "field": "field",
    "select": "field",
    "checkbox": "checkbox",
    "switch": "checkbox",
    "radio": "",
    "link": "",
    "tab": "",
}
"""The word that a plan puts behind a control's name, so far as the task tells what it is."""


NOTHING, AWAY = f" ({NOTHING_CHANGED})", f" ({NOT_THERE})"
"""What a prompt says behind a step that had no effect, and behind one whose target was not seen."""
SOUGHT = 0.06
"""How often a target is scrolled for."""


def quoted(text: str) -> str:
    """As a plan writes it: JSON string, letters of every language kept."""
    return json.dumps(text, ensure_ascii=False)


def askable(screen: Screen) -> list[int]:
    """Numbers of the controls of a screen that a name of at most `LONGEST_NAME` letters tells from all others there."""
    names = Counter(element.name.lower() for element in screen.elements)
    return [
        number
        for number, e in enumerate(screen.elements)
        if e.kind in NOUNS and e.name and len(e.name) <= LONGEST_NAME and names[e.name.lower()] == 1
    ]


def instruction(rng: random.Random, kind: str, name: str) -> str:
    """Words that mean one control; mostly as a plan writes them."""
    roll = rng.random()
    if roll < 0.7:
        noun = PLAN_NOUNS[kind] if rng.random() < 0.6 else ""
        return f"click {quoted(name)} {noun}".strip()
    verb, noun = rng.choice(("click", *_VERBS[kind])), rng.choice(NOUNS[kind])
    opening, closing = rng.choice(_QUOTES) if rng.random() < 0.7 else ("", "")
    said = f"{opening}{name}{closing}"
    form = rng.choice(
        (
            f"{verb} {said}",
            f"{verb} the {said} {noun}",
            f"{said} {noun}",
            f"the {said} {noun}",
            said,
            f"{verb} {noun} {said}",
        )
    )
    return form[:1].upper() + form[1:] if rng.random() < 0.4 else form


@dataclass(frozen=True, slots=True)
class PlanQuestion:
    """A planning prompt (the user's turn) up to its question, and the instruction that is due.

    task: the first line. behind: what was done, oldest first: an instruction, and what came of it ("" for nothing bad).
    """

    task: str
    behind: tuple[tuple[str, str], ...]
    answer: str


@dataclass(frozen=True, slots=True)
class _Clause:
    words: str
    plans: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Topic:
    """What a clause is about: chance, words to draw from, a control's name, and how this clause quotes."""

    rng: random.Random
    words: Words
    name: str
    said: Callable[[str], str]
    value: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """What a task wants done with one control. value: what to type into a field, or to choose from a list."""

    kind: str
    name: str
    value: str = ""


def task_about(rng: random.Random, words: Words, deeds: Sequence[Deed]) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """A task in plain words that asks for these deeds in their order, and the plans of each of them."""
    marks = rng.choice(_QUOTES)
    clauses = [_clause(rng, words, _MAKER_OF[deed.kind], marks, deed) for deed in deeds]
    return _task(rng, [clause.words for clause in clauses]), tuple(clause.plans for clause in clauses)


def plan_question(rng: random.Random, words: Words, most: int = 5) -> PlanQuestion:
    """A task of one to `most` parts (five at most), some of which are done."""
    parts = rng.choices((1, 2, 3, 4, 5)[:most], weights=(3, 3, 5, 4, 2)[:most])[0]
    # Most people quote alike all through a task, and most forms end with a button.
    marks = rng.choice(_QUOTES) if rng.random() < 0.7 else None
    makers = rng.choices(list(_MAKERS), weights=list(_MAKERS.values()), k=parts)
    if parts > 1 and rng.random() < 0.3:
        makers[-1] = _button
    clauses = [_clause(rng, words, maker, marks or _marks(rng)) for maker in makers]
    plans = [plan for clause in clauses for plan in clause.plans] + ["done"]
    due = rng.randrange(len(plans))
    task = f"Task: {_task(rng, [clause.words for clause in clauses])}"
    behind: list[tuple[str, str]] = []
    for number, plan in enumerate(plans[:due]):
        misses = rng.choices((0, 1, 2), weights=(92, 5, 3))[0] if plan.startswith("click") else 0
        behind += [(plan, NOTHING)] * misses
        if misses == 2 and _opens(plan, plans[number + 1]):
            continue  # what there is to choose from may be on the screen already
        if misses and number == due - 1:
            return PlanQuestion(task, tuple(behind), plan)
        behind += [*_sought(rng, plan), (plan, "")]
    behind += (sought := _sought(rng, plans[due]))
    match rng.randrange(4) if sought else 3:
        case 0:  # there is nothing further down
            return PlanQuestion(task, (*behind[:-1], (behind[-1][0], NOTHING)), LOOK)
        case 1:
            return PlanQuestion(task, (*behind, sought[0]), "scroll down")
        case 2:
            return PlanQuestion(task, tuple(behind[:-1]), "scroll down")
        case _:
            return PlanQuestion(task, tuple(behind), plans[due])


def _sought(rng: random.Random, plan: str) -> list[tuple[str, str]]:
    """What was done until a plan's target was in view, if it was not at first."""
    if not plan.startswith("click") or rng.random() > SOUGHT:
        return []
    return [(plan, AWAY), ("scroll down", "")] * rng.choices((1, 2, 3), (6, 3, 1))[0]


def _opens(plan: str, following: str) -> bool:
    """Whether a plan opens a list, from which the next one chooses."""
    return plan.endswith(" field") and following.startswith("click")


def _task(rng: random.Random, parts: list[str]) -> str:
    style = rng.random()
    if style < 0.3 and len(parts) > 1:
        text = ", ".join(parts[:-1]) + rng.choice((" and ", ", and ", ", then ", " then ", ", and then ")) + parts[-1]
    elif style < 0.5:
        text = rng.choice((", then ", "; ", " and ", ", ", " and then ")).join(parts)
    elif style < 0.8:
        text = ". ".join(part[:1].upper() + part[1:] for part in parts) + rng.choice((".", "", "."))
        return rng.choice(("", "", "", "Please do this: ", "On this page: ")) + text
    else:
        firsts = ("first ", "") if rng.random() < 0.5 else ("", "")
        text = firsts[0] + rng.choice((". Then ", ", then ", ". After that, ", ". Next, ")).join(parts)
    if rng.random() < 0.15:
        text = rng.choice(("please ", "I want you to ", "now ", "on this form, ", "on the page, ")) + text
    if rng.random() < 0.75:
        text = text[:1].upper() + text[1:]
    return text + (rng.choice((".", ".", "!", "")) if rng.random() < 0.7 else "")


def _marks(rng: random.Random) -> tuple[str, str]:
    return rng.choice(_QUOTES) if rng.random() < 0.7 else ("", "")


def _clause(
    rng: random.Random,
    words: Words,
    maker: Callable[["_Topic"], _Clause],
    marks: tuple[str, str],
    deed: Deed | None = None,
) -> _Clause:
    opening, closing = marks

    def said(text: str) -> str:
        return f"{opening}{text}{closing}"

    name, value = (deed.name, deed.value) if deed else (_name(rng, words), "")
    if deed is None and maker is _button and rng.random() < 0.35:
        name = rng.choice(_SENDS)
        name = name.lower() if rng.random() < 0.3 else name
    return maker(_Topic(rng, words, name, said, value))


def _name(rng: random.Random, words: Words) -> str:
    """A label, a code such as "xK3" or "Tab #2", or words that small ones hold together: "Number of guests"."""
    roll = rng.random()
    if roll < 0.68:
        return words.label()
    if roll < 0.8:
        return _code(rng, words)
    small = rng.choice(_SMALL) + (f" {rng.choice(('a', 'the', 'my', 'your'))}" if rng.random() < 0.3 else "")
    text = f"{words.word().lower()} {small} {words.word().lower()}"
    return text[:1].upper() + text[1:]


def _code(rng: random.Random, words: Words) -> str:
    """A name that is no word: nothing but its letters tells where it begins and ends."""
    if rng.random() < 0.3:
        return f"{words.word().capitalize()} {rng.choice(('#', '', 'No. '))}{rng.randint(1, 20)}"
    return "".join(rng.choices(string.ascii_letters + string.digits, k=rng.randint(2, 8)))


def _word(_rng: random.Random, words: Words) -> str:
    return words.label(1)


def _value(rng: random.Random, words: Words) -> str:
    """What people type into forms."""
    first, second = words.word().capitalize(), words.word().capitalize()
    street = rng.choice(("Street", "Road", "Lane", "Avenue", "Square", "Way"))
    return rng.choice(
        (
            lambda: str(rng.randint(1, 30)),
            lambda: f"{first} {second}",
            lambda: f"{first} {street} {rng.randint(1, 299)}",
            lambda: f"{rng.randint(1, 299)} {first} {street}",
            lambda: f"{rng.randint(100, 999)} {rng.randint(1000, 9999)}",
            *(words.value,) * 7,
            *(words.label,) * 4,
        )
    )()


def _fill(topic: _Topic) -> _Clause:
    rng, words, name, said = topic.rng, topic.words, topic.name, topic.said
    value = topic.value or _value(rng, words)
    noun = rng.choice(("", "", " field", " box", " input", " text field"))
    the = rng.choice(("", "the ")) if noun else ""
    verb = rng.choice(_TYPE)
    into = rng.choice(("into", "in", "as", "for")) if verb != "type" else rng.choice(("into", "in"))
    text = rng.choice(
        (f"{verb} {said(value)} {into} {the}{said(name)}{noun}",) * 3
        + (
            f"fill {the}{said(name)}{noun} with {said(value)}",
            f"set {the}{said(name)}{noun} to {said(value)}",
            f"fill in {the}{said(name)}{noun} with {said(value)}",
            f"click {the}{said(name)}{noun} and type {said(value)}",
            f"enter {said(value)} as the {said(name)}",
        )
    )
    return _Clause(text, (f"click {quoted(name)} field", f"type {quoted(value)}"))


def _tick(topic: _Topic) -> _Clause:
    rng, name, said = topic.rng, topic.name, topic.said
    verb = rng.choice(_TICK)
    if verb == "select" or rng.random() < 0.5:
        noun = rng.choice(("checkbox", "check box", "switch"))
        text = (
            f"{verb} the {said(name)} {noun}"
            if rng.random() < 0.6
            else f"{verb} the {rng.choice((noun, 'box'))} {said(name)}"
        )
    else:
        text = f"{verb} {said(name)}"
    return _Clause(text, (f"click {quoted(name)} checkbox",))


def _choose(topic: _Topic) -> _Clause:
    rng, name, said = topic.rng, topic.name, topic.said
    verb, noun = rng.choice(("choose", "pick", "choose", "select")), rng.choice(("option", "radio button"))
    form = rng.choice(
        (f"{verb} {said(name)}",) * 2 + (f"{verb} the {said(name)} {noun}", f"{verb} the {noun} {said(name)}")
    )
    return _Clause(form, (f"click {quoted(name)}",))


def _tick_several(topic: _Topic) -> _Clause:
    """Names in a row behind one verb: "Select a, b and c"."""
    rng, words, said = topic.rng, topic.words, topic.said
    # Most lists are of one kind: all codes, or all words.
    make = rng.choice((_code, _name, _word))
    names = [make(rng, words) for _ in range(rng.choices((2, 3, 4, 5, 7), weights=(4, 4, 2, 2, 1))[0])]
    *firsts, last = [said(name) for name in names]
    listed = f"{', '.join(firsts)}{rng.choice((', ', ' and ', ', and '))}{last}"
    noun = rng.choice(("", "", "", " the checkboxes", " the boxes", " the options"))
    return _Clause(f"{rng.choice(_TICK)}{noun} {listed}", tuple(f"click {quoted(name)} checkbox" for name in names))


def _button(topic: _Topic) -> _Clause:
    rng, name, said = topic.rng, topic.name, topic.said
    form = rng.choice(
        (
            f"press {said(name)}",
            f"press the {said(name)} button",
            f"click the {said(name)} button",
            f"hit {said(name)}",
            f"push the {said(name)} button",
            f"press the button {said(name)}",
            f"submit with {said(name)}",
            f"finish with {said(name)}",
        )
        + ((f"click {said(name)}", f"click on {said(name)}") * 2 if name.capitalize() in _SENDS else ())
    )
    return _Clause(form, (f"click {quoted(name)} button",))


def _link(topic: _Topic) -> _Clause:
    rng, name, said = topic.rng, topic.name, topic.said
    form = rng.choice(
        (
            f"click {said(name)}",
            f"click on {said(name)}",
            f"open {said(name)}",
            f"go to {said(name)}",
            f"open the {said(name)} link",
            f"switch to the {said(name)} tab",
        )
    )
    return _Clause(form, (f"click {quoted(name)}",))


def _pick_from(topic: _Topic) -> _Clause:
    rng, words, name, said = topic.rng, topic.words, topic.name, topic.said
    option = topic.value or words.label(2)
    form = rng.choice(
        (
            f"choose {said(option)} from {said(name)}",
            f"select {said(option)} in {said(name)}",
            f"pick {said(option)} in the {said(name)} list",
            f"{rng.choice(('choose', 'select', 'pick'))} {said(option)} for {said(name)}",
            f"{rng.choice(('choose', 'select', 'pick'))} {said(option)} as {said(name)}",
            f"set the {said(name)} dropdown to {said(option)}",
        )
    )
    return _Clause(form, (f"click {quoted(name)} field", f"click {quoted(option)}"))


def _key(topic: _Topic) -> _Clause:
    rng = topic.rng
    key = rng.choice(("enter", "tab", "escape", "down", "up", "space", "page_down"))
    article = "the " if rng.random() < 0.3 else ""
    shown = rng.choice((key, key.capitalize())).replace("_", " ")
    return _Clause(f"press {article}{shown}{rng.choice(('', ' key'))}", (f"press {quoted(key)}",))


_MAKERS = {_fill: 9, _tick: 5, _tick_several: 2, _choose: 4, _button: 8, _link: 4, _pick_from: 3, _key: 1}
"""How clauses are written, and how often each."""
_MAKER_OF = {
    "button": _button,
    "link": _link,
    "field": _fill,
    "select": _pick_from,
    "checkbox": _tick,
    "radio": _choose,
    "switch": _tick,
    "tab": _link,
}
