"""Encoded screens to ask questions about: the frozen tower runs once a screen, and many questions share the result."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from action_space.errors import ConfigError
from action_space.geometry import Box, Point
from vlm.images import drawn_cells, normalised, patches_of
from vlm.training.data.render import Element, Figure, Screen
from vlm.training.dense import CELL, label_of, letters_of, places_of, target_cells
from vlm.training.pretrain import Crops
from vlm.vision import VisionTower

SCREENS = ((46, 26, 8), (69, 39, 2), (23, 17, 2), (16, 16, 2), (37, 27, 2), (29, 21, 2), (49, 27, 2), (39, 86, 2))
"""Columns and rows of the screens in which a region may pretend to lie, and how often."""
MOST_CELLS = 1500
"""Of the screens that are drawn for training, and of a part of a larger one."""
MOST_OF_ANY = 2800
"""Of any screen that is encoded: 1920 x 1080, wherever it lies on whole cells."""
SMALL = 400
"""Cells of a screen that is always shown whole, in use as well (`Config.whole_cells`)."""
ICONS = 0.5
"""How often an icon is asked for on a screen that has any: what they mean is harder to know than to read a name."""
CLOSE = 0.4
"""How often a large screen is looked at from closer."""
WHOLE = 100_000
"""More cells than any screen has."""
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Control:
    """A control of an encoded screen, in its pixels.

    box: where a click reaches it. area: the cells of that box. written: the cells in which its name is written, or
    `area` if that is not known, with those of the words of its entry of a list. mentions: where else its name is
    written, on nothing that can be clicked.
    """

    element: Element
    box: Box
    area: Tensor
    written: Tensor
    mentions: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class EncodedScreen:
    """Visual tokens `[rows, columns, width]`, which cells `[rows, columns]` show anything, the controls, of which cells
    the tokens are known, of a large screen as few as in use, all that is written there, in small letters, and what
    places look like.

    pixels `[3, H, W]`, if they are kept."""

    tokens: Tensor
    drawn: Tensor
    controls: tuple[Control, ...]
    known: Tensor
    said: str
    figures: tuple[Figure, ...] = ()
    pixels: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """Some cells of a screen of `screen` (rows, columns), and a control there to ask for.

    tokens `[n, width]`; places `[n, 2]`: row and column of each, row-major; cells of the control `[n]`.
    """

    tokens: Tensor
    places: Tensor
    screen: tuple[int, int]
    control: Control


class Pool:
    """A growing set of encoded screens. pixels: whether those are kept as well, four fifths of the memory."""

    def __init__(self, screens: Path, tower: VisionTower, seed: int, *, pixels: bool = False) -> None:
        self._pixels = pixels
        self.rng = random.Random(seed)
        self.source = Crops(screens, seed, start=1, close=CLOSE)
        self.tower = tower
        self.screens: list[EncodedScreen] = []
        self._next = 0

    def grow(self) -> None:
        """Encode the next screen on which there is something to ask for; when all have been, from the first again.

        Raises ConfigError if there is no such screen."""
        before, order = len(self.screens), self.source.order
        for _ in order:
            number = order[self._next % len(order)]
            self._next += 1
            image, _ = self.source.load(number)
            self._add(image, self.source.seen_screens[number])
            self.source.forget(number)
            if len(self.screens) > before:
                return
        raise ConfigError("on none of the drawn screens is a control that can be asked for: draw others")

    def _add(self, image: np.ndarray, screen: Screen) -> None:
        with torch.no_grad():
            encoded = encode_screen(self.tower, image, screen)
        if encoded is not None:
            pixels = torch.tensor(image).permute(2, 0, 1) if self._pixels else None
            self.screens.append(replace(encoded, pixels=pixels))

    def region(self, cells: float, blank: float = 1.0) -> Region:
        """About `cells` cells around a random control, somewhere on a random screen; WHOLE: all of its own.

        blank: the share that is kept of cells that show nothing.
        """
        screen, control = self._any()
        return part_of(self.rng, screen, control, cells, blank)

    def missing(self, cells: float, blank: float = 1.0) -> tuple[Region, Element] | None:
        """Such a region, and a control of another screen, whose name is nowhere on its own; None if none was found."""
        screen, control = self._any()
        for _ in range(_TRIES):
            _, other = self._any()
            if other.element.name.lower() not in screen.said:
                return part_of(self.rng, screen, control, cells, blank), other.element
        return None

    def _any(self) -> tuple[EncodedScreen, Control]:
        rng = self.rng
        screen = rng.choice(self.screens)
        controls = screen.controls
        icons = tuple(control for control in controls if control.element.icon is not None)
        if icons and rng.random() < ICONS:
            controls = icons
        elif rng.random() < 0.5:  # kinds of which a screen has few count too
            kind = rng.choice(sorted({kind_of(control.element) for control in controls}))
            controls = tuple(control for control in controls if kind_of(control.element) == kind)
        return screen, rng.choice(controls)


def encode_screen(
    tower: VisionTower,
    image: np.ndarray,
    screen: Screen,
    most: int = MOST_CELLS,
    *,
    bare: bool = False,
    hold: Callable[[Tensor], Tensor] | None = None,
) -> EncodedScreen | None:
    """A picture `[H, W, 3]` as the tower sees it; None if it has more cells than `most`, or nothing to ask for and may
    not be `bare` of that. hold: what to make of its tokens before anything is asked."""
    rows, columns = image.shape[0] // CELL, image.shape[1] // CELL
    controls = controls_of(screen, rows, columns)
    if not (controls or bare) or rows * columns > most:
        return None
    seen = image[: rows * CELL, : columns * CELL]
    frames, drawn = torch.from_numpy(normalised(seen)).permute(2, 0, 1)[None], torch.from_numpy(drawn_cells(seen))
    grid = 1, 2 * rows, 2 * columns
    kept = tower.kept(drawn.flatten(), grid) if rows * columns > SMALL and drawn.any() else None
    patches = patches_of(frames.expand(2, -1, -1, -1)).to(tower.patch_embed.weight.device)
    found, _ = tower.look(patches, grid, kept=kept)
    known = torch.ones_like(drawn) if kept is None else kept.view(rows, columns)
    tokens = found.new_zeros(rows, columns, found.shape[-1])
    tokens[known] = found
    tokens = hold(tokens) if hold else tokens
    controls = tuple(control for control in controls if _is_seen(control, known))
    if not (controls or bare):
        return None
    figures = tuple(figure for figure in screen.figures if _is_within(figure.box, rows, columns))
    return EncodedScreen(tokens, drawn, controls, known, screen.said, figures)


def _is_seen(control: Control, cells: Tensor) -> bool:
    return bool((control.area & cells).any() and (control.written & cells).any())


def part_of(rng: random.Random, screen: EncodedScreen, control: Control, cells: float, blank: float = 1.0) -> Region:
    """About `cells` cells around a control; see `Pool.region`. Which of them are shown does not tell which control."""
    rows, columns, _ = screen.tokens.shape
    needed = control.area | control.written
    ys, xs = (torch.nonzero(needed.any(axis)).flatten() for axis in (1, 0))
    top, bottom = _span(rng, int(ys[0]), int(ys[-1]) + 1, rows, round(cells**0.5 * 0.8))
    left, right = _span(rng, int(xs[0]), int(xs[-1]) + 1, columns, round(cells**0.5 * 1.25))
    at, size = (0, 0), (rows, columns)
    if (bottom - top, right - left) != (rows, columns):
        wide, tall, _ = rng.choices(SCREENS, weights=[often for *_, often in SCREENS])[0]
        size = max(tall, bottom - top), max(wide, right - left)
        at = rng.randint(0, size[0] - (bottom - top)), rng.randint(0, size[1] - (right - left))
    part = slice(top, bottom), slice(left, right)
    known = screen.known[part]
    kept = known & (screen.drawn[part] | (torch.rand(known.shape) < blank))
    if not all((kept & cells[part]).any() for cells in (control.area, control.written)):
        kept = known
    dx, dy = (at[1] - left) * CELL, (at[0] - top) * CELL
    box = control.box
    moved = Box(box.left + dx, box.top + dy, box.right + dx, box.bottom + dy)
    found = Control(control.element, moved, control.area[part][kept], control.written[part][kept])
    return Region(screen.tokens[part][kept], torch.nonzero(kept) + torch.tensor(at), size, found)


def controls_of(screen: Screen, rows: int, columns: int) -> tuple[Control, ...]:
    """What can be asked for on a screen of so many cells: controls wholly on it whose name no other one there has.

    Of an icon in a list's entry the words of the entry have to be there as well, on one line: they count as written.
    """
    names = [e.name.lower() for e in screen.elements]
    letters = letters_of(screen)
    controls = []
    for element in screen.elements:
        # A checkbox is ticked by a click on its words, which are larger.
        box = element.label or element.box
        if not (
            _is_within(box, rows, columns)
            and element.name
            and len(element.name) <= 48
            and names.count(element.name.lower()) == 1
        ):
            continue
        label = label_of(element, screen, letters) or box
        area, written = (target_cells(part, rows, columns).bool() for part in (box, label))
        if words := entry_words(element):
            entry = label_of(replace(element, name=words), screen, letters, most=float("inf"))
            if entry is None:
                continue
            written |= target_cells(entry, rows, columns).bool()
        if area.any() and written.any():
            elsewhere = (place for _, place in places_of(element, screen, letters) if place != label)
            mentions = tuple(place for place in elsewhere if not _is_on_any(place.center, screen.elements))
            controls.append(Control(element, box, area, written, mentions))
    return tuple(controls)


def _is_within(box: Box, rows: int, columns: int) -> bool:
    """Whether all of it is on a screen of so many cells."""
    return min(box.left, box.top) >= 0 and box.right <= columns * CELL and box.bottom <= rows * CELL


def _is_on_any(point: Point, elements: Sequence[Element]) -> bool:
    return any(element.hit_by(point.x, point.y) for element in elements)


def entry_words(element: Element) -> str:
    """The words of a list's entry, after which an icon in it is called: "Smith" of "Delete Smith"; "" for any other
    control."""
    words = element.name.removeprefix(f"{element.icon} ")
    return "" if element.icon is None or words == element.name else words


def kind_of(element: Element) -> tuple[str, bool]:
    """A button that only shows an icon is of another kind than one with words."""
    return element.kind, element.icon is not None


def _span(rng: random.Random, first: int, end: int, limit: int, length: int) -> tuple[int, int]:
    """A run of `length` of the cells 0 to limit, or more, that holds [first, end)."""
    length = min(limit, max(length, end - first))
    start = rng.randint(max(0, end - length), min(first, limit - length))
    return start, start + length
