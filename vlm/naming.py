"""How well a name fits what is at a place of a picture, by the visual tokens around it.

A small network beside Qwen2.5-VL, for a checkpoint that brings one (`naming.weights`): the tokens around a place and
the pixels at it become a vector, the letters of a name another, and their product tells how well they fit (a sigmoid
for every pair, as in Zhai et al., "Sigmoid Loss for Language Image Pre-Training", 2023). The language model points;
this tells which of the places that it is drawn to is called what was asked for, and where else that is. What the tower
said already tells what is written there; icons are told by an eye of its own, which learns them without the tower, and
to which the colour of the place, that it does not see, is added.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm.beside import load_beside, save_beside

FILE = "naming.weights"
"""Beside a checkpoint, see `vlm.beside`."""
ROWS, COLUMNS = 5, 17
"""Cells around a place that are looked at; it is in the one in the middle."""
CELL = 28
PIXELS = 56
"""Sides of the square around a place that the eye sees; an icon is 16 to 32 wide."""
WIDTH, HEADS = 96, 4
AT_ONCE = 128
"""Places that are worked on at once: the tokens around each are 0.1 MB."""
INSIDE = (1 / 6, 1 / 2, 5 / 6)
"""Where in a cell a name is held against it when it fits there, across and down."""
PARTS = 5
"""Ways that are tried to part a name into what is on a control and what is beside it."""
MIDDLE = 14
"""Sides of the square around a place whose colour is told."""
FAINT = 8.0
"""Contrast, of 255, below which a square is not made any stronger."""
LETTERS = string.ascii_lowercase + string.digits
OTHER, EDGE, KINDS = 26, 27, 28
"""In pairs of letters: all that is no Latin letter is of one kind, and the edges of a word count."""
PAIRS = KINDS * KINDS
LONGEST = 64
"""Letters of a name that count."""


@dataclass(slots=True)
class Held:
    """A whole picture, to be held against names.

    tokens `[rows, columns, width]`: zeros in cells that are not shown; picture `[3, rows * CELL, columns * CELL]`,
    uint8; shown `[rows, columns]`: which cells are. lines: of the rows that were asked for, vectors `[n, WIDTH]` of the
    middles of the cells that are shown.
    """

    tokens: Tensor
    picture: Tensor
    shown: Tensor
    lines: dict[int, Tensor] = field(default_factory=dict)


class Eye(nn.Module):
    """What is in the middle of a small square of pixels: convolutions alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Seeing(3, 24, 5, 2), _Seeing(24, 48, 3, 2), _Seeing(48, 64, 3), _Seeing(64, 64, 3), _Seeing(64, 96, 3, 2),
            _Seeing(96, 96, 3),
        )  # fmt: skip
        self.where = nn.Conv2d(96, 96, 7, groups=96)
        self.told = nn.Linear(96, WIDTH)

    def forward(self, pixels: Tensor) -> Tensor:
        """Vectors `[n, WIDTH]` of squares `[n, 3, PIXELS, PIXELS]`, uint8; how light they are does not matter."""
        seen = pixels.float()
        seen = seen - seen.mean((2, 3), keepdim=True)
        seen = seen / (seen.square().mean((1, 2, 3), keepdim=True).sqrt() + FAINT)
        told: Tensor = self.told(self.where(self.layers(seen.contiguous(memory_format=torch.channels_last))).flatten(1))
        return told


