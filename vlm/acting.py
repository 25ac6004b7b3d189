"""What is due on a small screen that has to be looked at, learned from demonstrations.

A small network beside Qwen2.5-VL, for a checkpoint that brings one (`acting.weights`): the pixels of a screen in cells,
the words of the task and what was done become one sequence, and a transformer tells of it what to do,
where, and what to type there: behavioural cloning, as the first stage of Pix2Act (Shaw et al., "From Pixels to UI
Actions", 2023). It learns from some ten times as many screens in an hour as the language model would. Where to act is
one choice among squares of 7 pixels, as in the language model's own answers; a word of the task is found where it is
written, and copied where it is to be typed.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from action_space.geometry import Point, Size
from vlm.beside import load_beside
from vlm.deeds import DEEDS, LETTERS, PLACED, SEEN, Deed
from vlm.gauging import Bearings, Tally

FILE = "acting.weights"
"""Beside a checkpoint, see `vlm.beside`."""
CELL, SQUARE = 28, 7
"""Pixels of a cell's side, and of the squares in it between which is chosen where to act."""
SQUARES = CELL // SQUARE
MOST_CELLS = 400
"""Of a screen: what is larger is not shown whole to the language model either."""
WIDTH, LAYERS, HEADS, FINE, READ, LETTER = 96, 3, 4, 32, 64, 16
WORDS = 40
"""Words of a task that count."""
DONE = 8
"""Deeds of before that count, the newest."""
END = len(SEEN)
"""Ends a text."""
WORD = re.compile(r"\w+|[^\w\s]")
LONGEST_WAVE = 400.0
"""Times the shortest one, of the waves that tell a place."""
AROUND = 2 * CELL
"""Pixels around a place in which no other one is chosen once it was tried in vain."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions, as many each. pictures `[n, 3, H, W]`, uint8, of whole cells; words `[n, words, LETTERS]`: codes of
    their letters, 0 behind the last; done `[n, DONE]`: numbers of deeds, the newest first, len(DEEDS) where there is
    none; at `[n, DONE, 4]`: where they started and ended; said `[n, DONE, LETTERS]`: their texts."""

    pictures: Tensor
    words: Tensor
    done: Tensor
    at: Tensor
    said: Tensor

    def to(self, device: torch.device) -> "Asked":
        return replace(self, **{part.name: getattr(self, part.name).to(device) for part in fields(self)})


class Answers(NamedTuple):
    """Logits: kinds `[n, DEEDS]`, starts and ends `[n, cells, squares of each]`, letters `[n, LETTERS, END + 1]`.
    written `[n, cells, squares, READ]`: what can be read around each square, see `Acting.spelled`. places `[n, 2]`: in
    pixels, where the deed is if its place follows from others, see `vlm.gauging.Bearings`."""

    kinds: Tensor
    starts: Tensor
    ends: Tensor
    letters: Tensor
    written: Tensor
    places: Tensor


