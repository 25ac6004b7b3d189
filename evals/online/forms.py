"""A form page for every seed, with a task in plain words and the state that the page must end in.

The same seed gives the same page and task. Only what the task names may be set: everything else stays as it was.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from random import Random
from string import Template
from typing import Literal

from evals.online.styles import Style, draw_style
from evals.online.topics import TOPICS, Topic

TEXT_PHRASES = (
    'type "{value}" into "{label}"',
    'enter "{value}" in the "{label}" field',
    'fill in "{label}" with "{value}"',
)
TICK_PHRASES = ('tick "{label}"', 'check the box "{label}"', 'tick the checkbox "{label}"')
CHOICE_PHRASES = ('choose "{value}"', 'select "{value}" for "{label}"', 'pick the option "{value}"')
PRESS_PHRASES = ('press "{label}"', 'click "{label}"', 'press the "{label}" button')

Kind = Literal["text", "tick", "choice", "press"]


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing the task asks for. value: the text to type, the radio label to choose, or ""."""

    kind: Kind
    label: str
    value: str = ""

    def in_words(self, phrase: str) -> str:
        return phrase.format(label=self.label, value=self.value)


@dataclass(frozen=True, slots=True)
class Form:
    """A page and its task. fields, ticks, choices, buttons: everything on the page, in order of reading."""

    seed: int
    topic: Topic
    fields: tuple[str, ...]
    ticks: tuple[str, ...]
    choices: tuple[str, ...]
    buttons: tuple[str, ...]
    deeds: tuple[Deed, ...]
    task: str
    style: Style

    def wanted(self) -> dict[str, object]:
        """The state in which the page says that the task was done."""
        return {
            "fields": {label: self._value("text", label) for label in self.fields},
            "ticks": {
                label: any(deed.kind == "tick" and deed.label == label for deed in self.deeds) for label in self.ticks
            },
            "choices": {label: self._value("choice", label) for label in self.choices},
            "button": self.deeds[-1].label,
        }

    def _value(self, kind: Kind, label: str) -> str:
        return next((deed.value for deed in self.deeds if (deed.kind, deed.label) == (kind, label)), "")


def draw_form(seed: int) -> Form:
    """The form of a seed."""
    rng = Random(f"form {seed}")
    topic = rng.choice(TOPICS)
    fields = _some(rng, topic.fields, rng.choice((2, 2, 3)))
    ticks = _some(rng, topic.ticks, rng.choice((2, 3, 3)))
    choices = _some(rng, topic.choices, 1)
    buttons = [rng.choice(topic.submit), rng.choice(topic.other)]
    deeds = [
        *(Deed("text", label, rng.choice(topic.fields[label])) for label in _some(rng, fields, rng.choice((1, 1, 2)))),
        *_draw_options(rng, topic, ticks, choices),
        Deed("press", buttons[0]),
    ]
    if rng.random() < 0.5:
        buttons.reverse()
    return Form(
        seed=seed,
        topic=topic,
        fields=tuple(fields),
        ticks=tuple(ticks),
        choices=tuple(choices),
        buttons=tuple(buttons),
        deeds=tuple(deeds),
        task=_in_words(rng, deeds),
        style=draw_style(rng),
    )


def _some(rng: Random, pool: Sequence[str] | dict[str, tuple[str, ...]], count: int) -> list[str]:
    """`count` of the pool, in the pool's order."""
    labels = list(pool)
    chosen = set(rng.sample(labels, count))
    return [label for label in labels if label in chosen]


def _draw_options(rng: Random, topic: Topic, ticks: list[str], choices: list[str]) -> list[Deed]:
    """A box to tick, an option to choose, or both."""
    tick = Deed("tick", rng.choice(ticks))
    choice = Deed("choice", choices[0], rng.choice(topic.choices[choices[0]]))
    return rng.choice(([tick], [tick], [choice], [choice], [tick, choice]))


def _in_words(rng: Random, deeds: Sequence[Deed]) -> str:
    phrases = {"text": TEXT_PHRASES, "tick": TICK_PHRASES, "choice": CHOICE_PHRASES, "press": PRESS_PHRASES}
    chosen = {kind: rng.choice(options) for kind, options in phrases.items()}
    *first, last = (deed.in_words(chosen[deed.kind]) for deed in deeds)
    sentence = rng.choice(
        (
            f"{', '.join(first)} and {last}.",
            f"{', '.join(first)}, then {last}.",
            f"please {', '.join(first)} and then {last}.",
            f"{'. '.join(_capital(part) for part in [*first, last])}.",
        )
    )
    return _capital(sentence)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# ----------------------------------------------------------------------------------------------------------- the page


def render(form: Form) -> str:
    """The HTML of a form. It needs no network; its verdict is posted to `verdict` beside it."""
    template = Template(files("evals.online").joinpath("form.html").read_text("utf-8"))
    spec = {"wanted": form.wanted(), "thanks": form.topic.thanks}
    return template.substitute(
        site=escape(form.topic.site),
        title=escape(form.topic.title),
        lead=escape(form.topic.lead),
        classes=form.style.classes,
        style=form.style.style,
        fields="\n".join(_field(label, number) for number, label in enumerate(form.fields)),
        options="\n".join([_ticks(form.ticks), *(_choice(form, label) for label in form.choices)]),
        buttons="\n".join(_button(form, label) for label in form.buttons),
        # "</script>" inside a label must not end the script.
        spec=json.dumps(spec).replace("<", "\\u003c"),
    )


def _field(label: str, number: int) -> str:
    text = escape(label)
    return (
        f'<div class="field"><label for="field{number}">{text}</label>'
        f'<input id="field{number}" type="text" data-field="{text}" autocomplete="off" spellcheck="false"></div>'
    )


def _ticks(labels: Sequence[str]) -> str:
    boxes = "".join(
        f'<label class="option"><input type="checkbox" data-tick="{escape(label)}"><span>{escape(label)}</span></label>'
        for label in labels
    )
    return f'<div class="options">{boxes}</div>'


def _choice(form: Form, legend: str) -> str:
    radios = "".join(
        f'<label class="option"><input type="radio" name="{escape(legend)}" value="{escape(label)}" '
        f'data-choice="{escape(legend)}"><span>{escape(label)}</span></label>'
        for label in form.topic.choices[legend]
    )
    return f'<fieldset class="options"><legend>{escape(legend)}</legend>{radios}</fieldset>'


def _button(form: Form, label: str) -> str:
    kind = ("submit", "primary") if label in form.topic.submit else ("button", "secondary")
    return f'<button type="{kind[0]}" class="{kind[1]}" value="{escape(label)}">{escape(label)}</button>'
