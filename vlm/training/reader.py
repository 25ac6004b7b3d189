"""What the first layer's MLP reads of a visual token, taught by what the circuits behind it make of that.

The circuits are written down once more, as they would be without rounding: which cells have the same middle, whose
letters are alike, where a point is. So every step teaches with all controls of a screen, and gradients pass a few
products instead of eight layers (docs/decisions.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from action_space.geometry import Box
from vlm.rope import apply_rotary
from vlm.training.circuits import (
    AXES,
    CODED,
    GATHER,
    MIXED,
    READ,
    WAVES,
    Directions,
    look_rows,
    points_of_grid,
    waves_at,
)
from vlm.training.dense import CELL, RARITY
from vlm.training.tokenizer import GRID, X_TOKENS, Y_TOKENS
from vlm.training.wiring import Told

ROUNDING = 0.7
"""By how much the network's scores of alike middles differ from exact ones."""
FIRST_ALIKE, FIRST_SHARPNESS, FIRST_SURE = 13.0, 150.0, 15.0


@dataclass(frozen=True, slots=True)
class View:
    """What a screen's controls are found from.

    x `[n, width]`: what the first layer's MLP sees. places `[n, 2]`: row and column of each visual token.
    letters `[m, 36]`: of each instruction. keys, queries: cos and sin `[n, head_dim]` and `[1, head_dim]` of visual
    tokens and of those that ask. areas `[m, n]` and boxes: where the controls are. rest: how long the states are in
    front of the layer that looks, without what was gathered.
    """

    x: Tensor
    places: Tensor
    letters: Tensor
    keys: tuple[Tensor, Tensor]
    queries: tuple[Tensor, Tensor]
    areas: Tensor
    boxes: tuple[Box, ...]
    rest: float


