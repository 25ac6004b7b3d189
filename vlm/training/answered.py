"""From records to the sequences that are trained on: planning prompts, and controls asked for on stored screens."""

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image

from action_space.dialects.compact import LOOK
from action_space.geometry import Box, Point
from vlm.training.data.records import Record
from vlm.training.data.render import Element, Screen
from vlm.training.dense import CELL, target_cells
from vlm.training.examples import (
    FIRST_X,
    FIRST_Y,
    HEAD,
    IM_END,
    TAIL,
    Example,
    acting_example,
    copies,
    encode,
    grounding_example,
    padded,
)
from vlm.training.live import FRESH, LiveTower, part_around, see_part
from vlm.training.pool import MOST_CELLS, MOST_OF_ANY, SMALL, WHOLE, Control, EncodedScreen, encode_screen, part_of
from vlm.training.pretrain import View, as_model_sees, draw_view
from vlm.training.sampled import Judged, Sampled
from vlm.training.stages import WITH_BLANKS
from vlm.training.tokenizer import GRID
from vlm.vision import VisionTower

KEPT = 1_500_000
"""Cells of encoded screens in memory, of 768 bytes each."""
CLOSE = 0.5
"""How often a tower that learns sees a part of a larger screen anew, in place of what is kept of the whole."""
LOOKED_BLANK = 0.5
"""The share of the blank cells of a screen that is kept, at most, where it is looked at for what to do: they cost as
much as the others. Now and then all are."""
_CLICK = re.compile(r"click\((\d+), (\d+)\)")
_PLACE = re.compile(r"\b(click|move|scroll|long_press)\((\d+), (\d+)")
_STEP = re.compile(r'click ("(?:[^"\\]|\\.)+")(?: (button|field|checkbox))?')


def said_example(prompt: str, answer: str) -> Example:
    """A prompt of words only and its answer, as the dialect writes both."""
    ids = HEAD + encode(prompt) + TAIL
    looks = copies(ids, answer)
    said = [*encode(answer), IM_END]
    asks = torch.arange(len(ids) - 1, len(ids) + len(said) - 1)
    ids = ids + said
    positions = torch.arange(len(ids)).expand(3, -1)
    return Example(ids, positions, asks, torch.tensor(said), looks, lengths=(len(said),))


@dataclass(frozen=True, slots=True)
class _Shown:
    """An encoded screen. view: how the stored picture is shown. controls: by name in small letters."""

    encoded: EncodedScreen
    view: View
    controls: dict[str, Control]

    @classmethod
    def of(cls, encoded: EncodedScreen, view: View) -> "_Shown":
        return cls(encoded, view, {control.element.name.lower(): control for control in encoded.controls})


class _Asked:
    """Screens and what is asked on each, by where they come from."""

    def __init__(self) -> None:
        self.on: dict[str, list[Judged]] = {}
        self._screens: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self.on)

    def add(self, one: Judged) -> None:
        name = one.record.images[0]
        if name not in self.on:
            self._screens.setdefault(one.record.source, []).append(name)
        self.on.setdefault(name, []).append(one)

    def draw(self, rng: random.Random) -> str:
        """A screen. Of a source with many screens more are drawn, but by the square root of their number, or the source
        of which it is easy to have many would crowd out the others."""
        weights = [len(names) ** 0.5 for names in self._screens.values()]
        return rng.choice(rng.choices(list(self._screens.values()), weights)[0])

    def drop(self, one: Judged) -> None:
        name = one.record.images[0]
        self.on[name].remove(one)
        if not self.on[name]:
            del self.on[name]
            for source, names in list(self._screens.items()):
                if name in names:
                    names.remove(name)
                if not names:
                    del self._screens[source]


