"""What the first layer's MLP reads of a visual token, taught by what the circuits behind it make of that.

The circuits are written down once more, as they would be without rounding: which cells tell of the same middle, whose
letters are alike, where a point is. So every step teaches with all controls of a screen, and gradients pass a few
products instead of eight layers (docs/decisions.md). It begins with what the tower's own heads say, which are linear.
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
    VISUAL,
    WAVES,
    Directions,
    look_rows,
    points_of_grid,
    waves_at,
)
from vlm.training.dense import CELL, COUNTED, RARITY
from vlm.training.pool import well_inside
from vlm.training.tokenizer import GRID, X_TOKENS, Y_TOKENS
from vlm.training.wiring import Told

ROUNDING = 0.7
"""By how much the network's scores of alike middles differ from exact ones."""
FIRST_ALIKE, FIRST_SHARPNESS, FIRST_SURE = 13.0, 200.0, 15.0
AIMED, PRECISE = 5.0, 0.05
"""How much it counts that every cell aims where its control should be clicked, and from where a miss counts as such
and not as its square."""
LETTERED, CERTAIN = 0.3, 0.12
"""How much a cell is gathered for each of its letters, and how much the tower's certainty of a control counts."""
FARTHEST, STEEP, KNOTS = 9.0, 3.0, 20
"""How far away an aim may be at first, in cells; how sharply units bend, and how many for each side."""