class Reader(nn.Module):
    """A gated MLP that reads visual tokens."""

    def __init__(self, width: int, hidden: int, d: Directions, speed: Tensor) -> None:
        super().__init__()
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, READ, bias=False)
        self.names = nn.Parameter(d.mixed * RARITY)
        self.scales = nn.Parameter(torch.tensor([FIRST_ALIKE, FIRST_SHARPNESS, FIRST_SURE]).log())
        self.speed = speed
        with torch.no_grad():
            # Closed for text, which has nothing of this to read.
            self.gate_up.weight[:hidden] -= 4 * d.text[0]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """turns `[n, 5, 2]`, letters `[n, 28]`, how much to gather and how surely a control it is `[n]` of `x`."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        turned, letters, weight, control = self.down(F.silu(gate) * up).split((READ - MIXED - 2, MIXED, 1, 1), dim=-1)
        return turned.unflatten(-1, (len(WAVES), 2)), letters, weight[:, 0], control[:, 0]

    def told(self, rest: float) -> Told:
        """For the circuits. rest: see `View`."""
        alike, sharpness, sure = self.scales.exp().tolist()
        gate_up, down, names = (part.detach() for part in (self.gate_up.weight, self.down.weight, self.names))
        return Told(gate_up, down, names, alike, sharpness, sure, rest)

    def taught(self, view: View, counts: Tensor) -> tuple[Tensor, dict[str, float]]:
        """How far what is read of single tokens is off: turns to the middles of the controls, and letters.

        counts `[n, 36]`: how many of each there are, as the tower says.
        """
        turned, letters, weight, _ = self(view.x)
        owned = torch.nonzero(view.areas)
        away = _middles(view.boxes)[owned[:, 0]] - view.places[owned[:, 1]]
        angle = away[:, list(AXES)] * self.speed[list(WAVES)]
        wanted = torch.stack((angle.cos() - 1, angle.sin()), -1)
        aim = F.smooth_l1_loss(turned[owned[:, 1]], wanted, beta=0.1)
        read = _unexplained(letters, counts @ self.names.detach().T)
        gathered = _unexplained(weight, 0.5 * counts.sum(1))
        return 10 * aim + read + 0.3 * gathered, {"aim": aim.item(), "letters": read.item()}

    def found(self, view: View) -> tuple[Tensor, Tensor]:
        """Logarithms of how much is looked at each token for each instruction `[m, n]`, and the waves found there."""
        turned, letters, weight, control = self(view.x)
        alike, sharpness, _ = self.scales.exp()
        first = torch.view_as_complex(waves_at(view.places.float(), self.speed))
        waves = torch.view_as_real(first * (1 + torch.view_as_complex(turned.contiguous()))).flatten(1)
        scores = alike * (waves @ waves.T - 0.5 * waves.square().sum(1)) + weight
        if self.training:
            scores = scores + ROUNDING * torch.randn_like(scores)
        later = torch.ones_like(scores).triu(1).bool()
        gathered = GATHER * scores.masked_fill(later, float("-inf")).softmax(-1) @ letters
        keys = torch.cat((gathered, CODED * control.unsqueeze(1)), 1)
        width = view.x.shape[1]
        keys = keys * (width / (gathered.square().sum(1, keepdim=True) + view.rest**2)).sqrt()
        size = view.keys[0].shape[-1]
        rows, gate = look_rows(size, self.speed)
        key, query = torch.zeros(len(keys), size), torch.zeros(len(view.letters), size)
        key[:, torch.cat((rows, gate))] = keys
        query[:, rows] = sharpness * view.letters @ self.names.T
        query[:, gate] = size**0.5
        scores = apply_rotary(query, *view.queries) @ apply_rotary(key, *view.keys).T / size**0.5
        looked = scores.log_softmax(-1)
        return looked, (looked.exp() @ waves).unflatten(-1, (len(WAVES), 2))

    def loss(self, view: View) -> tuple[Tensor, dict[str, float]]:
        """Of looking at the controls, and of the points that are said then."""
        looked, waves = self.found(view)
        look = -looked.masked_fill(~view.areas, float("-inf")).logsumexp(-1)
        total, said = look.mean(), []
        for axis, count in ((1, len(X_TOKENS)), (0, len(Y_TOKENS))):
            own = torch.tensor(AXES) == axis
            grid = F.normalize(points_of_grid(count, GRID, self.speed)[:, own].flatten(1), dim=1)
            scores = self.scales[2].exp() * F.normalize(waves[:, own].flatten(1), dim=1) @ grid.T
            wanted = torch.stack([points_in(box, axis, count) for box in view.boxes])
            total = total + 0.1 * F.cross_entropy(scores, wanted)
            said.append(scores.argmax(-1) * GRID)
        left, top, right, bottom = torch.tensor([(b.left, b.top, b.right, b.bottom) for b in view.boxes]).T
        hits = (left <= said[0]) & (said[0] < right) & (top <= said[1]) & (said[1] < bottom)
        best = view.areas[torch.arange(len(looked)), looked.argmax(-1)]
        figures = {"look": look.exp().reciprocal().mean().item(), "best": best.float().mean().item()}
        return total, figures | {"hits": hits.float().mean().item()}


def _unexplained(found: Tensor, wanted: Tensor) -> Tensor:
    """The share of the variance that is missed."""
    return F.mse_loss(found, wanted) / wanted.var()


def _middles(boxes: Sequence[Box]) -> Tensor:
    """`[m, 2]`: row and column of the middle of each box, in cells."""
    return torch.tensor([(b.top + b.bottom, b.left + b.right) for b in boxes]) / (2 * CELL) - 0.5


def points_in(box: Box, axis: int, count: int) -> Tensor:
    """`[count]`: how good each point of the grid is for a click in `box`, across (axis 1) or down (axis 0).

    A wide control is as good a little beside its middle.
    """
    start, end = (box.left, box.right) if axis else (box.top, box.bottom)
    away = torch.arange(count) * GRID - (start + end) / 2
    return (-0.5 * (away / max(GRID / 3, (end - start) / 8)).square()).softmax(0)
