"""How well a name fits what is at a place of a picture, by the visual tokens around it.

A small network beside Qwen2.5-VL, for a checkpoint that brings one (`naming.weights`): the tokens around a place become
a vector, the letters of a name another, and their product tells how well they fit (a sigmoid for every pair, as in Zhai
et al., "Sigmoid Loss for Language Image Pre-Training", 2023). The language model points; this tells which of the places
that it is drawn to is called what was asked for. It sees what the tower said already, so it costs next to nothing.
"""

import string
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from pickle import UnpicklingError

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from action_space.errors import ConfigError, ModelError

FILE = "naming.weights"
"""Beside a checkpoint. Neither `.pt` nor `.safetensors`: what loads one takes all such files for its weights."""
ROWS, COLUMNS = 5, 17
"""Cells around a place that are looked at; it is in the one in the middle."""
CELL = 28
WIDTH, HEADS = 96, 4
LETTERS = string.ascii_lowercase + string.digits
OTHER, EDGE, KINDS = 26, 27, 28
"""In pairs of letters: all that is no Latin letter is of one kind, and the edges of a word count."""
PAIRS = KINDS * KINDS
LONGEST = 64
"""Letters of a name that count."""


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
        self.norm = nn.LayerNorm(WIDTH)
        self.taking = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.thinking = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)
        )
        self.pairs = nn.EmbeddingBag(PAIRS + len(LETTERS), WIDTH, mode="sum")
        self.naming = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH))
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.bias = nn.Parameter(torch.tensor(-6.0))

    def places(self, tokens: Tensor, at: Tensor) -> Tensor:
        """Unit vectors `[n, WIDTH]` of places.

        tokens `[n, ROWS, COLUMNS, width]`: around each, zeros where there is nothing; at `[n, 2]`: where in the middle
        cell each is, across and down, 0 to 1.
        """
        flat = tokens.flatten(1, 2)
        x = self.seen(flat.float()) + self.place
        x = self.around(x)
        query = x[:, x.shape[1] // 2] + self.asking(at - 0.5)
        keys = self.norm(x)
        taken, _ = self.taking(self.norm(query)[:, None], keys, keys, need_weights=False)
        query = query + taken[:, 0]
        return F.normalize(query + self.thinking(query), dim=-1)

    def names(self, names: Sequence[str]) -> Tensor:
        """Unit vectors `[n, WIDTH]` of names, whatever their case."""
        said = [letters_of(name) for name in names]
        starts = torch.tensor([0, *[len(one) for one in said[:-1]]]).cumsum(0).to(self.bias.device)
        bag = self.pairs(torch.tensor([number for one in said for number in one], device=self.bias.device), starts)
        return F.normalize(self.naming(bag), dim=-1)

    def fits(self, tokens: Tensor, places: Sequence[tuple[float, float]], name: str) -> list[float]:
        """The logit for each place. tokens `[rows, columns, width]` of a whole picture, zeros in cells that were not
        shown; places: across and down, 0 to 1."""
        rows, columns, _ = tokens.shape
        at = torch.tensor(places).clamp(0, 1 - 1e-6) * torch.tensor([columns, rows])
        cells = at.long()
        around = windows(tokens, cells.flip(1))
        logits: list[float] = self(self.places(around, at - cells), self.names([name]))[:, 0].tolist()
        return logits

    def forward(self, places: Tensor, names: Tensor) -> Tensor:
        """How well each place fits each name `[places, names]`: the logit of a probability."""
        fit: Tensor = self.scale.exp() * places @ names.T + self.bias
        return fit


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


def load_naming(folder: Path, tokens: int) -> Naming | None:
    """What a checkpoint brings; None if it brings none. tokens: width of a visual token. Raises ModelError."""
    path = folder / FILE
    if not path.is_file():
        return None
    naming = Naming(tokens)
    try:
        naming.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, UnpicklingError) as error:
        why = " ".join(str(error).split())[:200]
        raise ModelError(f"{str(path)!r} holds nothing that tells names of places: {why}") from error
    return naming.eval()


def save_naming(naming: Naming, folder: Path) -> None:
    """Beside a checkpoint, in bf16. Raises ConfigError where that cannot be written."""
    path = folder / FILE
    try:
        torch.save({name: weight.to("cpu", torch.bfloat16) for name, weight in naming.state_dict().items()}, path)
    except (OSError, RuntimeError) as error:  # torch says that a disk is full by the latter
        raise ConfigError(f"cannot write {str(path)!r}: {' '.join(str(error).split())[:200]}") from error


def average_naming(folders: Sequence[Path], out: Path, tokens: int) -> None:
    """Write the mean of what checkpoints bring beside another one, if each of them brings it. Raises ModelError."""
    brought = [naming for folder in folders if (naming := load_naming(folder, tokens)) is not None]
    if len(brought) < len(folders):
        return
    mean = Naming(tokens)
    weights = [naming.state_dict() for naming in brought]
    mean.load_state_dict({name: torch.stack([each[name] for each in weights]).mean(0) for name in weights[0]})
    save_naming(mean, out)
