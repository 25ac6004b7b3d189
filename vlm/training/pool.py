"""Encoded screens to ask questions about: the frozen tower runs once a screen, and many questions share the result."""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from action_space.geometry import Box
from vlm.images import normalised, patches_of
from vlm.training.data.render import Element, Screen
from vlm.training.dense import CELL, DenseTargets, ScreenLabels, dense_targets, label_of, letters_of, target_cells
from vlm.training.pretrain import Crops
from vlm.vision import VisionTower

SCREENS = ((46, 26, 8), (69, 39, 2), (23, 17, 2), (16, 16, 2), (37, 27, 2), (29, 21, 2), (49, 27, 2), (39, 86, 2))
"""Columns and rows of the screens in which a region may pretend to lie, and how often."""
CROPS, CROP_ROWS, CROP_COLUMNS = 4, 16, 20
"""How many parts of a screen are encoded, of so many cells: one shape, because a CPU is slow at the first of each."""
WHOLE = 100_000
"""More cells than any screen has."""
INSET = 1.5 * CELL
"""How far inside a control a click should be, in pixels, if the control is large enough."""


@dataclass(frozen=True, slots=True)
class Control:
    """A control of an encoded screen, in its pixels.

    area: the cells in which its name is written, or those of its box. box: where a click reaches it. label: where its
    name is written, on one line, or its box.
    """

    element: Element
    area: Tensor
    box: Box
    label: Box

    @property
    def middle(self) -> tuple[float, float]:
        """Of its name (x, y)."""
        return (self.label.left + self.label.right) / 2, (self.label.top + self.label.bottom) / 2

    @property
    def aim(self) -> tuple[float, float]:
        """Where to click it (x, y): the point of its box, well inside, that is nearest to the middle of its name.

        The middle of a wide field is far from the label by which it is found, and so is harder to tell from there.
        """
        x, y = self.middle
        return well_inside(x, self.box.left, self.box.right), well_inside(y, self.box.top, self.box.bottom)


@dataclass(frozen=True, slots=True)
class EncodedScreen:
    """Visual tokens `[rows, columns, width]`, which cells `[rows, columns]` show anything, the controls, and all that
    the tokens should tell."""

    tokens: Tensor
    drawn: Tensor
    controls: tuple[Control, ...]
    targets: DenseTargets


@dataclass(frozen=True, slots=True)
class Region:
    """Some cells of a screen of `screen` (rows, columns), and controls there to ask for, one at least.

    tokens `[n, width]`; places `[n, 2]`: row and column of each, row-major; areas of the controls `[n]`.
    """

    tokens: Tensor
    places: Tensor
    screen: tuple[int, int]
    controls: tuple[Control, ...]