class Questions:
    """Sampled records as examples. left_out: how many cannot be asked here, by reason.

    live: what sees small screens, and parts of larger ones, anew for each call of `pointing`, if the tower learns.
    """

    def __init__(self, sampled: Sampled, tower: VisionTower, rng: random.Random, live: LiveTower | None = None) -> None:
        self.rng, self.tower, self.live, self.screens = rng, tower, live, sampled.screens
        self.plans = [one for one in sampled.judged if not one.record.images]
        self.points, self.looks = _Asked(), _Asked()
        self.left_out: Counter[str] = Counter()
        for one in sampled.judged:
            if is_look(one.record):
                self.looks.add(one)
            elif _is_point(one.record) or _is_answered(one.record):
                self.points.add(one)
            elif one.record.images:
                self.left_out["a record that is no point on one screen"] += 1
        self._shown: dict[str, _Shown | None] = {}
        self._cells = 0

    def planning(self, tokens: int) -> list[Example]:
        """Planning prompts that are `tokens` long for the language model, all padding included, or a little more."""
        found: list[Example] = []
        while self.plans and tokens > 0:
            record = self._hard(self.plans).record
            found.append(said_example(_words(record), record.answer))
            tokens -= padded(len(found[-1].ids))
        return found

    def pointing(self, tokens: int, cells: float) -> list[Example]:
        """So much of controls on parts of screens of `cells` cells; questions about one screen come together."""
        found: list[Example] = []
        self._look_away()
        while self.points and tokens > 0:
            name = self.points.draw(self.rng)
            ones = self.points.on[name]
            chosen = self.rng.sample(ones, min(4, len(ones)))
            close = self._look_close(name, chosen[0]) if self.live and self.rng.random() < CLOSE else None
            for one in chosen:
                example = self._of_part(one, close) if close else self.point(one, self._shown_of(name, cells))
                if example is None and close is None:
                    self._forget(self.points, one)
                elif example is not None and tokens > 0:
                    found.append(example)
                    tokens -= padded(len(example.ids))
        return found

    def looking(self, tokens: int) -> list[Example]:
        """So much of what is due on a screen, given the task and what was done."""
        found: list[Example] = []
        while self.looks and tokens > 0:
            name = self.looks.draw(self.rng)
            for one in self.rng.sample(self.looks.on[name], min(2, len(self.looks.on[name]))):
                shown = self._show(name)
                example = self._looked(one.record, shown) if shown else None
                if example is None:
                    self._forget(self.looks, one)
                else:
                    found.append(example)
                    tokens -= padded(len(example.ids))
        return found

    def point(self, one: Judged, cells: float = WHOLE) -> Example | None:
        """The example of what is asked on a screen; None if its control cannot be asked for."""
        return self._of_part(one, self._show(one.record.images[0]), cells)

    def _of_part(self, one: Judged, shown: _Shown | None, cells: float = WHOLE) -> Example | None:
        if shown is not None and not _is_point(one.record):
            return self._looked(one.record, shown)
        control = _control(one.record, shown)
        if shown is None or control is None:
            return None
        return grounding_example(part_of(self.rng, shown.encoded, control, cells), self.rng, _words(one.record))

    def _looked(self, record: Record, shown: _Shown) -> Example | None:
        """What is due on a screen, given the task and what was done, or an instruction whose answer is no click on a
        control; None of a click on what is not shown in use."""
        rows, columns = shown.encoded.drawn.shape
        corners = [shown.view.of(x, y) for b in record.truth.boxes for x, y in ((b.left, b.top), (b.right, b.bottom))]
        box = Box(*corners[0], *corners[1]) if corners else Box(0, 0, columns * CELL, rows * CELL)
        area = target_cells(box, rows, columns).bool()
        if not (area & shown.encoded.known).any():
            return None
        control = Control(Element("link", "", box), box, area, area)
        blank = 1.0 if self.rng.random() < WITH_BLANKS else self.rng.random() * LOOKED_BLANK
        region = part_of(self.rng, shown.encoded, control, WHOLE, blank)
        if corners and _CLICK.fullmatch(record.answer):
            return grounding_example(region, self.rng, _words(record))
        answer = record.answer if record.answer.startswith("type(") else _in_view(record.answer, shown.view)
        return acting_example(region, _words(record), answer)

    def answered(self, one: Judged, answer: str) -> Example | None:
        """The record's prompt with another answer behind it; None if that is not written as the model writes, or the
        screen is too large to be shown whole."""
        if not one.record.images:
            return said_example(_words(one.record), answer)
        place, shown = _CLICK.fullmatch(answer), self._show(one.record.images[0])
        if place is None or shown is None or self._is_large(one.record.images[0]):
            return None
        example = self.point(one)
        if example is None or example.lengths:
            return None
        x, y = (round(pixel / GRID) for pixel in shown.view.of(int(place[1]), int(place[2])))
        answered = torch.tensor([FIRST_X + x, FIRST_Y + y, IM_END])
        ids = [*example.ids[: -len(answered)], *answered.tolist()]
        return Example(ids, example.positions, example.asks, answered, example.looks, example.region)

    def _hard(self, choices: Sequence[Judged]) -> Judged:
        """What the model gets right every time teaches little, so it comes less often."""
        return self.rng.choices(choices, weights=[1.25 - one.share for one in choices])[0]

    def _forget(self, asked: _Asked, one: Judged) -> None:
        self.left_out["a control that cannot be asked for"] += 1
        asked.drop(one)

    def _shown_of(self, name: str, cells: float) -> float:
        """How many cells of a screen to show if there should be about so many."""
        shown = self._show(name)
        if shown is not None and shown.encoded.drawn.numel() <= SMALL:
            return WHOLE
        # A step's memory grows with the square of its cells.
        return min(cells, MOST_CELLS) if self._is_large(name) else cells

    def _is_large(self, name: str) -> bool:
        shown = self._show(name)
        return shown is not None and shown.encoded.drawn.numel() > MOST_CELLS

    def _show(self, name: str) -> _Shown | None:
        if name not in self._shown:
            while self._shown and (len(self._shown) >= FRESH if self.live else self._cells >= KEPT):
                self._cells -= _cells(self._shown.pop(next(iter(self._shown))))
            self._shown[name] = self._encode(self._with_steps(name))
            self._cells += _cells(self._shown[name])
        return self._shown[name]

    def _with_steps(self, name: str) -> Screen:
        """A stored screen; what a step there clicks is a control too, though the page may call it none: a colour."""
        stored = self.screens[name]
        found = {element.name.lower(): element for element in stored.elements}
        steps = (clicked(one.record) for one in self.points.on.get(name, ()))
        more = {e.name.lower(): e for e in steps if e is not None and e.name.lower() not in found}
        return replace(stored, elements=(*stored.elements, *more.values()))

    def _look_away(self) -> None:
        """Forget what a tower that learns saw for the step before."""
        for name, shown in list(self._shown.items()) if self.live else ():
            if shown is not None and shown.encoded.drawn.numel() <= SMALL:
                self._cells -= _cells(self._shown.pop(name))

    def _encode(self, stored: Screen) -> _Shown | None:
        image, screen, view = self._load(stored)
        live = self.live if view.size.width * view.size.height <= SMALL * CELL**2 else None
        with nullcontext() if live else torch.no_grad():
            encoded = encode_screen(self.tower, image, screen, MOST_OF_ANY, bare=True, hold=live.hold if live else None)
        return _Shown.of(encoded, view) if encoded else None

    def _look_close(self, name: str, one: Judged) -> _Shown | None:
        """The part of a screen around what is asked for, seen anew; None of a small screen, which is seen so anyway."""
        image, screen, view = self._load(self._with_steps(name))
        wanted = _name(one.record).lower()
        element = next((element for element in screen.elements if element.name.lower() == wanted), None)
        if self.live is None or element is None or image.shape[0] * image.shape[1] <= SMALL * CELL**2:
            return None
        part = part_around(self.rng, image, element.box.center)
        encoded = see_part(self.live, image, screen, part)
        dx, dy = part.offset
        return _Shown.of(encoded, replace(view, offset=(view.offset[0] + dx, view.offset[1] + dy))) if encoded else None

    def _load(self, stored: Screen) -> tuple[np.ndarray, Screen, View]:
        """A stored picture `[H, W, 3]` and its labels in a view drawn by chance."""
        with Image.open(stored.image) as image:
            picture = image.convert("RGB")
        view = draw_view(self.rng, *picture.size)
        seen, screen = as_model_sees(picture, stored, view)
        return np.asarray(seen), screen, view


