"""Stage 1, visual pre-training: the vision tower alone, on crops of screens with dense targets."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from action_space.geometry import Box, Size, smart_resize
from vlm.config import VisionConfig
from vlm.images import normalised, patches_of
from vlm.rope import Grid
from vlm.training.data.render import Screen, read_screens
from vlm.training.dense import (
    CELL,
    CountingHead,
    DenseHeads,
    DenseTargets,
    ScreenLabels,
    dense_targets,
    labels_of,
    seeing_loss,
)
from vlm.training.optim import MuonAdamW
from vlm.training.run import FULL, Amounts, Stage, placed
from vlm.training.workers import rank
from vlm.vision import VisionTower

KEPT = 1200
"""Screens in memory, 2 to 3 MB each."""
RESIZED = 0.25
"""How often a screen is shown as the processor resizes it, for those who ask without moving it."""
LARGE = 500_000
"""Pixels of screens that are looked at from closer."""
PART, CLOSER = (1008, 588), 1.5
"""Width and height of such a part, and how much larger what it shows is than on the screen."""
SOURCES = (0.45, 0.55)
"""How often a step's crops come from screens and from specimens: these hold several times as many letters."""


@dataclass(frozen=True, slots=True)
class View:
    """How a screen is put before the model. scale: of its pixels, across and down; then it is moved by offset."""

    size: Size
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[int, int] = (0, 0)

    def of(self, x: float, y: float) -> tuple[int, int]:
        """Where a place of the screen is then."""
        return round(x * self.scale[0]) + self.offset[0], round(y * self.scale[1]) + self.offset[1]


