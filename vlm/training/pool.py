"""Encoded crops to ask questions about: the frozen tower runs once a crop, and many questions share the result."""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from action_space.geometry import Box
from vlm.images import normalised, patches_of
from vlm.training.data.render import Element, Screen
from vlm.training.dense import CELL, target_cells
from vlm.training.pretrain import Crops
from vlm.vision import VisionTower

SCREENS = (
    (46, 26, 8),
    (69, 39, 2),
    (23, 17, 2),
    (16, 16, 2),
    (37, 27, 2),
    (29, 21, 2),
    (49, 27, 2),
    (13, 23, 2),
    (39, 86, 2),
)
"""Columns and rows of the screens in which a crop may pretend to lie, and how often."""


@dataclass(frozen=True, slots=True)
class EncodedCrop:
    """Visual tokens `[rows, columns, width]` of a crop, and the controls that lie inside it (crop pixels)."""

    tokens: Tensor
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """Part of an encoded crop, placed on a screen of `screen` (rows, columns) at `at` (row, column), in cells.

    tokens: `[rows, columns, width]`. box: the target, in pixels of that screen.
    """

    tokens: Tensor
    at: tuple[int, int]
    screen: tuple[int, int]
    box: Box
    element: Element


@dataclass(frozen=True, slots=True)
class Named:
    """A control whose name stands inside it, and the mean `[width]` of its visual tokens."""

    element: Element
    mean: Tensor


NAMED_INSIDE = ("button", "link", "tab")
"""Kinds of control that show their name; a field's or a checkbox's stands beside it."""


class Pool:
    """A growing set of encoded crops, and of the controls there whose name can be read in themselves."""

    def __init__(self, screens: Path, tower: VisionTower, seed: int) -> None:
        self.rng = random.Random(seed)
        self.source = Crops(screens, seed, start=1, grow=0)
        self.tower = tower
        self.crops: list[EncodedCrop] = []
        self.named: list[Named] = []
        self.whole = False
        self._next = 0

    def clear(self, *, whole: bool = False) -> None:
        """Forget all crops. whole: those to come are whole screens."""
        self.whole = whole
        self.crops.clear()
        self.named.clear()

    @torch.no_grad()
    def grow(self, crops: int) -> None:
        """Encode that many further crops: whole screens, or at most 20 x 16 cells each."""
        wanted = len(self.crops) + crops
        while len(self.crops) < wanted:
            number = self.source.order[self._next % len(self.source.order)]
            self._next += 1
            image, _ = self.source.load(number)
            crop = self._encode(image, self._elements(number))
            self.source.forget(number)
            if crop.elements:
                self.crops.append(crop)
                self.named += _named(crop)

    def _elements(self, number: int) -> tuple[Element, ...]:
        screen: Screen = self.source.seen_screens[number]
        return tuple(e for e in screen.elements if e.name)

    def _encode(self, image: np.ndarray, elements: tuple[Element, ...]) -> EncodedCrop:
        columns, rows = image.shape[1] // CELL, image.shape[0] // CELL
        width = (columns if self.whole else min(columns, self.rng.randint(12, 20))) * CELL
        height = (rows if self.whole else min(rows, self.rng.randint(10, 16))) * CELL
        center = self.rng.choice(elements).box.center if elements else Box(0, 0, 2, 2).center
        left = min(max(center.x - self.rng.randrange(width), 0), image.shape[1] - width)
        top = min(max(center.y - self.rng.randrange(height), 0), image.shape[0] - height)
        frames = (
            torch.from_numpy(normalised(image[top : top + height, left : left + width]))
            .permute(2, 0, 1)[None]
            .bfloat16()
        )
        tokens = self.tower(patches_of(frames.expand(2, -1, -1, -1)), [(1, height // 14, width // 14)])
        return EncodedCrop(tokens.view(height // CELL, width // CELL, -1), _inside(elements, left, top, width, height))

    def region(self, cells: float) -> Region:
        """A region of about `cells` cells around a random control, somewhere on a random screen."""
        rng = self.rng
        crop = rng.choice(self.crops)
        element = rng.choice(crop.elements)
        rows, columns, _ = crop.tokens.shape
        top, bottom = _span(
            rng,
            element.box.top,
            element.box.bottom,
            rows,
            max(3, round(cells**0.5 * 0.8)),
            label_cells=3 if element.kind in ("field", "select") else 0,
        )
        left, right = _span(
            rng,
            element.box.left,
            element.box.right,
            columns,
            max(4, round(cells**0.5 * 1.25)),
            label_cells=8 if element.kind in ("field", "select", "checkbox", "radio", "switch") else 0,
        )
        if element.kind in ("checkbox", "radio", "switch"):
            right = min(columns, max(right, element.box.right // CELL + 7))
        wide, tall, _ = rng.choices(SCREENS, weights=[often for *_, often in SCREENS])[0]
        wide, tall = max(wide, right - left), max(tall, bottom - top)
        at = rng.randint(0, tall - (bottom - top)), rng.randint(0, wide - (right - left))
        dx, dy = (at[1] - left) * CELL, (at[0] - top) * CELL
        box = Box(element.box.left + dx, element.box.top + dy, element.box.right + dx, element.box.bottom + dy)
        return Region(crop.tokens[top:bottom, left:right], at, (tall, wide), box, element)


def _named(crop: EncodedCrop) -> list[Named]:
    rows, columns, _ = crop.tokens.shape
    shown = [element for element in crop.elements if element.kind in NAMED_INSIDE]
    return [Named(e, crop.tokens[target_cells(e.box, rows, columns).bool()].mean(0)) for e in shown]


def _span(rng: random.Random, start: int, end: int, limit: int, length: int, label_cells: int) -> tuple[int, int]:
    """A run of cells that holds [start, end) pixels and `label_cells` cells before, grown to `length` at random."""
    first, last = max(0, start // CELL - label_cells), min(limit, (end - 1) // CELL + 1)
    spare = max(0, length - (last - first))
    before = rng.randint(0, spare)
    return max(0, first - before), min(limit, last + spare - before)


def _inside(elements: tuple[Element, ...], left: int, top: int, width: int, height: int) -> tuple[Element, ...]:
    """Controls wholly inside a crop whose name no other control there has, in its pixels."""
    moved = [
        Element(e.kind, e.name, Box(e.box.left - left, e.box.top - top, e.box.right - left, e.box.bottom - top))
        for e in elements
    ]
    kept = [e for e in moved if e.box.left >= 0 and e.box.top >= 0 and e.box.right <= width and e.box.bottom <= height]
    names = [e.name.lower() for e in kept]
    return tuple(e for e in kept if names.count(e.name.lower()) == 1 and len(e.name) <= 48)