class _Seeing(nn.Module):
    """A convolution; where it changes no shape, it is added to what was there."""

    def __init__(self, before: int, behind: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, behind, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(behind)
        self.adds = before == behind and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        seen = F.relu(self.norm(self.convolution(x)))
        return x + seen if self.adds else seen


class Naming(nn.Module):
    """tokens: width of a visual token."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.seen = nn.Sequential(nn.LayerNorm(tokens), nn.Linear(tokens, WIDTH))
        self.place = nn.Parameter(torch.randn(ROWS * COLUMNS, WIDTH) * 0.1)
        self.around = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 2 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.asking = nn.Linear(2, WIDTH)
        self.eye = Eye()
        self.tint = nn.Sequential(nn.Linear(3, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))
        self.norm = nn.LayerNorm(WIDTH)
        self.taking = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.thinking = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)
        )
        self.pairs = nn.EmbeddingBag(PAIRS + len(LETTERS), WIDTH, mode="sum")
        self.naming = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH))
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.bias = nn.Parameter(torch.tensor(-6.0))

    def places(self, tokens: Tensor, at: Tensor, pixels: Tensor) -> Tensor:
        """Unit vectors `[n, WIDTH]` of places.

        tokens `[n, ROWS, COLUMNS, width]`: around each, zeros where there is nothing; at `[n, 2]`: where in the middle
        cell each is, across and down, 0 to 1; pixels `[n, 3, PIXELS, PIXELS]`: around each, uint8. If there are more
        of these, nothing but pixels is known of the further places.
        """
        edge = (PIXELS - MIDDLE) // 2
        colour = pixels[:, :, edge:-edge, edge:-edge].float().mean((2, 3)) / 127.5 - 1
        query = self.eye(pixels) + self.tint(colour)
        query = query + F.pad(self._said(tokens, at), (0, 0, 0, len(pixels) - len(tokens)))
        found: Tensor = F.normalize(query + self.thinking(query), dim=-1)
        return found

    def _said(self, tokens: Tensor, at: Tensor) -> Tensor:
        flat = tokens.flatten(1, 2)
        x = self.seen(flat.float()) + self.place
        x = self.around(x)
        query = x[:, x.shape[1] // 2] + self.asking(at - 0.5)
        keys = self.norm(x)
        taken, _ = self.taking(self.norm(query)[:, None], keys, keys, need_weights=False)
        said: Tensor = query + taken[:, 0]
        return said

    def names(self, names: Sequence[str]) -> Tensor:
        """Unit vectors `[n, WIDTH]` of names, whatever their case."""
        said = [letters_of(name) for name in names]
        starts = torch.tensor([0, *[len(one) for one in said[:-1]]]).cumsum(0).to(self.bias.device)
        bag = self.pairs(torch.tensor([number for one in said for number in one], device=self.bias.device), starts)
        return F.normalize(self.naming(bag), dim=-1)

    def fits(self, held: Held, places: Sequence[tuple[float, float]], name: str) -> list[float]:
        """The logit for each place. places: across and down, 0 to 1."""
        at = torch.tensor(places).clamp(0, 1 - 1e-6) * torch.tensor(held.shown.shape).flip(0)
        logits: list[float] = self._logits(held, self._seen_at(held, at), at, name).tolist()
        return logits

    def parted(self, held: Held, name: str) -> tuple[str, str] | None:
        """What is likeliest on a control and what beside it, of a name of several words; None of one word."""
        parts = _parts_of(name)
        if not parts:
            return None
        here, beside = (
            F.logsigmoid(self(self._all(held), self.names(words))).amax(0) for words in zip(*parts, strict=True)
        )
        return parts[int((here + beside).argmax())]

    def along(self, held: Held, name: str, down: float) -> tuple[float, float] | None:
        """The place on a line across the picture that a name fits best, as a whole; None where nothing is shown.

        down: how far down the line is, 0 to 1.
        """
        rows, columns = held.shown.shape
        y = min(max(down, 0.0), 1 - 1e-6) * rows
        cells = torch.nonzero(held.shown[int(y)])
        if not len(cells):
            return None
        across = (cells + torch.tensor(INSIDE)).flatten()
        at = torch.stack((across, torch.full_like(across, y)), 1)
        fit = self(self._seen_at(held, at), self.names([name]))[:, 0]
        return float(across[fit.argmax()]) / columns, y / rows

    def search(self, held: Held, name: str, most: int) -> list[tuple[float, float]]:
        """Up to `most` places of a picture that a name fits best, the best first, across and down, 0 to 1.

        Every cell that is shown is held against it in its middle, the best of their neighbours all over.
        """
        fit = torch.full(held.shown.shape, float("-inf"))
        fit[held.shown] = self._logits(held, self._all(held), torch.nonzero(held.shown).flip(1) + 0.5, name)
        peaks = torch.nonzero(held.shown & (fit == F.max_pool2d(fit[None], 3, 1, 1)[0]))
        peaks = peaks[fit[*peaks.T].argsort(descending=True)[:most]]
        tried = (peaks.flip(1)[:, None] + torch.tensor([(x, y) for y in INSIDE for x in INSIDE])).flatten(0, 1)
        logits = self._logits(held, self._seen_at(held, tried), tried, name)
        best, which = logits.view(len(peaks), -1).max(1)
        found = tried.view(len(peaks), -1, 2)[torch.arange(len(peaks)), which] / torch.tensor(fit.shape).flip(0)
        return [(x, y) for x, y in found[best.argsort(descending=True)].tolist()]

    def _all(self, held: Held) -> Tensor:
        """Vectors of the middles of all cells that are shown, row by row."""
        return torch.cat([self._line(held, row) for row in range(len(held.shown)) if held.shown[row].any()])

    def _line(self, held: Held, row: int) -> Tensor:
        if row not in held.lines:
            cells = torch.nonzero(held.shown[row])
            held.lines[row] = self._seen_at(held, F.pad(cells, (0, 1), value=row) + 0.5)
        return held.lines[row]

    def _seen_at(self, held: Held, at: Tensor) -> Tensor:
        """Vectors of places `[n, 2]` in cells, across and down."""
        parts = []
        for part in torch.split(at, AT_ONCE):
            cells = part.long()
            around = windows(held.tokens, cells.flip(1)), part - cells, squares(held.picture, (part * CELL).long())
            parts.append(self.places(*around))
        return torch.cat(parts)

    def _logits(self, held: Held, vectors: Tensor, at: Tensor, name: str) -> Tensor:
        """How well a name fits places: the whole of it, or its first words if the others are on the same line, as
        "Delete Smith" does the icon of a bin in the entry of Smith."""
        parts = _parts_of(name)
        fit = self(vectors, self.names([name, *(here for here, _ in parts)]))
        whole: Tensor = fit[:, 0]
        if not parts:
            return whole
        lines = torch.full((len(held.shown), len(parts)), float("-inf"))
        others = self.names([rest for _, rest in parts])
        above = (at[:, 1] - 0.5).floor().long().clamp(0, len(lines) - 1)
        below = (above + 1).clamp(max=len(lines) - 1)
        for row in {*above.tolist(), *below.tolist()}:
            if held.shown[row].any():
                lines[row] = self(self._line(held, row), others).amax(0)
        beside = torch.maximum(lines[above], lines[below])
        both = F.logsigmoid(fit[:, 1:]) + F.logsigmoid(beside)
        parted = both - torch.log1p(-both.exp().clamp(max=1 - 1e-6))
        return torch.maximum(whole, parted.amax(1))

    def forward(self, places: Tensor, names: Tensor) -> Tensor:
        """How well each place fits each name `[places, names]`: the logit of a probability."""
        fit: Tensor = self.scale.exp() * places @ names.T + self.bias
        return fit


def _parts_of(name: str) -> list[tuple[str, str]]:
    """The first words of a name, and the others."""
    words = name.split()
    return [(" ".join(words[:first]), " ".join(words[first:])) for first in range(1, min(len(words), PARTS + 1))]


def letters_of(name: str) -> list[int]:
    """Numbers of the pairs of letters of a name, and of its letters and digits."""
    found = [PAIRS + LETTERS.index(char) for char in name.lower()[:LONGEST] if char in LETTERS]
    for word in name.lower()[:LONGEST].split():
        kinds = [EDGE, *(ord(char) - ord("a") if char in string.ascii_lowercase else OTHER for char in word), EDGE]
        found += [first * KINDS + second for first, second in pairwise(kinds)]
    return found or [EDGE * KINDS + EDGE]


def windows(tokens: Tensor, at: Tensor) -> Tensor:
    """Tokens `[n, ROWS, COLUMNS, width]` around cells, zeros beside the picture.

    tokens `[rows, columns, width]` of a picture; at `[n, 2]`: row and column of each cell.
    """
    padded = F.pad(tokens, (0, 0, COLUMNS // 2, COLUMNS // 2, ROWS // 2, ROWS // 2))
    rows = at[:, 0, None, None] + torch.arange(ROWS)[:, None]
    columns = at[:, 1, None, None] + torch.arange(COLUMNS)
    return padded[rows, columns]


def squares(picture: Tensor, at: Tensor) -> Tensor:
    """Pixels `[n, 3, PIXELS, PIXELS]` around places, those at the edge again beside the picture.

    picture `[3, height, width]`, uint8; at `[n, 2]`: across and down, in pixels.
    """
    _, height, width = picture.shape
    around = torch.arange(PIXELS, device=picture.device) - PIXELS // 2
    columns, rows = (
        (at[:, axis, None].to(picture.device) + around).clamp(0, side - 1) for axis, side in ((0, width), (1, height))
    )
    return picture[:, rows[:, :, None], columns[:, None]].transpose(0, 1)


def load_naming(folder: Path, tokens: int) -> Naming | None:
    """What a checkpoint brings; None if it brings none. tokens: width of a visual token. Raises ModelError."""
    path = folder / FILE
    if not path.is_file():
        return None
    naming = Naming(tokens)
    remedy = "delete it, or teach it again (agent train --name-minutes)"
    load_beside(naming, path, "that tells names of places", remedy)
    return naming.eval()


def average_naming(folders: Sequence[Path], out: Path, tokens: int) -> None:
    """Write the mean of what checkpoints bring beside another one, if each of them brings it. Raises ModelError."""
    brought = [naming for folder in folders if (naming := load_naming(folder, tokens)) is not None]
    if len(brought) < len(folders):
        return
    mean = Naming(tokens)
    weights = [naming.state_dict() for naming in brought]
    mean.load_state_dict({name: torch.stack([each[name].float() for each in weights]).mean(0) for name in weights[0]})
    save_beside(mean, out / FILE)