def _cells(shown: _Shown | None) -> int:
    return shown.encoded.drawn.numel() if shown else 0


def is_look(record: Record) -> bool:
    """Whether it asks what is due on a screen: its prompt is the task and what was done."""
    return record.kind == "agent" and record.form == LOOK and len(record.images) == 1


def _in_view(call: str, view: View) -> str:
    """A call whose places, pixels of the stored picture, are where they are in a view, a click's on the grid."""

    def moved(match: re.Match[str]) -> str:
        x, y = view.of(int(match[2]), int(match[3]))
        if match[1] == "click":
            x, y = GRID * round(x / GRID), GRID * round(y / GRID)
        return f"{match[1]}({x}, {y}"

    return _PLACE.sub(moved, call)


def clicked(record: Record) -> Element | None:
    """What an agent's step clicks, by the name that its plan gives it; None for any other record."""
    step = _STEP.fullmatch(_words(record))
    if record.kind != "agent" or len(record.images) != 1 or len(record.truth.boxes) != 1 or step is None:
        return None
    return Element(step[2] or "link", str(json.loads(step[1])), record.truth.boxes[0])


def _is_point(record: Record) -> bool:
    grounding = record.kind == "grounding" and len(record.images) == 1 and bool(record.truth.boxes)
    return grounding or clicked(record) is not None


def _is_answered(record: Record) -> bool:
    """Whether it is an instruction on one screen that is answered by anything else: by where to move, or that its
    target is not there."""
    return record.kind in ("agent", "grounding") and len(record.images) == 1


def _control(record: Record, shown: _Shown | None) -> Control | None:
    control = shown.controls.get(_name(record).lower()) if shown else None
    return control if shown and control and _meets(control.box, record, shown.view) else None


def _meets(box: Box, record: Record, view: View) -> bool:
    """Whether a control in a view is what a step clicks: the page may have another one of the name that its plan
    uses."""
    element = clicked(record)
    return element is None or box.contains(Point(*view.of(element.box.center.x, element.box.center.y)))


def _words(record: Record) -> str:
    return "".join(part for part in record.prompt if isinstance(part, str))


def _name(record: Record) -> str:
    element = clicked(record)
    if element is not None:
        return element.name
    return record.truth.texts[0] if record.truth.texts else ""