@dataclass(frozen=True, slots=True)
class Heads:
    """What a tower's linear heads say of a visual token: weight `[41, width]` and bias `[41]` of how many there are of
    each letter and digit `[36]`, how far the edges of its control are (left, top, right, bottom, in cells) `[4]`, and
    how surely it is of a control."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True)
class View:
    """What a screen's controls are found from.

    x `[n, width]`: what the first layer's MLP sees. places `[n, 2]`: row and column of each visual token.
    letters `[m, 36]`: of each instruction. keys, queries: cos and sin `[n, head_dim]` and `[1, head_dim]` of visual
    tokens and of those that ask. areas `[m, n]`, boxes, aims and middles of names `[m, 2]` (x, y): where controls are.
    """

    x: Tensor
    places: Tensor
    letters: Tensor
    keys: tuple[Tensor, Tensor]
    queries: tuple[Tensor, Tensor]
    areas: Tensor
    boxes: tuple[Box, ...]
    aims: Tensor
    middles: Tensor


class Reader(nn.Module):
    """A gated MLP that reads visual tokens.

    size: root mean square of what its norm gets. rest: how long the states are in front of the layer that looks,
    without what was gathered.
    """

    rest: Tensor

    def __init__(self, hidden: int, d: Directions, speed: Tensor, heads: Heads, *, size: float, rest: float) -> None:
        super().__init__()
        self.gate_up = nn.Linear(d.visual.shape[1], 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, READ, bias=False)
        self.names = nn.Parameter(d.mixed * RARITY)
        self.scales = nn.Parameter(torch.tensor([FIRST_ALIKE, FIRST_SHARPNESS, FIRST_SURE]).log())
        self.speed = speed
        self.register_buffer("rest", torch.tensor(rest))
        self._begin(d, heads, size)

    @torch.no_grad()
    def _begin(self, d: Directions, heads: Heads, size: float) -> None:
        """What the heads say passes units that are open for every visual token; turns, at first to the middle that the
        edges tell, are pieced together of others, each of which bends at one distance. All are closed for text, and
        those that are left write nothing at first."""
        hidden = self.down.in_features
        gates, ups = self.gate_up.weight[:hidden], self.gate_up.weight[hidden:]
        one = size / VISUAL * d.visual[0]
        said = size * heads.weight + torch.outer(heads.bias, one)
        counts, (left, top, right, bottom, control) = said[:COUNTED], said[COUNTED:]
        plain = torch.cat((self.names @ counts, LETTERED * counts.sum(0, keepdim=True), CERTAIN * control[None]))
        count, opened = len(plain), 4.0
        gates[:count], ups[:count] = opened * one, plain
        self.down.weight.zero_()
        self.down.weight[-count:, :count] = torch.eye(count) / F.silu(torch.tensor(opened))
        knots = torch.linspace(-0.5, FARTHEST, KNOTS)
        for axis, away in enumerate(((bottom - top) / 2, (right - left) / 2)):
            for sign in (1, -1):
                units = slice(count, count + KNOTS)
                gates[units] = STEEP * (sign * away - torch.outer(knots, one))
                ups[units] = one
                count += KNOTS
            turned = self._turns(axis, knots).T
            self.down.weight[: 2 * len(WAVES), count - 2 * KNOTS : count] = turned
            if axis == 0:  # across, a cell is at first clicked where it is
                self.down.weight[2 * len(WAVES) : 4 * len(WAVES), count - 2 * KNOTS : count] = turned
        gates -= opened * d.text[0]

    def _turns(self, axis: int, knots: Tensor) -> Tensor:
        """`[2 * KNOTS, 10]`: how to piece together the turns of an axis."""
        away = torch.linspace(-FARTHEST, FARTHEST, 361)
        units = F.silu(STEEP * torch.cat((away[:, None] - knots, -away[:, None] - knots), 1))
        angle = away[:, None] * self.speed[list(WAVES)] * (torch.tensor(AXES) == axis)
        wanted = torch.stack((angle.cos() - 1, angle.sin()), -1).flatten(1)
        # A ridge, so that no large numbers have to cancel each other in bf16; most are near.
        weight = 1 / (1 + away.abs())[:, None]
        system = units.T @ (weight * units) + 0.01 * torch.eye(2 * KNOTS)
        solved: Tensor = torch.linalg.solve(system, units.T @ (weight * wanted))
        return solved

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """turns `[2, n, 5, 2]` (to the middle of the name, to the click), letters `[n, 28]`, how much to gather and how
        surely a control it is `[n]` of `x`.

        In bf16, as the network will do it.
        """
        gate, up = F.linear(x.bfloat16(), self.gate_up.weight.bfloat16()).chunk(2, dim=-1)
        said = F.linear(F.silu(gate) * up, self.down.weight.bfloat16()).float()
        turned, letters, weight, control = torch.split(said, [READ - MIXED - 2, MIXED, 1, 1], dim=-1)
        return turned.view(-1, 2, len(WAVES), 2).transpose(0, 1), letters, weight[:, 0], control[:, 0]

    def told(self) -> Told:
        """For the circuits."""
        alike, sharpness, sure = self.scales.exp().tolist()
        gate_up, down, names = (part.detach() for part in (self.gate_up.weight, self.down.weight, self.names))
        return Told(gate_up, down, names, alike, sharpness, sure, self.rest.item())

    def found(self, view: View) -> tuple[Tensor, Tensor]:
        """Logarithms of how much is looked at each token for each instruction `[m, n]`, and the waves of where to
        click that are found there `[m, 5, 2]`."""
        turned, letters, weight, control = self(view.x)
        alike, sharpness, _ = self.scales.exp()
        first = torch.view_as_complex(waves_at(view.places.float(), self.speed))
        waves, clicks = torch.view_as_real(first * (1 + torch.view_as_complex(turned.contiguous()))).flatten(2)
        scores = alike * (waves @ waves.T - 0.5 * waves.square().sum(1)) + weight
        if self.training:
            scores = scores + ROUNDING * torch.randn_like(scores)
        later = torch.ones_like(scores).triu(1).bool()
        gathered = GATHER * scores.masked_fill(later, float("-inf")).softmax(-1) @ letters
        keys = torch.cat((gathered, CODED * control.unsqueeze(1)), 1)
        width = view.x.shape[1]
        keys = keys * (width / (gathered.square().sum(1, keepdim=True) + self.rest**2)).sqrt()
        size = view.keys[0].shape[-1]
        rows, gate = look_rows(size, self.speed)
        key, query = torch.zeros(len(keys), size), torch.zeros(len(view.letters), size)
        key[:, torch.cat((rows, gate))] = keys
        query[:, rows] = sharpness * view.letters @ self.names.T
        query[:, gate] = size**0.5
        scores = apply_rotary(query, *view.queries) @ apply_rotary(key, *view.keys).T / size**0.5
        looked = scores.log_softmax(-1)
        return looked, (looked.exp() @ clicks).unflatten(-1, (len(WAVES), 2))

    def aim(self, view: View) -> tuple[Tensor, Tensor]:
        """How far the turns of controls' cells are from those to the middle of the name, the same for all of them, and
        from those to where the control is clicked nearest to each. All controls count the same, however many cells
        they have."""
        turned, *_ = self(view.x)
        control, cell = torch.nonzero(view.areas).T
        at = (view.places[cell].flip(1) + 0.5) * CELL
        inside = [[well_inside(*side) for side in _sides(at[k], view.boxes[m])] for k, m in enumerate(control.tolist())]
        share = 1 / (view.areas.sum(1)[control] * len(view.areas))
        missed = []
        for said, wanted_at in zip(turned, (view.middles[control], torch.tensor(inside)), strict=True):
            away = (wanted_at - at).flip(1) / CELL
            angle = away[:, list(AXES)] * self.speed[list(WAVES)]
            wanted = torch.stack((angle.cos() - 1, angle.sin()), -1)
            each = F.smooth_l1_loss(said[cell], wanted, beta=PRECISE, reduction="none").mean((1, 2))
            missed.append((each * share).sum())
        return missed[0], missed[1]

    def loss(self, view: View) -> tuple[Tensor, dict[str, float]]:
        """Of looking at the controls, of where their cells aim, and of the points that are said then."""
        looked, waves = self.found(view)
        look = -looked.masked_fill(~view.areas, float("-inf")).logsumexp(-1)
        (middle, aim), said = self.aim(view), []
        total = look.mean() + AIMED * (middle + aim)
        for axis, count in ((1, len(X_TOKENS)), (0, len(Y_TOKENS))):
            own = torch.tensor(AXES) == axis
            grid = F.normalize(points_of_grid(count, GRID, self.speed)[:, own].flatten(1), dim=1)
            scores = self.scales[2].exp() * F.normalize(waves[:, own].flatten(1), dim=1) @ grid.T
            targets = zip(view.boxes, view.aims.tolist(), strict=True)
            wanted = torch.stack([points_in(box, aim, axis, count) for box, aim in targets])
            total = total + 0.1 * F.cross_entropy(scores, wanted)
            said.append(scores.argmax(-1) * GRID)
        left, top, right, bottom = torch.tensor([(b.left, b.top, b.right, b.bottom) for b in view.boxes]).T
        hits = (left <= said[0]) & (said[0] < right) & (top <= said[1]) & (said[1] < bottom)
        best = view.areas[torch.arange(len(looked)), looked.argmax(-1)]
        figures = {"look": look.exp().reciprocal().mean().item(), "best": best.float().mean().item()}
        figures |= {"middle": middle.item(), "aim": aim.item()}
        return total, figures | {"hits": hits.float().mean().item()}


def _sides(point: Tensor, box: Box) -> tuple[tuple[float, int, int], tuple[float, int, int]]:
    x, y = point.tolist()
    return (x, box.left, box.right), (y, box.top, box.bottom)


def points_in(box: Box, aim: Sequence[float], axis: int, count: int) -> Tensor:
    """`[count]`: how good each point of the grid is for a click in `box`, best at `aim` (x, y), across (axis 1) or down
    (axis 0).

    A wide control is as good a little beside.
    """
    start, end, best = (box.left, box.right, aim[0]) if axis else (box.top, box.bottom, aim[1])
    away = torch.arange(count) * GRID - best
    return (-0.5 * (away / max(GRID / 3, min(best - start, end - best) / 4)).square()).softmax(0)
