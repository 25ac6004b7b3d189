"""What no square of a screen shows by itself: how many there are of something, and places that follow from others."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

COUNTED, PERIODS = 6, (4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""What is counted, in squares, and the periods of the waves that tell how many."""
MARKS, HIDDEN = 8, 32
FAR = 100.0
"""Pixels to which lengths are told in proportion."""
NEAR, FADED = 0.28, 50.0
"""Of these: how close to the place is near, and how many of its squares away is as good as any further."""


class Tally(nn.Module):
    """How many squares look so: a sum, where attention has only shares."""

    def __init__(self, fine: int, width: int) -> None:
        super().__init__()
        self.counted, self.told = nn.Linear(fine, COUNTED), nn.Linear(2 * COUNTED * len(PERIODS), width)
        nn.init.zeros_(self.told.weight)

    def forward(self, fine: Tensor) -> Tensor:
        """`[n, width]`, of what is in each square, `[n, squares, fine]`."""
        counts = self.counted(fine).sigmoid().sum(1).unsqueeze(-1)
        angles = counts * (2 * math.pi / torch.tensor(PERIODS, device=fine.device))
        told: Tensor = self.told(torch.cat((angles.sin(), angles.cos()), -1).flatten(1))
        return told


class Bearings(nn.Module):
    """Halfway between two places, in the middle of a circle, where an angle becomes a right one.

    Marks are looked for on the screen, each where it is furthest one way. The place is their middle, and from there
    the way to each mark, turned and stretched as a small network says that knows how they lie: complex factors, so that
    what is learned of some places holds for others."""

    def __init__(self, fine: int, width: int) -> None:
        super().__init__()
        self.marks = nn.Linear(fine, MARKS)
        self.ways = nn.Parameter(5 * torch.randn(MARKS, 2))
        self.lie, self.due = nn.Linear(4 * MARKS, HIDDEN, bias=False), nn.Linear(width, HIDDEN)
        self.factors = nn.Sequential(
            nn.GELU(), nn.Linear(HIDDEN, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 2 * MARKS), nn.Unflatten(1, (MARKS, 2))
        )
        self.worth = nn.Linear(width, 1)
        nn.init.constant_(self.worth.bias, -3.0)

    def forward(self, fine: Tensor, places: Tensor, deed: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of squares, `[n, squares]`, the higher the nearer they are to the place, and the place, `[n, 2]`.

        fine `[n, squares, fine]`: what is in each; places `[squares, 2]`: where they are, in pixels; deed `[n, width]`:
        what is due.
        """
        places = places / FAR
        marks = (self.marks(fine) + places @ self.ways.T).softmax(1).transpose(1, 2) @ places
        middle = marks.mean(1)
        ways = marks - middle.unsqueeze(1)
        factors = self.factors(self.lie(torch.cat((ways, marks), 1).flatten(1)) + self.due(deed))
        turned = torch.view_as_complex(ways.contiguous()) * torch.view_as_complex(factors.contiguous())
        place = middle + torch.view_as_real(turned.sum(1))
        away = ((places - place.unsqueeze(1)) / NEAR).square().sum(-1).clamp_max(FADED)
        return -4 * F.softplus(self.worth(deed)) * away, FAR * place