def draw_view(rng: random.Random, width: int, height: int) -> View:
    """As the whole of it is looked at (`agent/looks.py`): on whole cells, moved by anything within one; or now and
    then after `smart_resize`, which makes 1288 x 728 of 1280 x 720 and blurs text a little."""
    if rng.random() < RESIZED:
        size = smart_resize(Size(width, height))
        return View(size, (size.width / width, size.height / height))
    dx, dy = rng.randrange(CELL), rng.randrange(CELL)
    return View(Size(-(-(width + dx) // CELL) * CELL, -(-(height + dy) // CELL) * CELL), offset=(dx, dy))


def draw_part(rng: random.Random, width: int, height: int) -> View:
    """As a part of it is looked at from closer."""
    wide, high = round(width * CLOSER), round(height * CLOSER)
    size = Size(min(PART[0], wide // CELL * CELL), min(PART[1], high // CELL * CELL))
    corner = rng.randint(0, wide - size.width), rng.randint(0, high - size.height)
    return View(size, (CLOSER, CLOSER), (-corner[0], -corner[1]))


def as_model_sees(picture: Image.Image, screen: Screen, view: View) -> tuple[Image.Image, Screen]:
    """A screen and its labels in a view."""
    sides = round(picture.width * view.scale[0]), round(picture.height * view.scale[1])
    scaled = picture if sides == picture.size else picture.resize(sides, Image.Resampling.BICUBIC)
    shown = Image.new("RGB", (view.size.width, view.size.height), picture.getpixel((0, picture.height - 1)))
    shown.paste(scaled, view.offset)
    return shown, labels_in(screen, view)


def labels_in(screen: Screen, view: View) -> Screen:
    """A screen whose labels are where they are in a view, without the letters and lines that are not in it."""
    width, height = view.size.width, view.size.height

    def moved(box: Box) -> Box:
        return Box(*view.of(box.left, box.top), *view.of(box.right, box.bottom))

    elements = tuple(replace(e, box=moved(e.box), label=moved(e.label) if e.label else None) for e in screen.elements)
    chars = ((*view.of(x, y), char) for x, y, char in screen.chars)
    inside = (
        (min(x, width - 1), min(y, height - 1), char) for x, y, char in chars if 0 <= x <= width and 0 <= y <= height
    )
    lines = (replace(line, box=moved(line.box)) for line in screen.lines)
    shown = (line for line in lines if view.size.contains(line.box.center))
    figures = tuple(replace(figure, box=moved(figure.box)) for figure in screen.figures)
    return Screen(screen.image, elements, tuple(inside), lines=tuple(shown), figures=figures)


Batch = tuple[Tensor, list[Grid], DenseTargets]


class Crops:
    """Random crops of stored screens, three quarters of them around a character, one in a control, or an icon.

    Decoding is slow, so a batch draws from the screens in memory. Every batch adds `grow` more of them; the oldest of
    more than `KEPT` are forgotten. close: how often a part of a large screen is shown, as if it were looked at from
    closer, in place of the whole.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        limit: int | None = None,
        *,
        start: int = 40,
        grow: int = 2,
        close: float = 0.0,
    ) -> None:
        self.rng, self.close = random.Random(seed), close
        self.newest, self.grow = start, grow
        self.screens: list[Screen] = list(read_screens(folder))[:limit]
        self.order = self.rng.sample(range(len(self.screens)), len(self.screens))
        self.seen_screens: dict[int, Screen] = {}
        self._decoded: dict[int, tuple[np.ndarray, ScreenLabels]] = {}

    def load(self, number: int) -> tuple[np.ndarray, ScreenLabels]:
        """Pixels `[H, W, 3]` and labels of a screen, kept in memory."""
        if number not in self._decoded:
            screen = self.screens[number]
            with Image.open(screen.image) as image:
                picture = image.convert("RGB")
            is_close = picture.width * picture.height > LARGE and self.rng.random() < self.close
            view = (draw_part if is_close else draw_view)(self.rng, *picture.size)
            picture, screen = as_model_sees(picture, screen, view)
            self.seen_screens[number] = screen
            self._decoded[number] = np.asarray(picture), labels_of(screen)
        return self._decoded[number]

    def forget(self, number: int) -> None:
        """Drop a screen from memory."""
        self._decoded.pop(number, None)
        self.seen_screens.pop(number, None)

    def batch(self, width: int, height: int, count: int) -> Batch:
        """Patches, grids and targets of `count` crops."""
        self._go_on()
        pixels: list[np.ndarray] = []
        targets: list[DenseTargets] = []
        while len(pixels) < count:
            image, labels = self.load(self._any())
            if image.shape[0] < height or image.shape[1] < width:
                continue
            left, top = self._corner(image, labels, width, height)
            pixels.append(normalised(image[top : top + height, left : left + width]))
            targets.append(dense_targets(labels, left, top, width, height))
        frames = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
        grids = [(1, height // 14, width // 14)] * count
        return patches_of(frames.repeat_interleave(2, dim=0)), grids, DenseTargets.joined(targets)

    def screen(self) -> tuple[np.ndarray, Screen]:
        """Pixels `[H, W, 3]` and labels of any screen."""
        self._go_on()
        number = self._any()
        image, _ = self.load(number)
        return image, self.seen_screens[number]

    def _go_on(self) -> None:
        total, kept = len(self.order), self._oldest
        self.newest += self.grow
        for gone in range(kept, self._oldest) if total > KEPT else ():
            self.forget(self.order[gone % total])

    @property
    def _oldest(self) -> int:
        return max(0, self.newest - min(KEPT, len(self.order)))

    def _any(self) -> int:
        return self.order[self.rng.randrange(self._oldest, self.newest) % len(self.order)]

    def _corner(self, image: np.ndarray, labels: ScreenLabels, width: int, height: int) -> tuple[int, int]:
        most_left, most_top = image.shape[1] - width, image.shape[0] - height
        around = [places for places in (labels.chars, labels.named, labels.icons) if len(places)]
        if around and self.rng.random() < 0.75:
            places = self.rng.choice(around)
            x, y = places[self.rng.randrange(len(places))][:2]
            left, top = int(x) - self.rng.randrange(width), int(y) - self.rng.randrange(height)
            return min(max(left, 0), most_left), min(max(top, 0), most_top)
        return self.rng.randint(0, most_left), self.rng.randint(0, most_top)


def pretrain(
    config: VisionConfig,
    screens: Path,
    specimens: Path,
    folder: Path,
    *,
    minutes: float,
    seed: int = 0,
    amounts: Amounts = FULL,
) -> nn.ModuleDict:
    """Train a vision tower on screens and on specimens of text: the `tower`, and `heads` and `counts` to read it.

    Checkpoints and log go to `folder`; goes on from what is there.
    """
    torch.manual_seed(seed)
    width = config.out_hidden_size
    tower, heads, counts = VisionTower(config), DenseHeads(width), CountingHead(width)
    modules = placed(nn.ModuleDict({"tower": tower, "heads": heads, "counts": counts}))
    optimizer = MuonAdamW(modules.named_parameters(), matrix_lr=0.02, other_lr=2e-3)
    stage = Stage("pretrain", folder, minutes, modules, optimizer)
    sources = crops_of((screens, specimens), seed + stage.step, amounts)
    rng = sources[0].rng

    def draw() -> Batch:
        return rng.choices(sources, weights=SOURCES)[0].batch(*crop_sizes(rng, amounts.crops))

    for scale, batch in batches(stage, draw):
        tokens = tower(batch[0], batch[1])
        loss, figures = seeing_loss(modules, tokens, batch[2].to(tokens.device))
        torch.autograd.backward(loss)
        optimizer.step(scale)
        stage.collect(figures)
    return modules


def crops_of(folders: tuple[Path, Path], seed: int, amounts: Amounts) -> list[Crops]:
    """Crops of each folder, others in every worker."""
    own = seed + 7919 * rank()
    return [Crops(folder, own, start=amounts.pool) for folder in folders]


def crop_sizes(rng: random.Random, crops: Sequence[tuple[int, int, int, int]]) -> tuple[int, int, int]:
    """Width, height and number of a step's crops, by `Amounts.crops`."""
    width, height, count, _ = rng.choices(crops, weights=[weight for *_, weight in crops])[0]
    return width, height, count


def batches(stage: Stage, draw: Callable[[], Batch]) -> Iterator[tuple[float, Batch]]:
    """Each step's learning-rate scale and crops, drawn one step ahead."""
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(draw)
        for scale in stage.steps():
            batch, coming = coming.result(), ahead.submit(draw)
            yield scale, batch