class Pool:
    """A growing set of encoded screens. A tower that is trained gets its gradients through them.

    whole: encode screens of up to so many cells as they are; otherwise up to `CROPS` parts of each, which is several
    times faster.
    """

    def __init__(self, screens: Path, tower: VisionTower, seed: int, *, whole: int = 0) -> None:
        self.rng = random.Random(seed)
        self.source = Crops(screens, seed, start=1)
        self.tower = tower
        self.whole = whole
        self.screens: list[EncodedScreen] = []
        self._next = 0

    def advance(self) -> None:
        """Encode the next screen, and forget all others."""
        self.screens.clear()
        self.grow()

    def grow(self) -> None:
        """Encode the next screen on which there is something to ask for."""
        before = len(self.screens)
        while len(self.screens) == before:
            number = self.source.order[self._next % len(self.source.order)]
            self._next += 1
            image, labels = self.source.load(number)
            self._add(image, self.source.seen_screens[number], labels)
            self.source.forget(number)

    def _add(self, image: np.ndarray, screen: Screen, labels: ScreenLabels) -> None:
        rows, columns = image.shape[0] // CELL, image.shape[1] // CELL
        if self.whole and rows * columns > self.whole:
            return
        image = image[: rows * CELL, : columns * CELL]
        letters = letters_of(screen)
        controls = []
        for element in _plainly_named(screen.elements, columns * CELL, rows * CELL):
            label = label_of(element, screen, letters)
            box = element.label or element.box
            area = target_cells(label or box, rows, columns).bool()
            controls.append(Control(element, area, box, label or box))
        for part in self._parts(rows, columns, [control.area for control in controls]):
            self._encode(image, part, controls, labels)

    def _parts(self, rows: int, columns: int, areas: list[Tensor]) -> list[tuple[int, int, int, int]]:
        """Top, left, rows and columns to encode: all of it, or parts around controls that begin where a window does."""
        if self.whole:
            return [(0, 0, rows, columns)] if areas else []
        tall, wide = min(rows, CROP_ROWS) // 4 * 4, min(columns, CROP_COLUMNS) // 4 * 4
        parts = set()
        for area in self.rng.sample(areas, min(CROPS, len(areas))):
            y, x = torch.nonzero(area)[0].tolist()
            top = min(max(0, y - self.rng.randrange(tall)), rows - tall) // 4 * 4
            left = min(max(0, x - self.rng.randrange(wide)), columns - wide) // 4 * 4
            parts.add((top, left, tall, wide))
        return sorted(parts)

    def _encode(
        self, image: np.ndarray, part: tuple[int, int, int, int], found: list[Control], labels: ScreenLabels
    ) -> None:
        top, left, rows, columns = part
        cells = slice(top, top + rows), slice(left, left + columns)
        seen = image[top * CELL : (top + rows) * CELL, left * CELL : (left + columns) * CELL]
        frames = torch.from_numpy(normalised(seen)).permute(2, 0, 1)[None].bfloat16()
        tokens = self.tower(patches_of(frames.expand(2, -1, -1, -1)), [(1, 2 * rows, 2 * columns)])
        tokens = tokens.view(rows, columns, -1)
        controls = []
        for control in found:
            moved = _moved(control, control.area[cells], -left * CELL, -top * CELL)
            if int(moved.area.sum()) == int(control.area.sum()) and _inside(moved.aim, columns * CELL, rows * CELL):
                controls.append(moved)
        if controls:
            targets = dense_targets(labels, left * CELL, top * CELL, columns * CELL, rows * CELL)
            self.screens.append(EncodedScreen(tokens, _drawn(seen), tuple(controls), targets))

    def region(self, cells: float, blank: float = 1.0, most: int = 1) -> Region:
        """About `cells` cells around a random control, somewhere on a random screen; WHOLE: all that was encoded.

        blank: the share that is kept of cells that show nothing. most: controls to ask for, if there are so many.
        """
        rng = self.rng
        screen = rng.choice(self.screens)
        control = rng.choice(screen.controls)
        rows, columns, _ = screen.tokens.shape
        ys, xs = (torch.nonzero(control.area.any(axis)).flatten() for axis in (1, 0))
        top, bottom = _span(rng, int(ys[0]), int(ys[-1]) + 1, rows, round(cells**0.5 * 0.8))
        left, right = _span(rng, int(xs[0]), int(xs[-1]) + 1, columns, round(cells**0.5 * 1.25))
        at, size = (0, 0), (rows, columns)
        if (bottom - top, right - left) != (rows, columns):
            wide, tall, _ = rng.choices(SCREENS, weights=[often for *_, often in SCREENS])[0]
            size = max(tall, bottom - top), max(wide, right - left)
            at = rng.randint(0, size[0] - (bottom - top)), rng.randint(0, size[1] - (right - left))
        part = slice(top, bottom), slice(left, right)
        inside = [c for c in screen.controls if c.area[part].sum() == c.area.sum()]
        asked = rng.sample(inside, min(most, len(inside)))
        kept = screen.drawn[part] | (torch.rand(bottom - top, right - left) < blank)
        for other in asked:
            kept |= other.area[part]
        places = torch.nonzero(kept) + torch.tensor(at)
        away = (at[1] - left) * CELL, (at[0] - top) * CELL
        controls = tuple(_moved(other, other.area[part][kept], *away) for other in asked)
        return Region(screen.tokens[part][kept], places, size, controls)


def well_inside(value: float, start: int, end: int) -> float:
    """The nearest number to `value` that is `INSET` pixels inside of start and end, or as far as there is room."""
    inset = min((end - start) / 2, INSET)
    return min(max(value, start + inset), end - inset)


def _moved(control: Control, area: Tensor, dx: int, dy: int) -> Control:
    boxes = (Box(b.left + dx, b.top + dy, b.right + dx, b.bottom + dy) for b in (control.box, control.label))
    return Control(control.element, area, *boxes)


def _inside(point: tuple[float, float], width: int, height: int) -> bool:
    return 0 <= point[0] < width and 0 <= point[1] < height


def _plainly_named(elements: tuple[Element, ...], width: int, height: int) -> list[Element]:
    """Controls wholly on the screen whose name no other control there has."""
    kept = [e for e in elements if e.name and min(e.box.left, e.box.top) >= 0]
    kept = [e for e in kept if e.box.right <= width and e.box.bottom <= height]
    names = [e.name.lower() for e in elements]
    return [e for e in kept if names.count(e.name.lower()) == 1 and len(e.name) <= 48]


def _drawn(image: np.ndarray) -> Tensor:
    """`[rows, columns]`: the cells of a picture that are not of one colour."""
    rows, columns = image.shape[0] // CELL, image.shape[1] // CELL
    cells = image.reshape(rows, CELL, columns, CELL, 3)
    return torch.from_numpy((cells.max((1, 3)).astype(int) - cells.min((1, 3))).max(-1) > 6)


def _span(rng: random.Random, first: int, end: int, limit: int, length: int) -> tuple[int, int]:
    """A run of `length` of the cells 0 to limit, or more, that holds [first, end)."""
    length = min(limit, max(length, end - first))
    start = rng.randint(max(0, end - length), min(first, limit - length))
    return start, start + length
