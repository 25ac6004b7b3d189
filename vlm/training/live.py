"""Pictures that the tower sees anew in every step, so that it learns from what is answered about them.

Elsewhere the tower is frozen, and a screen is encoded once for many questions. A tower that learns has to see again
what it is asked about; that is cheap for pictures of a few hundred cells.
"""

import random

import numpy as np
import torch
from torch import Tensor

from action_space.geometry import Point, Size
from vlm.training.data.render import Screen
from vlm.training.dense import CELL
from vlm.training.examples import Example, grounding_example
from vlm.training.pool import EncodedScreen, encode_screen, kind_of, part_of
from vlm.training.pretrain import Crops, View, labels_in
from vlm.vision import VisionTower

CROPS = ((448, 336), (336, 448), (672, 252), (560, 420))
"""Width and height of a part of a screen, in pixels."""
QUESTIONS = 4
"""About one picture."""
SHOWN = (0.5, 1.0)
"""How much of a picture is shown with a question, at least and at most: its place on the screen varies so."""


FRESH = 60
"""Larger screens, encoded now and then, that are kept while the tower learns: older ones show what it was."""


class LiveTower:
    """A tower that learns; holds what it said until the answers' gradients have come to it and `learn` sends them on.

    So many questions, whose gradients come one after the other, share one look at a picture.
    """

    def __init__(self, tower: VisionTower) -> None:
        self.tower = tower
        self._said: list[tuple[Tensor, Tensor]] = []

    def hold(self, tokens: Tensor) -> Tensor:
        """What the tower said of a picture, as a leaf that collects gradients."""
        given = tokens.detach().requires_grad_()
        self._said.append((tokens, given))
        return given

    def learn(self) -> None:
        """Gradients of the tower's weights, of all that was asked since the last time."""
        asked = [(said, given.grad) for said, given in self._said if given.grad is not None]
        self._said.clear()
        if asked:
            torch.autograd.backward([said for said, _ in asked], [gradient for _, gradient in asked])


def pointing_live(crops: Crops, tower: LiveTower, tokens: int) -> list[Example]:
    """Examples on parts of drawn screens, `tokens` long for the language model or a little more."""
    rng, examples = crops.rng, list[Example]()
    while tokens > 0:
        encoded = _part(crops, tower)
        if encoded is None:
            continue
        cells = encoded.drawn.numel() * rng.uniform(*SHOWN)
        for control in rng.sample(encoded.controls, min(QUESTIONS, len(encoded.controls))):
            examples.append(grounding_example(part_of(rng, encoded, control, cells, rng.random() ** 3), rng))
            tokens -= len(examples[-1].ids)
    return examples


def _part(crops: Crops, tower: LiveTower) -> EncodedScreen | None:
    """A part of a screen around a control, of a kind that is drawn first; None if no control is wholly on it."""
    rng = crops.rng
    image, screen = crops.screen()
    if not screen.elements:
        return None
    kind = rng.choice(sorted({kind_of(element) for element in screen.elements}))
    center = rng.choice([element for element in screen.elements if kind_of(element) == kind]).box.center
    return see_part(tower, image, screen, part_around(rng, image, center))


def part_around(rng: random.Random, image: np.ndarray, center: Point) -> View:
    """A part of a picture `[H, W, 3]` of at least a cell, with a place anywhere in it."""
    rows, columns = (seen // CELL * CELL for seen in image.shape[:2])
    width, height = rng.choice(CROPS)
    size = Size(min(width, columns), min(height, rows))
    left, top = _start(rng, center.x, size.width, columns), _start(rng, center.y, size.height, rows)
    return View(size, offset=(-left, -top))


def see_part(tower: LiveTower, image: np.ndarray, screen: Screen, part: View) -> EncodedScreen | None:
    """A part of a picture; None if no control is wholly on it."""
    left, top = -part.offset[0], -part.offset[1]
    seen = image[top : top + part.size.height, left : left + part.size.width]
    return encode_screen(tower.tower, seen, labels_in(screen, part), hold=tower.hold)


def _start(rng: random.Random, wanted: int, length: int, limit: int) -> int:
    """Where a run of `length` pixels begins that has `wanted` anywhere in it, and ends before `limit`."""
    return min(max(wanted - rng.randrange(length), 0), limit - length)