class Acting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.edges = nn.Conv2d(3, 48, 11, SQUARE, (11 - SQUARE) // 2, bias=False)
        self.parts = nn.Conv2d(48, FINE, 3, padding=1, bias=False)
        self.written = nn.Conv2d(FINE, READ, (1, 9), padding=(0, 4), bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(48), nn.BatchNorm2d(FINE), nn.BatchNorm2d(READ)])
        self.cells = nn.Linear(SQUARES**2 * FINE, WIDTH)
        self.cell_written = nn.Linear(READ, WIDTH)
        self.letters = nn.Embedding(128, WIDTH)
        self.letter_place = nn.Parameter(1 + torch.randn(LETTERS, WIDTH) / 2)
        self.words = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH))
        self.word_place = nn.Parameter(torch.randn(WORDS, WIDTH) / 10)
        self.cell_words, self.word_cells = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.worth, self.row_words = nn.Linear(WIDTH, 1, bias=False), nn.Linear(WIDTH, 1)
        self.in_row, self.near = nn.Linear(WIDTH, 1), nn.Conv1d(1, 1, 9, padding=4, bias=False)
        nn.init.zeros_(self.worth.weight)
        nn.init.ones_(self.near.weight)
        nn.init.ones_(self.in_row.bias)
        self.tally, self.bearings = Tally(FINE, WIDTH), Bearings(FINE, WIDTH)
        self.spelt_letters = nn.Embedding(128, LETTER)
        self.spelling = nn.Sequential(nn.Linear(LETTERS * LETTER, READ), nn.GELU(), nn.Linear(READ, READ))
        self.deeds = nn.Embedding(len(DEEDS) + 1, WIDTH)
        self.deed_place = nn.Parameter(torch.randn(DONE, WIDTH) / 10)
        self.between = nn.Linear(2 * WIDTH, WIDTH)
        self.asking_place = nn.Parameter(torch.randn(1 + LETTERS, WIDTH) / 10)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, HEADS, 2 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(LAYERS)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.heads = nn.ModuleDict({"kinds": nn.Linear(WIDTH, len(DEEDS)), "letters": nn.Linear(WIDTH, END + 1)})
        self.start, self.end = nn.Linear(WIDTH, WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.away = nn.Linear(WIDTH, WIDTH)
        self.keys, self.looks = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(WIDTH, 2 * FINE)
        self.seeks, self.sought = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(WIDTH, 2 * READ)
        self.found = nn.Linear(1, len(DEEDS), bias=False)
        self.copied = nn.Linear(WIDTH, WIDTH)
        self.copied_place = nn.Parameter(torch.randn(LETTERS, WIDTH) / 10)

    def forward(self, asked: Asked, starts: Tensor | None = None) -> Answers:
        """starts `[n, 2]`: where drags start, in pixels; None: where it is likeliest."""
        fine, written = self.squares(asked.pictures)
        rows, columns = (side // CELL for side in asked.pictures.shape[2:])
        middles = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).flip(1) * CELL + CELL // 2
        where, names = waves(middles.to(fine.device)), self.spelled(asked.words)
        # Where the words of the task are written; some screens say their task too, where it is of no use.
        heat = (found_in(written, names) + self.worth(where)).flatten(2).softmax(-1)
        heat = heat.view(*names.shape[:2], -1, SQUARES**2)
        cells, words, deed, letters = self._told(asked, fine, written, where, heat)
        (start_keys, end_keys), looks = self.keys(cells).chunk(2, -1), self.looks(cells).chunk(2, -1)
        named = found_in(written, self._sought(asked.words, names, words, deed))
        start = _heat(self.start(deed), start_keys, fine, looks[0]) + named[:, 0]
        start = start + self._beside(
            heat.view(*names.shape[:2], rows, columns, SQUARES, SQUARES), asked.words, words, deed
        )
        spots = places_in(rows, columns).to(fine.device)
        near, places = self.bearings(fine.flatten(1, 2), spots, deed)
        start = start + near.view_as(start)
        # Whether it is there is seen where it would be.
        kinds = self.heads["kinds"](deed) + self.found(start.flatten(1).amax(1, keepdim=True))
        if starts is None:
            starts = torch.tensor([place_of(int(each.argmax()), columns) for each in start.flatten(1)])
        starts = starts.to(fine.device)
        there = (starts // CELL).long()
        number = there[:, 1].clamp(0, rows - 1) * columns + there[:, 0].clamp(0, columns - 1)
        begun = cells[torch.arange(len(cells), device=fine.device), number]
        end = _heat(self.end(torch.cat((deed, begun), -1)), end_keys, fine, looks[1]) + named[:, 1]
        # How far to drag is said by the words: "up by one".
        ways = waves(spots - starts[:, None])
        end = end + (ways @ self.away(deed).unsqueeze(-1)).view_as(end) / WIDTH**0.5
        return Answers(kinds, start, end, self._said(asked.words, words, letters), written, places)

    def _told(
        self, asked: Asked, fine: Tensor, written: Tensor, where: Tensor, heat: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the layers tell of the cells, the words, the deed `[n, WIDTH]`, and the letters of its text."""
        read, shares = self._read(asked.words), heat.sum(-1) * asked.words[..., :1].gt(0)
        cells = self.cells(fine.flatten(2)) + self.cell_written(written.mean(2)) + where
        cells = cells + self.cell_words(shares.transpose(1, 2) @ read)
        words = read + self.word_place[: read.shape[1]] + self.word_cells(shares @ where)
        places = waves(asked.at.view(*asked.at.shape[:2], 2, 2)).flatten(2)
        done = self.deeds(asked.done) + self.between(places) + self._read(asked.said) + self.deed_place
        asking = self.asking_place + self.tally(fine.flatten(1, 2)).unsqueeze(1)
        shown = torch.zeros(cells.shape[:2], dtype=torch.bool, device=cells.device)
        hidden = (shown, asked.words[..., 0] == 0, asked.done == len(DEEDS), shown.new_zeros(asking.shape[:2]))
        x = torch.cat((cells, words, done, asking), 1)
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=torch.cat(hidden, 1))
        cells, words, _, deed, letters = self.norm(x).split((shown.shape[1], words.shape[1], DONE, 1, LETTERS), 1)
        return cells, words, deed[:, 0], letters

    def squares(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Of pictures `[n, 3, H, W]` what is in each square, `[n, cells, SQUARES ** 2, FINE]`, and what is written
        around it, `[..., READ]`."""
        x = (pictures.float() / 64 - 2).contiguous(memory_format=torch.channels_last)
        x = F.relu(self.norms[0](self.edges(x)))
        x = F.relu(self.norms[1](self.parts(x)))
        return _by_cell(x), _by_cell(self.norms[2](self.written(x)))

    def spelled(self, codes: Tensor) -> Tensor:
        """What words `[..., LETTERS]` look like where they are written, `[..., READ]`."""
        name: Tensor = self.spelling((self.spelt_letters(codes) * codes.gt(0).unsqueeze(-1)).flatten(-2))
        return name

    def _sought(self, codes: Tensor, names: Tensor, words: Tensor, deed: Tensor) -> Tensor:
        """What is to be written where the deed starts and where it ends, `[n, 2, READ]`: words of the task, or
        others."""
        hidden, found = codes[..., 0] == 0, []
        for seeks, sought in zip(self.seeks(deed).chunk(2, -1), self.sought(deed).chunk(2, -1), strict=True):
            logits = (words @ seeks.unsqueeze(-1) / WIDTH**0.5).masked_fill(hidden.unsqueeze(-1), float("-inf"))
            shares = F.pad(logits, (0, 0, 0, 1)).softmax(1)[:, :-1]  # or no word at all
            found.append((shares * names).sum(1) + sought)
        return torch.stack(found, 1)

    def _beside(self, heat: Tensor, codes: Tensor, words: Tensor, deed: Tensor) -> Tensor:
        """Logits of squares, `[n, cells, squares]`: how much they are in one row with a word of the task.

        heat `[n, words, rows, columns, SQUARES, SQUARES]`: where each word is written.
        """
        rows, columns = heat.shape[2:4]
        logits = self.row_words(words).squeeze(-1).masked_fill(codes[..., 0] == 0, float("-inf"))
        shares = F.pad(logits, (0, 1)).softmax(1)[:, None, :-1]  # or no word at all
        row: Tensor = self.near(shares @ heat.sum((3, 5)).flatten(2)).view(-1, rows, 1, SQUARES, 1)
        row = row * self.in_row(deed).view(-1, 1, 1, 1, 1)
        return row.expand(-1, -1, columns, -1, SQUARES).flatten(1, 2).flatten(2)

    def _said(self, codes: Tensor, words: Tensor, letters: Tensor) -> Tensor:
        """Logits of what is typed, `[n, LETTERS, END + 1]`: letters that are known, or copied from the task."""
        known: Tensor = self.heads["letters"](letters)
        keys = (self.copied(words).unsqueeze(2) + self.copied_place).flatten(1, 2)
        seen = (codes.flatten(1) - ord(SEEN[0]))[:, None].expand(-1, LETTERS, -1)
        hidden = (seen < 0) | (seen >= END)
        copied = (letters @ keys.transpose(1, 2) / WIDTH**0.5).masked_fill(hidden, float("-inf"))
        top = torch.cat((known, copied), -1).detach().amax(-1, keepdim=True)
        shares = (known - top).exp().scatter_add(2, seen.clamp(0, END - 1), (copied - top).exp())
        return shares.clamp_min(1e-30).log() + top

    def _read(self, codes: Tensor) -> Tensor:
        """Vectors of words `[..., LETTERS]`: which letters they have, and where in them."""
        there = codes.gt(0).unsqueeze(-1)
        vectors: Tensor = self.words((self.letters(codes) * self.letter_place * there).sum(-2))
        return vectors

    @torch.inference_mode()
    def act(self, picture: Tensor, task: str, done: Sequence[Deed], spent: Sequence[Point] = ()) -> tuple[Deed, float]:
        """What is due on a picture `[3, H, W]`, and how likely the least likely part of it is, 0 to 1.

        spent: no click is to be near these.
        """
        answers = self(asked_of([picture], [task], [done]))
        columns = picture.shape[2] // CELL
        kinds = answers.kinds[0].softmax(-1)
        kind = DEEDS[int(kinds.argmax())]
        starts = answers.starts.flatten(1)[0]
        if kind == "click" and spent:
            starts = _without(starts, columns, [(p.x, p.y) for p in spent], AROUND)
        start, parts = (0.0, 0.0), [float(kinds.max())]
        if kind in PLACED:
            start, likely = _likeliest(starts, columns)
            parts.append(likely)
        end = start
        if kind == "drag":
            end, likely = _likeliest(_without(answers.ends.flatten(1)[0], columns, [start], CELL / 2), columns)
            parts.append(likely)
        text = ""
        for letters in answers.letters[0].softmax(-1):
            number = int(letters.argmax())
            parts.append(float(letters.max()))
            if number == END:
                break
            text += SEEN[number]
        return Deed(kind, start, end, text), min(parts)


def _by_cell(x: Tensor) -> Tensor:
    """Of squares `[n, d, rows, columns]` those of each cell, `[n, cells, SQUARES ** 2, d]`."""
    count, depth, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(count, height // SQUARES, SQUARES, width // SQUARES, SQUARES, depth)
    return x.transpose(2, 3).reshape(count, -1, SQUARES**2, depth)


def found_in(written: Tensor, names: Tensor) -> Tensor:
    """Logits `[n, names, cells, squares]` of where names `[n, names, READ]` are.

    written `[n, cells, squares, READ]`: what can be read around each square.
    """
    heat: Tensor = names @ written.flatten(1, 2).transpose(1, 2) / READ**0.5
    return heat.view(*heat.shape[:2], *written.shape[1:3])


def _heat(query: Tensor, keys: Tensor, fine: Tensor, looks: Tensor) -> Tensor:
    """Logits `[n, cells, squares]`: of the cell, and of what in it is looked for."""
    squares = (fine @ looks.unsqueeze(-1)).squeeze(-1) / FINE**0.5
    heat: Tensor = squares + keys @ query.unsqueeze(-1) / WIDTH**0.5
    return heat


def _likeliest(logits: Tensor, columns: int) -> tuple[tuple[float, float], float]:
    """The likeliest place, and how likely it is that it is this one or one nearby."""
    x, y = place_of(int(logits.argmax()), columns)
    places = places_in(len(logits) // SQUARES**2 // columns, columns)
    near = (places - torch.tensor([x, y])).abs().amax(-1).lt(CELL / 2)
    return (x, y), float(logits.softmax(-1)[near].sum())


def _without(logits: Tensor, columns: int, places: Sequence[tuple[float, float]], far: float) -> Tensor:
    """Logits of squares of which none is to be near some places, if any others are left."""
    all_places = places_in(len(logits) // SQUARES**2 // columns, columns)
    near = (all_places[:, None] - torch.tensor(places)).abs().amax(-1).lt(far).any(1)
    return logits if near.all() else logits.masked_fill(near, float("-inf"))


def place_of(number: int, columns: int) -> tuple[float, float]:
    """The middle of a square, by its number in a picture of so many columns of cells."""
    cell, square = divmod(number, SQUARES**2)
    return (
        cell % columns * CELL + square % SQUARES * SQUARE + SQUARE // 2,
        cell // columns * CELL + square // SQUARES * SQUARE + SQUARE // 2,
    )


@cache
def places_in(rows: int, columns: int) -> Tensor:
    """The middles of all squares `[squares, 2]` of a picture of so many cells."""
    return torch.tensor([place_of(number, columns) for number in range(rows * columns * SQUARES**2)])


def waves(places: Tensor) -> Tensor:
    """Places `[..., 2]` in pixels as sines and cosines `[..., WIDTH]`."""
    steps = torch.arange(WIDTH // 4, device=places.device) / (WIDTH // 4 - 1)
    angles = places.unsqueeze(-1).float() * (math.pi / 8) * LONGEST_WAVE**-steps
    return torch.cat((angles.sin(), angles.cos()), -1).flatten(-2)


def asked_of(pictures: Sequence[Tensor], tasks: Sequence[str], done: Sequence[Sequence[Deed]]) -> Asked:
    """Questions about pictures of one size, of which the newest deeds come last."""
    words = [[codes_of(word) for word in WORD.findall(task)[:WORDS]] or [codes_of(" ")] for task in tasks]
    newest = [list(reversed(deeds))[:DONE] for deeds in done]
    return Asked(
        torch.stack(list(pictures)),
        _table(words, [0] * LETTERS, max(map(len, words))),
        _table([[DEEDS.index(deed.kind) for deed in deeds] for deeds in newest], len(DEEDS), DONE),
        _table([[places_told(deed) for deed in deeds] for deeds in newest], [0] * 4, DONE),
        _table([[codes_of(deed.text) for deed in deeds] for deeds in newest], [0] * LETTERS, DONE),
    )


def places_told(deed: Deed) -> list[int]:
    """As the lines of a plan say them, from which it learns."""
    return [round(side / SQUARE) * SQUARE for side in (*deed.start, *deed.end)]


def _table(rows: Sequence[Sequence[object]], nothing: object, length: int) -> Tensor:
    """Rows of one length, with nothing behind what they have."""
    return torch.tensor([[*row, *[nothing] * (length - len(row))] for row in rows])


def codes_of(text: str) -> list[int]:
    """Codes of a text's first letters, 127 for all that is not plain, 0 behind the last."""
    codes = [min(127, max(1, ord(char))) for char in text[:LETTERS]]
    return [*codes, *[0] * (LETTERS - len(codes))]


def whole_cells(size: Size) -> Size | None:
    """The size of a picture that is filled up to whole cells; None if it has too many."""
    whole = Size(*(-(-side // CELL) * CELL for side in (size.width, size.height)))
    return whole if whole.width * whole.height <= MOST_CELLS * CELL**2 else None


def on_cells(image: Image.Image) -> Tensor | None:
    """A picture as `[3, H, W]` of whole cells, uint8; None if it has too many."""
    size = whole_cells(Size(*image.size))
    if size is None:
        return None
    canvas = Image.new("RGB", (size.width, size.height), image.convert("RGB").getpixel((0, image.height - 1)))
    canvas.paste(image, (0, 0))
    return torch.from_numpy(np.array(canvas)).permute(2, 0, 1).contiguous()


def load_acting(folder: Path) -> Acting | None:
    """What a checkpoint brings; None if it brings none. Raises ModelError."""
    path = folder / FILE
    if not path.is_file():
        return None
    acting = Acting()
    load_beside(acting, path, "that tells what is due", "delete it, or teach it again (agent train --act-minutes)")
    return acting.eval()
